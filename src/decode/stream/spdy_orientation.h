// Who is the client of a SPDY connection that was joined late.
#pragma once

#include <optional>

#include "core/bytes.h"

namespace hopscope::decode::stream::spdy {

// Positive: `first` is the client; negative: the server; the further from zero the surer. `…_start`: where a frame
// begins on that side, if known.
int orientation(Bytes first, std::optional<std::size_t> first_start, Bytes second,
                std::optional<std::size_t> second_start);

}  // namespace hopscope::decode::stream::spdy
