// How deep a TOML text goes, told before it is parsed.
//
// toml++ limits how deep values lie in each other, but not the parts of a key ("a.a.a = 1") or of a header
// ("[a.a.a]"), and each part is a table in the one before: what frees them calls itself for each. Not a judgement of
// the text: of what is not TOML the parser tells, and reads nothing after that place.
#pragma once

#include <cstdint>
#include <string_view>

namespace hopscope::procmap {

// The line (from 1) of the first key or header of more than limits::kSettingDepthMax parts, those of the inline tables
// around it included; 0: there is none. Linear.
std::uint32_t line_of_too_deep_key(std::string_view text);

}  // namespace hopscope::procmap
