#include "record/http_head_masker.h"

#include <algorithm>
#include <cctype>
#include <charconv>

#include "chain/url.h"
#include "record/docker_masker.h"

namespace hopscope::record {
namespace {

bool equals_ignoring_case(std::string_view a, std::string_view b) {
    return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) {
               return std::tolower(static_cast<unsigned char>(x)) == std::tolower(static_cast<unsigned char>(y));
           });
}

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r')) text.remove_suffix(1);
    return text;
}

// Headers whose values say how the bytes are framed and who talks, not what is said.
bool harmless_header(std::string_view name) {
    for (std::string_view each : {"Host",
                                  "User-Agent",
                                  "Connection",
                                  "Upgrade",
                                  "Content-Length",
                                  "Transfer-Encoding",
                                  "Content-Type",
                                  "X-Stream-Protocol-Version",
                                  "X-Accepted-Stream-Protocol-Versions",
                                  "Sec-WebSocket-Version",
                                  "Sec-WebSocket-Key",
                                  "Sec-WebSocket-Accept",
                                  "Sec-WebSocket-Extensions",
                                  "Kubectl-Command",
                                  "Kubectl-Session",
                                  "X-Forwarded-For",
                                  "Date",
                                  "Server",
                                  "Accept",
                                  "Accept-Encoding",
                                  "Allow",
                                  "X-Content-Type-Options",
                                  "Retry-After",
                                  "Cache-Control",
                                  "Vary"}) {
        if (equals_ignoring_case(name, each)) return true;
    }
    return false;
}

// "POST /exec/…  HTTP/1.1": anything else at this place is content, for instance of a connection that was joined late.
bool is_request_line(std::string_view line) {
    line = trimmed(line);
    const std::size_t first = line.find(' '), last = line.rfind(' ');
    return first != std::string_view::npos && first > 0 && last > first &&
           line.substr(last + 1).starts_with("HTTP/1.") && line.substr(last + 1).size() == 8 &&
           std::all_of(line.begin(), line.begin() + static_cast<std::ptrdiff_t>(first),
                       [](char c) { return c >= 'A' && c <= 'Z'; });
}

bool is_status_line(std::string_view line) {
    return line.size() >= 12 && line.starts_with("HTTP/1.") && line[8] == ' ' &&
           std::all_of(line.begin() + 9, line.begin() + 12, [](char c) { return c >= '0' && c <= '9'; });
}

// The value of a query's command word as its stand-in, as long as it was on the wire: where it held escapes, letters
// are written as such.
std::string stand_in_of(std::string_view encoded, Pseudonyms& pseudonyms) {
    const std::string word = pseudonyms.of_word(chain::percent_decoded(encoded, chain::Plus::is_space), 'x');
    constexpr std::string_view kHex = "0123456789ABCDEF";
    std::size_t left = encoded.size() - word.size();
    std::string out;
    for (const char c : word) {
        if (left >= 2) {
            const auto byte = static_cast<unsigned char>(c);
            out += {'%', kHex[byte >> 4], kHex[byte & 15]};
            left -= 2;
        } else {
            out += c;
        }
    }
    return out;
}

void mask_request_line(MaskPlan& plan, std::uint64_t at, std::string_view line, HttpHead& head, Pseudonyms& pseudonyms,
                       MaskCounts& counts) {
    const std::size_t first = line.find(' ');
    const std::size_t last = line.rfind(' ');
    if (first == std::string_view::npos || last <= first) return;
    std::string changed(line);
    std::string_view target = line.substr(first + 1, last - first - 1);
    const std::size_t query = target.find('?');
    const std::string_view path = target.substr(0, query);
    head.path = path;
    head.docker_bodies = has_docker_bodies(line.substr(0, first), target);
    // /exec/TOKEN, /cri/exec/TOKEN: exactly one segment after the operation is a token
    for (std::string_view op : {"/exec/", "/attach/", "/portforward/"}) {
        const std::size_t found = path.rfind(op);
        if (found == std::string_view::npos) continue;
        const std::string_view token = path.substr(found + op.size());
        if (token.empty() || token.find('/') != std::string_view::npos) continue;
        const std::string name = pseudonyms.of(std::string(token));
        changed.replace(first + 1 + found + op.size(), name.size(), name);
        ++counts.tokens;
    }
    if (query != std::string_view::npos) {
        std::size_t begin = query + 1;
        while (begin < target.size()) {
            const std::size_t end = std::min(target.find('&', begin), target.size());
            const std::string_view pair = target.substr(begin, end - begin);
            const std::size_t equal = pair.find('=');
            const std::string_view key = pair.substr(0, equal);
            static constexpr std::string_view kShown[] = {
                "container", "stdin", "stdout", "stderr",    "tty",      "input", "output", "error",
                "port",      "ports", "follow", "tailLines", "previous", "h",     "w",      "stream"};
            const bool shown = std::find(std::begin(kShown), std::end(kShown), key) != std::end(kShown);
            if (!shown && equal != std::string_view::npos) {
                const bool command = key == "command" || key == "cmd";
                const std::string_view value = pair.substr(equal + 1);
                changed.replace(first + 1 + begin + equal + 1, value.size(),
                                command ? stand_in_of(value, pseudonyms) : std::string(value.size(), 'x'));
                ++(command ? counts.commands : counts.auth);
            }
            begin = end + 1;
        }
    }
    plan.edit(at, std::move(changed));
}

}  // namespace

