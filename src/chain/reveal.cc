#include "chain/reveal.h"

#include <algorithm>
#include <array>
#include <optional>

#include "chain/mask.h"
#include "chain/routes.h"
#include "chain/suggest.h"
#include "chain/url.h"

namespace hopscope::chain {
namespace {

struct SecretName {
    std::string_view name;
    std::uint16_t bits;
};

constexpr std::uint16_t bits_of(Secret secret) { return static_cast<std::uint16_t>(secret); }

constexpr std::uint16_t kPayloadBits =
    bits_of(Secret::payload) | bits_of(Secret::out) | bits_of(Secret::err) | bits_of(Secret::data);
constexpr std::array<SecretName, 10> kSecrets{{
    {"payload", kPayloadBits},
    {"stdin", bits_of(Secret::in)},
    {"stdout", bits_of(Secret::out)},
    {"stderr", bits_of(Secret::err)},
    {"data", bits_of(Secret::data)},
    {"auth", bits_of(Secret::auth)},
    {"token", bits_of(Secret::token)},
    {"command", bits_of(Secret::command)},
    {"cri", bits_of(Secret::cri)},
    {"all", kPayloadBits | bits_of(Secret::in) | bits_of(Secret::auth) | bits_of(Secret::token) |
                bits_of(Secret::command) | bits_of(Secret::cri)},
}};

Unexpected<Error> unknown_secret(std::string_view item) {
    std::array<std::string_view, kSecrets.size()> names;
    std::transform(kSecrets.begin(), kSecrets.end(), names.begin(), [](const SecretName& s) { return s.name; });
    std::string hint = "choose from";
    for (const std::string_view name : names) hint += " " + std::string(name);
    std::string why = "there is no such class of secrets";
    if (const std::string_view meant = closest(item, names); !meant.empty())
        why += "; did you mean '" + std::string(meant) + "'?";
    return unexpected({.doing = "cannot reveal",
                       .subject = std::string(item),
                       .why = std::move(why),
                       .hint = std::move(hint),
                       .code = "SEC-01"});
}

// --- request targets

// Which class the value of this query key belongs to; nothing for harmless ones.
std::optional<Secret> secret_of_key(std::string_view raw_key) {
    const std::string key = percent_decoded(raw_key, Plus::is_space);
    for (const std::string_view word : {"command", "cmd"}) {
        if (equal_ignoring_case(key, word)) return Secret::command;
    }
    for (const std::string_view word :
         {"token", "secret", "password", "passwd", "bearer", "authorization", "api_key", "apikey", "api-key"}) {
        if (contains_ignoring_case(key, word)) return Secret::auth;  // access_token, id_token, client_secret …
    }
    return std::nullopt;
}

std::string masked_query(std::string_view query, const Reveal& reveal, Glyphs glyphs) {
    std::string out;
    while (!query.empty()) {
        const auto end = std::min(query.find_first_of("&;"), query.size());  // older servers take ';' for '&'
        const std::string_view pair = query.substr(0, end);
        const auto equals = pair.find('=');
        const auto secret = secret_of_key(pair.substr(0, equals));
        if (equals != std::string_view::npos && secret && !reveal.shows(*secret)) {
            out += pair.substr(0, equals + 1);
            out += mask_word(glyphs);
        } else {
            out += pair;
        }
        if (end < query.size()) out += query[end];
        query.remove_prefix(std::min(end + 1, query.size()));
    }
    return out;
}

bool is_streaming_word(std::string_view raw_segment) {
    const std::string word = percent_decoded(raw_segment, Plus::is_plus);
    return equal_ignoring_case(word, "exec") || equal_ignoring_case(word, "attach") ||
           equal_ignoring_case(word, "portforward");
}

// Where the token of a path stands: what follows exec, attach or portforward, whatever the prefix. Empty: nowhere.
// Wider than parse_route(): a request that no server would accept may still show somebody's token.
std::string_view token_in(std::string_view path) {
    const PathSegments segments = split_path(path);
    const bool whole = segments.count <= PathSegments::kSegmentsMax;
    const std::string_view first = whole ? segments.from_end(segments.count) : std::string_view{};
    if (first == "api" || first == "apis") return {};
    if (is_streaming_word(segments.from_end(2))) return segments.from_end(1);
    if (is_streaming_word(segments.from_end(3)) && has_token_form(segments.from_end(2)) &&
        segments.from_end(3) != "portForward")
        return segments.from_end(2);
    return {};
}

std::string masked_target(std::string_view target, const Reveal& reveal, Glyphs glyphs) {
    const UrlParts url = split_target(target);
    std::string out;
    const auto upto = [&](const char* end) { return target.substr(0, static_cast<std::size_t>(end - target.data())); };
    std::string_view head =
        url.path.empty() ? (url.query.empty() ? target : upto(url.query.data() - 1)) : upto(url.path.data());
    if (const auto at = url.authority.rfind('@'); at != std::string_view::npos && !reveal.shows(Secret::auth)) {
        const std::size_t user = static_cast<std::size_t>(url.authority.data() - target.data());
        out += std::string(head.substr(0, user)) + mask_word(glyphs) + std::string(head.substr(user + at));
    } else {
        out += head;
    }
    const std::string_view token = reveal.shows(Secret::token) ? std::string_view{} : token_in(url.path);
    if (token.empty()) {
        out += url.path;
    } else {
        const auto before = static_cast<std::size_t>(token.data() - url.path.data());
        out += std::string(url.path.substr(0, before)) + mask_token(token, glyphs) +
               std::string(url.path.substr(before + token.size()));
    }
    if (target.find('?') != std::string_view::npos) out += "?" + masked_query(url.query, reveal, glyphs);
    return out;
}

// --- headers

std::string masked_credentials(std::string_view value, Glyphs glyphs) {
    // "Bearer abc": the scheme is no secret.
    const auto space = value.find(' ');
    const std::string_view scheme = value.substr(0, space);
    const bool named = space != std::string_view::npos && scheme.size() <= 16 &&
                       std::all_of(scheme.begin(), scheme.end(),
                                   [](char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-'; });
    return (named ? std::string(scheme) + " " : std::string()) + mask_word(glyphs);
}

// Browsers cannot set Authorization on a WebSocket, so the bearer token comes as a protocol.
std::string masked_protocols(std::string_view value, Glyphs glyphs) {
    constexpr std::string_view kBearer = "base64url.bearer.authorization.k8s.io.";
    std::string out;
    while (!value.empty()) {
        const auto end = std::min(value.find(','), value.size());
        const std::string_view item = value.substr(0, end);
        const auto start = std::min(item.find_first_not_of(" \t"), item.size());
        if (equal_ignoring_case(item.substr(start, kBearer.size()), kBearer))
            out += std::string(item.substr(0, start + kBearer.size())) + mask_word(glyphs);
        else
            out += item;
        if (end < value.size()) out += ',';
        value.remove_prefix(std::min(end + 1, value.size()));
    }
    return out;
}

bool holds_credentials(std::string_view name) {
    for (const std::string_view word : {"authorization", "cookie", "token", "secret", "api-key", "password"}) {
        if (contains_ignoring_case(name, word)) return true;
    }
    return false;
}

bool holds_target(std::string_view name) {
    for (const std::string_view word :
         {"location", "content-location", "referer", ":path", "x-original-uri", "x-original-url", "x-forwarded-uri"}) {
        if (equal_ignoring_case(name, word)) return true;
    }
    return false;
}

// A word as a shell would need it.
std::string quoted_word(const std::string& word) {
    const bool plain =
        !word.empty() &&
        word.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-+=./:,@%") ==
            std::string::npos;
    if (plain) return word;
    std::string out = "'";
    for (const char c : word) {
        if (c == '\'')
            out += "'\\''";
        else
            out += c;
    }
    return out + "'";
}

}  // namespace

Result<Reveal> Reveal::parse(std::string_view list) {
    Reveal reveal;
    while (!list.empty()) {
        const auto end = std::min(list.find_first_of(", "), list.size());
        const std::string_view item = list.substr(0, end);
        list.remove_prefix(std::min(end + 1, list.size()));
        if (item.empty()) continue;
        const auto known =
            std::find_if(kSecrets.begin(), kSecrets.end(), [&](const SecretName& s) { return s.name == item; });
        if (known == kSecrets.end()) return unknown_secret(item);
        reveal.bits_ = static_cast<std::uint16_t>(reveal.bits_ | known->bits);
    }
    return reveal;
}

bool Reveal::shows(StreamKind kind) const {
    switch (kind) {
        case StreamKind::in: return shows(Secret::in);
        case StreamKind::out: return shows(Secret::payload) || shows(Secret::out);
        case StreamKind::err: return shows(Secret::payload) || shows(Secret::err);
        case StreamKind::data: return shows(Secret::payload) || shows(Secret::data);
        case StreamKind::unknown: return shows(Secret::payload) && shows(Secret::in);
        case StreamKind::error:
        case StreamKind::resize: return false;
    }
    return false;
}

std::string shown_token(const Token& token, const Reveal& reveal, Glyphs glyphs) {
    const std::string& value = token.value.raw();
    return display(reveal.shows(Secret::token) ? value : mask_token(value, glyphs), glyphs);
}

std::string shown_target(const Untrusted& target, const Reveal& reveal, Glyphs glyphs) {
    return display(masked_target(target.raw(), reveal, glyphs), glyphs);
}

std::string shown_header(std::string_view name, std::string_view value, const Reveal& reveal, Glyphs glyphs) {
    if (holds_target(name)) return display(masked_target(value, reveal, glyphs), glyphs);
    if (reveal.shows(Secret::auth)) return display(value, glyphs);
    if (equal_ignoring_case(name, "sec-websocket-protocol")) return display(masked_protocols(value, glyphs), glyphs);
    if (holds_credentials(name)) return display(masked_credentials(value, glyphs), glyphs);
    return display(value, glyphs);
}

std::string shown_command(const std::vector<Untrusted>& command, const Reveal& reveal, Glyphs glyphs) {
    if (command.empty()) return {};
    if (!reveal.shows(Secret::command))
        return mask_word(glyphs) + " (" + std::to_string(command.size()) + (command.size() == 1 ? " arg)" : " args)");
    std::string out;
    for (const Untrusted& word : command) out += (out.empty() ? "" : " ") + quoted_word(word.raw());
    return display(out, glyphs);
}

std::string shown_status_text(std::string_view text, const Reveal& reveal, Glyphs glyphs) {
    return display(masked_text(text, reveal.shows(Secret::command), reveal.shows(Secret::token),
                               reveal.shows(Secret::auth), glyphs),
                   glyphs);
}

}  // namespace hopscope::chain
