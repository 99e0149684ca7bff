#include "chain/mask.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "chain/routes.h"
#include "chain/url.h"

namespace hopscope::chain {
namespace {

constexpr std::size_t kTokenCharactersShown = 4;
constexpr std::size_t kMaskedBytesShown = 40;

bool is_word_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
           static_cast<unsigned char>(c) >= 0x80;
}

// Replaces [from, to) and returns where the text goes on after it.
std::size_t hide(std::string& text, std::size_t from, std::size_t to, const std::string& mask) {
    text.replace(from, to - from, mask);
    return from + mask.size();
}

// containerd: `error executing command [sh -c …], exit code 3`. The command may hold brackets of its own: up to the
// last.
void hide_bracketed_command(std::string& text, const std::string& mask) {
    constexpr std::string_view kBefore = "command [";
    const auto at = text.find(kBefore);
    if (at == std::string::npos) return;
    const auto from = at + kBefore.size();
    const auto close = text.rfind(']');
    hide(text, from, close == std::string::npos || close < from ? text.size() : close, mask);
}

// `command 'sh -c …' exited with 126`, `command "…" …`.
void hide_quoted_command(std::string& text, const std::string& mask) {
    for (const std::string_view before : {"command '", "command \"", "command \\\""}) {
        const auto at = text.find(before);
        if (at == std::string::npos) continue;
        const auto from = at + before.size();
        const auto close = text.rfind(before.back());
        hide(text, from, close == std::string::npos || close < from ? text.size() : close, mask);
    }
}

// Every place where `word` stands as a word of its own.
void hide_word(std::string& text, const std::string& word, const std::string& mask) {
    if (mask.find(word) != std::string::npos) return;  // nothing, or a part of what stands for it now
    std::string out;
    std::size_t told = 0;
    for (std::size_t at = text.find(word); at != std::string::npos;) {
        const auto end = at + word.size();
        const bool starts = at == 0 || !is_word_character(text[at - 1]) || !is_word_character(word.front());
        const bool ends = end == text.size() || !is_word_character(text[end]) || !is_word_character(word.back());
        if (starts && ends) {
            out.append(text, told, at - told).append(mask);
            told = end;
        }
        at = text.find(word, starts && ends ? end : at + 1);
    }
    text = out.append(text, told, std::string::npos);
}

// runc: `exec: "prog": stat prog: no such file or directory`; the quotes may be escaped. The program is the command's
// first word and can be repeated without quotes.
void hide_program(std::string& text, const std::string& mask) {
    constexpr std::string_view kBefore = "exec: ";
    constexpr std::size_t kProgramsMax = 8;
    std::vector<std::string> programs;
    for (std::size_t at = text.find(kBefore); at != std::string::npos; at = text.find(kBefore, at)) {
        at += kBefore.size();
        const bool escaped = text.compare(at, 2, "\\\"") == 0;
        if (!escaped && text.compare(at, 1, "\"") != 0) continue;
        const std::string_view quote = escaped ? "\\\"" : "\"";
        const auto from = at + quote.size();
        const auto close = std::min(text.find(quote, from), text.size());
        if (programs.size() < kProgramsMax) programs.push_back(text.substr(from, close - from));
        at = hide(text, from, close, mask);
    }
    for (const std::string& program : programs) hide_word(text, program, mask);
}

// `fork/exec /bin/x: no such file or directory`.
void hide_forked_path(std::string& text, const std::string& mask) {
    constexpr std::string_view kBefore = "fork/exec ";
    for (std::size_t at = text.find(kBefore); at != std::string::npos; at = text.find(kBefore, at)) {
        const auto from = at + kBefore.size();
        at = hide(text, from, std::min(text.find(": ", from), text.size()), mask);
    }
}

// "command=sh&command=-c": the values of a URL that an error text quotes.
void hide_query_values(std::string& text, std::string_view key, const std::string& mask) {
    for (std::size_t at = text.find(key); at != std::string::npos; at = text.find(key, at)) {
        const bool starts = at == 0 || !is_word_character(text[at - 1]) || text[at - 1] == '_' || text[at - 1] == '-';
        const auto from = at + key.size();
        if (!starts) {
            at = from;
            continue;
        }
        at = hide(text, from, std::min(text.find_first_of("&; \t\n\"'\\<>", from), text.size()), mask);
    }
}

// ".../exec/6NLIabcd" in a quoted URL.
void hide_tokens(std::string& text, Glyphs glyphs) {
    constexpr std::size_t kTokenCharacters = 8;
    for (const std::string_view before : {"/exec/", "/attach/", "/portforward/"}) {
        for (std::size_t at = text.find(before); at != std::string::npos; at = text.find(before, at)) {
            at += before.size();
            const std::string_view token = std::string_view(text).substr(at, kTokenCharacters);
            const auto end = at + token.size();
            if (!has_token_form(token) || (end < text.size() && is_word_character(text[end]))) continue;
            at = hide(text, at, end, mask_token(token, glyphs));
        }
    }
}

// "Bearer eyJ…" wherever it stands.
void hide_bearer(std::string& text, const std::string& mask) {
    constexpr std::string_view kBefore = "Bearer ";
    for (std::size_t at = text.find(kBefore); at != std::string::npos; at = text.find(kBefore, at)) {
        const auto from = at + kBefore.size();
        at = hide(text, from, std::min(text.find_first_of(" \t\n\"'\\,;<>", from), text.size()), mask);
    }
}

}  // namespace

std::string mask_word(Glyphs glyphs) { return glyphs == Glyphs::unicode ? "▒▒▒" : "###"; }

std::string_view token_prefix(std::string_view token) {
    return token.substr(0, token.size() >= 2 * kTokenCharactersShown ? kTokenCharactersShown : 0);
}

std::string mask_token(std::string_view token, Glyphs glyphs) {
    return std::string(token_prefix(token)) + (glyphs == Glyphs::unicode ? "····" : "....");
}

std::string mask_bytes(std::size_t bytes, Glyphs glyphs) {
    const std::string_view glyph = glyphs == Glyphs::unicode ? "▒" : "#";
    std::string out;
    for (std::size_t i = 0; i < std::min(bytes, kMaskedBytesShown); ++i) out += glyph;
    return out;
}

std::string masked_text(std::string_view text, bool show_command, bool show_token, bool show_auth, Glyphs glyphs) {
    const std::string mask = mask_word(glyphs);
    const auto once = [&](std::string out) {
        if (!show_command) {
            hide_bracketed_command(out, mask);
            hide_quoted_command(out, mask);
            hide_program(out, mask);
            hide_forked_path(out, mask);
            hide_query_values(out, "command=", mask);
            hide_query_values(out, "cmd=", mask);
        }
        if (!show_token) hide_tokens(out, glyphs);
        if (!show_auth) {
            hide_bearer(out, mask);
            hide_query_values(out, "token=", mask);
        }
        return out;
    };
    // What one rule hides may have kept another from seeing its place.
    constexpr int kRoundsMax = 4;
    std::string out = once(std::string(text));
    for (int round = 1; round < kRoundsMax; ++round) {
        std::string again = once(out);
        if (again == out) break;
        out = std::move(again);
    }
    return out;
}

}  // namespace hopscope::chain