std::optional<HttpHead> mask_http_head(MaskPlan& plan, std::uint64_t at, std::string_view text, Direction direction,
                                       Pseudonyms& pseudonyms, MaskCounts& counts) {
    const bool request = direction == Direction::to_server;
    const std::string_view begin = text.substr(0, text.find('\n'));
    if (request ? !is_request_line(begin) : !is_status_line(begin)) return std::nullopt;
    HttpHead head;
    std::size_t line_at = 0;
    bool first = true;
    while (line_at < text.size()) {
        const std::size_t newline = std::min(text.find('\n', line_at), text.size() - 1);
        const std::string_view line = text.substr(line_at, newline - line_at);
        const std::uint64_t line_offset = at + line_at;
        const std::uint64_t next_offset = at + newline + 1;
        if (first) {
            plan.keep(line_offset, next_offset);
            if (request) {
                mask_request_line(plan, line_offset, line, head, pseudonyms, counts);
                head.is_head = line.starts_with("HEAD ");
            } else if (const std::size_t space = line.find(' '); space != std::string_view::npos) {
                const std::string_view code = line.substr(space + 1);
                std::from_chars(code.data(), code.data() + code.size(), head.status);
            }
            first = false;
        } else if (const std::size_t colon = line.find(':');
                   colon != std::string_view::npos && line[0] != ' ' && line[0] != '\t') {
            const std::string_view name = trimmed(line.substr(0, colon));
            const std::string_view value = trimmed(line.substr(colon + 1));
            // A websocket subprotocol can be a bearer token in disguise.
            const bool protocol = equals_ignoring_case(name, "Sec-WebSocket-Protocol");
            const bool bearer = protocol && value.find("base64url.bearer.") != std::string_view::npos;
            if (harmless_header(name) || (protocol && !bearer)) {
                plan.keep(line_offset, next_offset);
            } else {
                plan.keep(line_offset, line_offset + colon + 1);
                if (newline + 1 - line_at >= 2) {
                    const bool carriage = !line.empty() && line.back() == '\r';
                    plan.keep(next_offset - (carriage ? 2 : 1), next_offset);
                }
                ++counts.auth;
            }
            if (equals_ignoring_case(name, "Content-Length")) {
                std::uint64_t length = 0;
                if (std::from_chars(value.data(), value.data() + value.size(), length).ec == std::errc{})
                    head.length = length;
                else
                    head.length.reset();
            }
            if (equals_ignoring_case(name, "Transfer-Encoding"))
                head.chunked = value.find("chunked") != std::string_view::npos;
            if (equals_ignoring_case(name, "Upgrade")) {
                head.upgrade = true;
                head.carrier = value;
                std::transform(head.carrier.begin(), head.carrier.end(), head.carrier.begin(),
                               [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
            }
            if (protocol) head.subprotocol = value;
        } else if (trimmed(line).empty()) {
            plan.keep(line_offset, next_offset);  // the end of the head
        } else {
            plan.keep(next_offset - 1, next_offset);  // a folded value: of which header, does not matter
        }
        line_at = newline + 1;
    }
    return head;
}

}  // namespace hopscope::record
