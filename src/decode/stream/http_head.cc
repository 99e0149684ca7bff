#include "decode/stream/http_head.h"

#include <cstring>

#include "decode/stream/ascii.h"

namespace hopscope::decode::stream::http {
namespace {

constexpr std::size_t kStartLineBytesMax = 16 * 1024;  // when looking for one; commands of kubectl exec are in it

bool is_token(std::string_view text) {
    for (const char c : text) {
        const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!letter && std::string_view("!#$%&'*+-.^_`|~").find(c) == std::string_view::npos) return false;
    }
    return !text.empty();
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_version(std::string_view text) { return text.size() == 8 && text.starts_with("HTTP/1.") && is_digit(text[7]); }

bool is_status_begin(std::string_view text) {
    return text.size() >= 12 && is_version(text.substr(0, 8)) && text[8] == ' ' && text[9] >= '1' && text[9] <= '9' &&
           is_digit(text[10]) && is_digit(text[11]) && (text.size() == 12 || text[12] == ' ');
}

// Takes the next line off `text`, without its end. False: no whole line is left.
bool take_line(std::string_view& text, std::string_view& line) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) return false;
    line = text.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    text.remove_prefix(end + 1);
    return true;
}

bool is_fold(char c) { return c == ' ' || c == '\t'; }

// A folded field becomes one line by turning the line end into spaces.
std::string_view unfold(std::string_view text, std::string& unfolded) {
    bool folded = false;
    for (std::size_t at = text.find('\n'); at < text.size() && at + 1 < text.size(); at = text.find('\n', at + 1))
        folded = folded || is_fold(text[at + 1]);
    if (!folded) return text;
    unfolded = text;
    for (std::size_t at = unfolded.find('\n'); at < unfolded.size() && at + 1 < unfolded.size();
         at = unfolded.find('\n', at + 1)) {
        if (!is_fold(unfolded[at + 1])) continue;
        unfolded[at] = ' ';
        if (at > 0 && unfolded[at - 1] == '\r') unfolded[at - 1] = ' ';
    }
    return unfolded;
}

void parse_fields(std::string_view text, Head& head) {
    head.fields.reserve(16);
    std::string_view line;
    while (take_line(text, line) && !line.empty()) {
        const std::size_t colon = line.find(':');
        if (colon == std::string_view::npos || colon == 0) {
            head.bad_lines = true;
            continue;
        }
        if (head.fields.size() == limits::kHttpHeadersMax) {
            head.too_many = true;
            return;
        }
        head.fields.push_back({trimmed(line.substr(0, colon)), trimmed(line.substr(colon + 1))});
    }
}

constexpr std::string_view kMethods[] = {"GET ",   "POST ",    "PUT ",     "HEAD ", "DELETE ",
                                         "PATCH ", "OPTIONS ", "CONNECT ", "TRACE "};

// What stands behind a start line: a field, or the empty line.
Begins begins_fields(std::string_view text) {
    if (text.starts_with('\n') || text.starts_with("\r\n")) return Begins::yes;
    for (std::size_t i = 0; i < text.size() && i < 256; ++i) {
        if (text[i] == ':') return i > 0 ? Begins::yes : Begins::no;
        if (!is_token(text.substr(i, 1)) && !(i == 0 && text[i] == '\r')) return Begins::no;
    }
    return text.size() >= 256 ? Begins::no : Begins::maybe;
}

}  // namespace

std::size_t find_head_end(Bytes unread, std::size_t& searched) {
    const std::uint8_t* const begin = unread.data();
    const std::uint8_t* const end = begin + unread.size();
    const std::uint8_t* at = begin + searched;
    while (at < end) {
        const void* found = std::memchr(at, '\n', static_cast<std::size_t>(end - at));
        if (!found) {
            searched = unread.size();
            return 0;
        }
        const auto* line_end = static_cast<const std::uint8_t*>(found);
        const std::uint8_t* next = line_end + 1;
        searched = static_cast<std::size_t>(line_end - begin);
        if (next == end) return 0;
        if (*next == '\n') return static_cast<std::size_t>(next + 1 - begin);
        if (*next == '\r') {
            if (next + 1 == end) return 0;
            if (next[1] == '\n') return static_cast<std::size_t>(next + 2 - begin);
        }
        at = next;
    }
    return 0;
}

std::string_view Head::value(std::string_view name) const {
    for (const Header& header : fields)
        if (equal_ignoring_case(header.name, name)) return header.value;
    return {};
}

bool Head::has(std::string_view name) const {
    for (const Header& header : fields)
        if (equal_ignoring_case(header.name, name)) return true;
    return false;
}

bool parse_request(std::string_view text, std::string& unfolded, Head& head) {
    text = unfold(text, unfolded);
    std::string_view line;
    if (!take_line(text, line)) return false;
    const std::size_t first = line.find(' '), last = line.rfind(' ');
    if (first == std::string_view::npos || last <= first) return false;
    head.method = line.substr(0, first);
    head.target = trimmed(line.substr(first + 1, last - first - 1));
    head.version = line.substr(last + 1);
    if (!is_token(head.method) || head.target.empty() || !is_version(head.version)) return false;
    parse_fields(text, head);
    return true;
}

bool parse_response(std::string_view text, std::string& unfolded, Head& head) {
    text = unfold(text, unfolded);
    std::string_view line;
    const bool whole = take_line(text, line);
    if (!whole) line = text;
    if (!is_status_begin(line) || (!whole && line.size() < 13)) return false;
    head.version = line.substr(0, 8);
    head.status = static_cast<std::uint16_t>((line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0'));
    if (!whole) return true;
    head.reason = trimmed(line.substr(12));
    parse_fields(text, head);
    return true;
}

Begins begins_request(std::string_view text) {
    for (const std::string_view method : kMethods) {
        if (!text.starts_with(method.substr(0, text.size()))) continue;
        if (text.size() <= method.size()) return Begins::maybe;
        const char first = text[method.size()];
        const bool authority = method == "CONNECT ";
        if (first != '/' && first != '*' && !authority &&
            !text.substr(method.size()).starts_with(std::string_view("http").substr(0, text.size() - method.size())))
            return Begins::no;
        const std::size_t end = text.find('\n');
        if (end == std::string_view::npos) return text.size() > kStartLineBytesMax ? Begins::no : Begins::maybe;
        std::string_view line = text.substr(0, end);
        if (line.ends_with('\r')) line.remove_suffix(1);
        const std::size_t last = line.rfind(' ');
        if (last < method.size() || !is_version(line.substr(last + 1))) return Begins::no;
        return begins_fields(text.substr(end + 1));
    }
    return Begins::no;
}

Begins begins_response(std::string_view text) {
    constexpr std::string_view kVersion = "HTTP/1.";
    if (!text.starts_with(kVersion.substr(0, text.size()))) return Begins::no;
    if (text.size() < 13) {
        if (text.size() > 7 && !is_digit(text[7])) return Begins::no;
        if (text.size() > 8 && text[8] != ' ') return Begins::no;
        for (std::size_t i = 9; i < 12 && i < text.size(); ++i)
            if (!is_digit(text[i])) return Begins::no;
        return Begins::maybe;
    }
    if (!is_status_begin(text.substr(0, 12)) || (text[12] != ' ' && text[12] != '\r' && text[12] != '\n'))
        return Begins::no;
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) return text.size() > 1024 ? Begins::no : Begins::maybe;
    return begins_fields(text.substr(end + 1));
}

}  // namespace hopscope::decode::stream::http
