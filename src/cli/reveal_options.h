// --reveal, --show-payload, --ascii, --color: what the user may see, and with which characters.
#pragma once

#include "chain/reveal.h"
#include "cli/command_line.h"
#include "core/untrusted.h"

namespace hopscope::cli {

Result<chain::Reveal> reveal_of(const Invocation& invocation);
// ASCII with --ascii or where the locale's character set is not UTF-8.
Glyphs glyphs_of(const Invocation& invocation);
// --color: auto is a terminal on stdout without NO_COLOR (or CLICOLOR_FORCE set).
bool colour_of(const Invocation& invocation);
// Columns of the terminal on stdout, 0 when it is none.
std::size_t terminal_columns();

}  // namespace hopscope::cli
