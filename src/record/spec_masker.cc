#include "record/spec_masker.h"

#include <algorithm>
#include <string_view>

#include "record/json_words.h"

namespace hopscope::record {

void mask_process_spec(std::span<char> text, Pseudonyms& pseudonyms, MaskCounts& counts) {
    const std::string_view view(text.data(), text.size());
    std::string key;  // of the object at depth 1
    std::size_t depth = 0;
    for (std::size_t at = 0; at < text.size();) {
        const char c = text[at];
        if (c == '{' || c == '[') ++depth;
        if ((c == '}' || c == ']') && depth > 0) --depth;
        if (c != '"') {
            ++at;
            continue;
        }
        const std::size_t end = end_of_literal(view, at);
        const bool whole = end - at >= 2 && view[end - 1] == '"';
        if (whole && is_key(view, end)) {
            if (depth == 1) key = view.substr(at + 1, end - at - 2);
        } else if (whole && depth == 2 && key == "args") {
            put_stand_in(text.subspan(at, end - at), pseudonyms, 'z');
            ++counts.commands;
        } else {
            std::fill(text.begin() + static_cast<std::ptrdiff_t>(at + 1),
                      text.begin() + static_cast<std::ptrdiff_t>(whole ? end - 1 : end), 'x');
        }
        at = end;
    }
}

}  // namespace hopscope::record
