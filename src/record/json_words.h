// What maskers of JSON texts share: they work on the text as it stands, so that no length changes.
#pragma once

#include <span>
#include <string_view>

#include "record/mask_plan.h"

namespace hopscope::record {

// The end of the string literal that begins at `at` (behind its closing quote), or the end of the text.
std::size_t end_of_literal(std::string_view text, std::size_t at);
// Does a colon follow?
bool is_key(std::string_view text, std::size_t after);
// A word of a command, quotes included: its stand-in in quotes, then spaces where the word was written with escapes.
// `otherwise`: as in Pseudonyms::of_word.
void put_stand_in(std::span<char> literal, Pseudonyms& pseudonyms, char otherwise);

}  // namespace hopscope::record
