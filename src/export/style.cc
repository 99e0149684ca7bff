#include "export/style.h"

namespace hopscope::exports {

std::string Style::paint(std::string text, Tone tone) const {
    if (!colour || tone == Tone::plain || text.empty()) return text;
    std::string_view begin;
    switch (tone) {
        case Tone::plain: break;
        case Tone::heading: begin = "\x1b[1m"; break;
        case Tone::faint: begin = "\x1b[2m"; break;
        case Tone::good: begin = "\x1b[34m"; break;  // blue: told apart from red by everybody
        case Tone::look: begin = "\x1b[33m"; break;
        case Tone::bad: begin = "\x1b[1;31m"; break;
    }
    return std::string(begin) + text + "\x1b[0m";
}

std::string_view grade_glyph(Grade grade, Glyphs glyphs) {
    const bool ascii = glyphs == Glyphs::ascii;
    switch (grade) {
        case Grade::decoded: return ascii ? "*" : "●";
        case Grade::seen: return ascii ? "~" : "◐";
        case Grade::inferred: return ascii ? "?" : "○";
    }
    return "";
}

Tone grade_tone(Grade grade) { return grade == Grade::decoded ? Tone::good : Tone::plain; }

std::string_view severity_glyph(chain::Severity severity, Glyphs glyphs) {
    const bool ascii = glyphs == Glyphs::ascii;
    switch (severity) {
        case chain::Severity::info:
        case chain::Severity::notice: return ascii ? "*" : "●";
        case chain::Severity::warning: return ascii ? "!" : "▲";
        case chain::Severity::error: return ascii ? "x" : "✖";
    }
    return "";
}

Tone severity_tone(chain::Severity severity) {
    switch (severity) {
        case chain::Severity::info:
        case chain::Severity::notice: return Tone::good;
        case chain::Severity::warning: return Tone::look;
        case chain::Severity::error: return Tone::bad;
    }
    return Tone::plain;
}

}  // namespace hopscope::exports
