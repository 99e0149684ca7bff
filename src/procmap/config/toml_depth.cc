#include "procmap/config/toml_depth.h"

#include <algorithm>
#include <string>
#include <vector>

#include "core/limits.h"

namespace hopscope::procmap {
namespace {

// Where the string that begins at `begin` ends: the place of its last character (TOML 1.0, "String").
std::size_t end_of_string(std::string_view text, std::size_t begin) {
    const char quote = text[begin];
    const std::string three(3, quote);
    const bool has_lines = text.substr(begin, 3) == three;
    for (std::size_t at = begin + (has_lines ? 3 : 1); at < text.size(); ++at) {
        if (text[at] == '\\' && quote == '"') {
            ++at;
        } else if (!has_lines && text[at] == '\n') {
            return at - 1;  // no TOML: the line ends all the same
        } else if (!has_lines && text[at] == quote) {
            return at;
        } else if (has_lines && text.substr(at, 3) == three) {
            at += 2;
            for (int more = 0; more < 2 && at + 1 < text.size() && text[at + 1] == quote; ++more) ++at;
            return at;  // up to two quotes may stand before the three that end it
        }
    }
    return text.size() - 1;
}

}  // namespace

std::uint32_t line_of_too_deep_key(std::string_view text) {
    std::vector<std::size_t> around;  // dots before each bracket and brace that is open
    std::size_t dots = 0;             // of the key that is read, and of those around it
    std::uint32_t line = 1;
    for (std::size_t at = 0; at < text.size(); ++at) {
        switch (text[at]) {
            case '\n':
                ++line;
                if (around.empty()) dots = 0;
                break;
            case '#': at = std::min(text.find('\n', at), text.size()) - 1; break;
            case '"':
            case '\'': {
                const std::size_t end = end_of_string(text, at);
                line +=
                    static_cast<std::uint32_t>(std::count(text.begin() + static_cast<std::ptrdiff_t>(at),
                                                          text.begin() + static_cast<std::ptrdiff_t>(end) + 1, '\n'));
                at = end;
                break;
            }
            case '.':
                if (++dots >= limits::kSettingDepthMax) return line;
                break;
            case ',': dots = around.empty() ? 0 : around.back(); break;
            case '[':
            case '{': around.push_back(dots); break;
            case ']':
            case '}':
                if (around.empty()) break;
                dots = around.back();
                around.pop_back();
                break;
            default: break;
        }
    }
    return 0;
}

}  // namespace hopscope::procmap
