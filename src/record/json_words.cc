#include "record/json_words.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>

namespace hopscope::record {

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

void put_stand_in(std::span<char> literal, Pseudonyms& pseudonyms, char otherwise) {
    const auto json = nlohmann::json::parse(literal.begin(), literal.end(), nullptr, /*allow_exceptions=*/false);
    const auto* word = json.get_ptr<const std::string*>();
    if (!word || word->size() + 2 > literal.size()) {
        std::fill(literal.begin() + 1, literal.end() - 1, 'x');
        return;
    }
    const std::string masked = '"' + pseudonyms.of_word(*word, otherwise) + '"';
    std::fill(std::copy(masked.begin(), masked.end(), literal.begin()), literal.end(), ' ');
}

}  // namespace hopscope::record
