// "Did you mean …": the known word that is nearest to what was typed.
#pragma once

#include <span>
#include <string_view>

namespace hopscope::chain {

// Insertions, deletions, substitutions and swaps of neighbours; both cut to 64 characters, ASCII case ignored.
std::size_t edit_distance(std::string_view a, std::string_view b);
// Empty if none is near enough to be meant (a third of the letters, at most 3).
std::string_view closest(std::string_view typed, std::span<const std::string_view> known);

}  // namespace hopscope::chain
