// The glyphs that stand for what is hidden, and the search for secrets in free text.
#pragma once

#include <string>
#include <string_view>

#include "core/untrusted.h"

namespace hopscope::chain {

// "▒▒▒" for a secret whose length is nobody's business.
std::string mask_word(Glyphs glyphs);
// What may be shown of a token: its first four characters, nothing of one of less than eight. Borrows from `token`.
std::string_view token_prefix(std::string_view token);
// The same with the glyphs for the rest: "6NLI····". Not made printable.
std::string mask_token(std::string_view token, Glyphs glyphs);
// One "▒" per byte, at most 40, for payload.
std::string mask_bytes(std::size_t bytes, Glyphs glyphs);

// What error texts repeat of a command line, a streaming URL or credentials is hidden unless shown by name:
// "error executing command [▒▒▒], exit code 3", `exec: "▒▒▒": executable file not found`, ".../exec/6NLI····".
// The result is not made printable.
std::string masked_text(std::string_view text, bool show_command, bool show_token, bool show_auth, Glyphs glyphs);

}  // namespace hopscope::chain
