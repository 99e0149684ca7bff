// Recognises a connection from somewhere in its middle. Strict: what could be something else stays unknown.
//
// Remembers how far it has looked, so that a connection that grows segment by segment costs linear time.
#pragma once

#include <array>
#include <memory>

#include "decode/stream/detect.h"

namespace hopscope::decode::stream {

class LateDetector {
public:
    LateDetector();
    ~LateDetector();
    LateDetector(LateDetector&&) noexcept;
    LateDetector& operator=(LateDetector&&) noexcept;

    // As detect(), for bytes that do not begin the connection. Each call gets all bytes of the calls before, and more.
    Verdict detect(Bytes first, Bytes second, bool over);

private:
    struct Side;
    std::array<std::unique_ptr<Side>, 2> sides_;
};

}  // namespace hopscope::decode::stream
