#include "core/credentials.h"

#include <algorithm>

namespace hopscope {
namespace {

constexpr std::string_view kBlanks = " \t\r\n\"'[]";  // between URLs, and never inside one
constexpr std::string_view kScheme = "://";

bool is_port(std::string_view text) { return text.find_first_not_of("0123456789") == std::string_view::npos; }

// How many characters of `rest`, which begins behind "://" and ends before the next blank, are credentials and their
// '@'.
std::size_t credentials_in(std::string_view rest) {
    const std::string_view authority = rest.substr(0, rest.find_first_of("/?#,"));
    if (const std::size_t at = authority.rfind('@'); at != std::string_view::npos) return at == 0 ? 0 : at + 1;
    // "user:wo/rd@host": no host ends in a colon and something that is no port.
    const std::size_t colon = authority.rfind(':');
    if (colon == std::string_view::npos || authority.find('[') != std::string_view::npos) return 0;
    if (is_port(authority.substr(colon + 1))) return 0;
    const std::size_t at = rest.substr(0, rest.find(kScheme)).rfind('@');
    return at == std::string_view::npos ? 0 : at + 1;
}

// The same of a word without a scheme: "user:word@127.0.0.1:2375", but not "/run/a:b@c" and not "@abstract".
std::size_t bare_credentials_in(std::string_view word) {
    const std::size_t at = word.rfind('@');
    if (at == std::string_view::npos) return 0;
    const std::string_view before = word.substr(0, at);
    const std::size_t colon = before.find(':');
    const bool pair =
        colon != std::string_view::npos && colon > 0 && colon + 1 < at && before.find('/') == std::string_view::npos;
    return pair ? at + 1 : 0;
}

}  // namespace

std::string without_credentials(std::string_view text) {
    if (text.find('@') == std::string_view::npos) return std::string(text);
    std::string out;
    while (!text.empty()) {
        if (kBlanks.find(text.front()) != std::string_view::npos || text.front() == ',') {
            out += text.front();
            text.remove_prefix(1);
            continue;
        }
        // A bracket belongs to a URL where it holds its address: http://[::1]:80.
        std::string_view word = text.substr(0, text.find_first_of(kBlanks));
        const std::size_t scheme = word.find(kScheme);
        std::size_t hidden = 0;
        if (scheme != std::string_view::npos && word.find(',') > scheme) {
            out += word.substr(0, scheme + kScheme.size());
            text.remove_prefix(scheme + kScheme.size());
            word.remove_prefix(scheme + kScheme.size());
            hidden = credentials_in(word);
        } else {
            word = word.substr(0, word.find(','));
            hidden = bare_credentials_in(word);
        }
        if (hidden > 0) out.append(kCredentialsMask).append("@");
        text.remove_prefix(hidden);
        word.remove_prefix(hidden);
        const std::size_t rest = std::min(word.find(','), word.size());
        out += word.substr(0, rest);
        text.remove_prefix(rest);
    }
    return out;
}

}  // namespace hopscope
