// The text of error streams: a Status (JSON) stays, but for its message, which can quote the command; any other text is
// overwritten.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "record/mask_plan.h"

namespace hopscope::record {

class StatusMasker {
public:
    // `plan` (borrowed) is that of the direction in which the text comes.
    explicit StatusMasker(MaskPlan& plan) : plan_(plan) {}
    // The channels carry base64 text.
    void base64() { base64_ = true; }
    // A piece of the text of a stream, at stream offset `at` of the connection. At most limits::kErrorTextsMax streams
    // at once, the first limits::kStatusBytesMax bytes of each.
    void add(std::uint32_t stream, std::uint64_t at, std::string_view bytes);
    // No more text comes.
    void settle();

private:
    // Text and where each byte of it stood.
    struct Text {
        std::uint32_t stream = 0;
        std::string text;
        std::vector<std::uint64_t> offsets;
        bool settled = false;  // what follows is no Status
    };
    [[nodiscard]] std::string plain(const Text& error) const;
    void settle(Text& error);

    MaskPlan& plan_;
    bool base64_ = false;
    std::vector<Text> texts_;
};

}  // namespace hopscope::record
