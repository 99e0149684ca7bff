// How text for eyes looks: glyphs, colour, width. Given by the caller, who knows the terminal; nothing here asks for
// it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "chain/model.h"
#include "core/grade.h"
#include "core/untrusted.h"

namespace hopscope::exports {

// What a piece of text means; the colour follows from it, and never says anything that the words do not.
enum class Tone : unsigned char { plain, heading, faint, good, look, bad };

struct Style {
    Glyphs glyphs = Glyphs::unicode;
    bool colour = false;      // SGR sequences of the eight ANSI colours
    std::size_t columns = 0;  // width of the terminal; 0: no limit (a pipe, a file): nothing is cut

    [[nodiscard]] std::string paint(std::string text, Tone tone) const;
    [[nodiscard]] std::string_view arrow() const { return glyphs == Glyphs::unicode ? "→" : "->"; }
    [[nodiscard]] std::string_view dot() const { return glyphs == Glyphs::unicode ? " · " : " | "; }
    [[nodiscard]] std::string_view dash() const { return glyphs == Glyphs::unicode ? "–" : "-"; }
    [[nodiscard]] std::string_view times() const { return glyphs == Glyphs::unicode ? "×" : "x"; }
    [[nodiscard]] std::string_view ellipsis() const { return glyphs == Glyphs::unicode ? "…" : "..."; }
};

std::string_view grade_glyph(Grade grade, Glyphs glyphs);  // ● ◐ ○, in ASCII * ~ ?
Tone grade_tone(Grade grade);
std::string_view severity_glyph(chain::Severity severity, Glyphs glyphs);  // ✖ ▲ ●, in ASCII x ! *
Tone severity_tone(chain::Severity severity);

}  // namespace hopscope::exports
