#include "chain/url.h"

#include <algorithm>
#include <charconv>

namespace hopscope::chain {
namespace {

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

UrlParts split_path_and_query(std::string_view text) {
    UrlParts parts;
    text = text.substr(0, text.find('#'));
    const auto question = text.find('?');
    parts.path = text.substr(0, question);
    if (question != std::string_view::npos) parts.query = text.substr(question + 1);
    return parts;
}

}  // namespace

UrlParts split_url(std::string_view url) {
    UrlParts parts;
    const auto slashes = url.find("//");
    const bool has_scheme =
        slashes != std::string_view::npos && slashes > 0 && url[slashes - 1] == ':' && url.find('/') == slashes;
    if (has_scheme) parts.scheme = url.substr(0, slashes - 1);
    if (has_scheme || slashes == 0) {
        url.remove_prefix(slashes + 2);
        const auto end = std::min(url.find_first_of("/?#"), url.size());
        parts.authority = url.substr(0, end);
        url.remove_prefix(end);
    }
    const UrlParts rest = split_path_and_query(url);
    parts.path = rest.path;
    parts.query = rest.query;
    return parts;
}

UrlParts split_target(std::string_view target) {
    return target.starts_with('/') ? split_path_and_query(target) : split_url(target);
}

std::optional<Endpoint> endpoint_of(std::string_view authority) {
    const auto colon = authority.rfind(':');
    if (colon == std::string_view::npos) return std::nullopt;
    std::string_view host = authority.substr(0, colon);
    const std::string_view digits = authority.substr(colon + 1);
    if (host.size() >= 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
    const auto address = IpAddress::parse(host);
    std::uint16_t port = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (!address || error != std::errc{} || end != digits.data() + digits.size() || port == 0) return std::nullopt;
    return Endpoint{*address, port};
}

std::string percent_decoded(std::string_view text, Plus plus) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '%' && i + 2 < text.size() && hex_digit(text[i + 1]) >= 0 && hex_digit(text[i + 2]) >= 0) {
            out += static_cast<char>(hex_digit(text[i + 1]) << 4 | hex_digit(text[i + 2]));
            i += 2;
        } else {
            out += text[i] == '+' && plus == Plus::is_space ? ' ' : text[i];
        }
    }
    return out;
}

bool QueryReader::next() {
    while (!rest_.empty()) {
        const auto end = std::min(rest_.find('&'), rest_.size());
        const std::string_view pair = rest_.substr(0, end);
        rest_.remove_prefix(std::min(end + 1, rest_.size()));
        if (pair.empty()) continue;
        const auto equals = pair.find('=');
        key_ = pair.substr(0, equals);
        value_ = equals != std::string_view::npos ? pair.substr(equals + 1) : std::string_view{};
        return true;
    }
    return false;
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) { return lower(x) == lower(y); });
}

bool contains_ignoring_case(std::string_view text, std::string_view part) {
    return std::search(text.begin(), text.end(), part.begin(), part.end(),
                       [](char x, char y) { return lower(x) == lower(y); }) != text.end();
}

}  // namespace hopscope::chain
