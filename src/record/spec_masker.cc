#include "record/spec_masker.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>

namespace hopscope::record {
namespace {

// The end of the string literal that begins at `at` (behind its closing quote), or the end of the text.
std::size_t end_of_literal(std::string_view text, std::size_t at) {
    for (std::size_t i = at + 1; i < text.size(); ++i) {
        if (text[i] == '\\')
            ++i;
        else if (text[i] == '"')
            return i + 1;
    }
    return text.size();
}

bool is_key(std::string_view text, std::size_t after) {
    while (after < text.size() && (text[after] == ' ' || text[after] == '\n' || text[after] == '\t')) ++after;
    return after < text.size() && text[after] == ':';
}

// A word of the arguments: its stand-in in quotes, then spaces where the word was written with escapes.
void put_stand_in(std::span<char> literal, Pseudonyms& pseudonyms) {
    const auto json = nlohmann::json::parse(literal.begin(), literal.end(), nullptr, /*allow_exceptions=*/false);
    const auto* word = json.get_ptr<const std::string*>();
    if (!word || word->size() + 2 > literal.size()) {
        std::fill(literal.begin() + 1, literal.end() - 1, 'x');
        return;
    }
    const std::string masked = '"' + pseudonyms.of_word(*word, 'z') + '"';
    std::fill(std::copy(masked.begin(), masked.end(), literal.begin()), literal.end(), ' ');
}

}  // namespace

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
            put_stand_in(text.subspan(at, end - at), pseudonyms);
            ++counts.commands;
        } else {
            std::fill(text.begin() + static_cast<std::ptrdiff_t>(at + 1),
                      text.begin() + static_cast<std::ptrdiff_t>(whole ? end - 1 : end), 'x');
        }
        at = end;
    }
}

}  // namespace hopscope::record
