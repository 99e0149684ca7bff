// JSON that somebody else wrote, of which only named members are kept.
//
// One walk in time proportional to the text, whatever it holds (nlohmann's parser callbacks look through the whole
// parent again for every object that ends). Members of other names, and what lies deeper than wanted, are passed over
// and never held. Of members of one name the last one counts, as with encoding/json of Go.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <span>
#include <string_view>

namespace hopscope::decode::grpc {

struct JsonPick {
    std::span<const std::string_view> members;  // names that are kept, in any object
    std::size_t depth_max = 0;                  // objects and arrays inside each other, the outermost is 1
    std::size_t values_max = 0;                 // kept of one text: about 100 bytes each, beside their strings
};

struct PickedJson {  // NOLINT(bugprone-exception-escape): nlohmann's move is noexcept, and the check sees an assertion
    nlohmann::json value;  // is_discarded(): the text is not JSON (RFC 8259)
    bool is_cut = false;   // there were more than values_max: the later ones are missing
};

// Never throws but for want of memory.
PickedJson pick_json(std::string_view text, const JsonPick& pick);

}  // namespace hopscope::decode::grpc
