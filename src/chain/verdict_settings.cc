#include "chain/verdict_settings.h"

#include <charconv>

#include "chain/node_index.h"
#include "core/limits.h"

namespace hopscope::chain {
namespace {

bool is_separator(char c) {
    return c == ',' || c == '[' || c == ']' || c == '"' || c == '\'' || c == ' ' || c == '\t' || c == '\n';
}

std::optional<std::uint16_t> port_in(std::string_view text) {
    std::uint16_t port = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return port;
}

// "[::1]:10" and "[::1]" begin with what also separates array elements.
bool begins_v6(std::string_view text) {
    const std::size_t end = text.find(']');
    return text.starts_with('[') && end != std::string_view::npos && IpAddress::parse(text.substr(1, end - 1));
}

std::optional<ListenPlace> place_in(std::string_view text) {
    ListenPlace place;
    if (const std::size_t at = text.find("://"); at != std::string_view::npos) {
        place.scheme = std::string(text.substr(0, at));
        text.remove_prefix(at + 3);
    }
    if (const std::size_t at = text.substr(0, text.find('/')).rfind('@'); at != std::string_view::npos && at > 0)
        text.remove_prefix(at + 1);  // users are no part of the place
    if (place.scheme == "unix" || text.starts_with('/') || text.starts_with('@')) {
        place.scheme = "unix";
        place.unix_path = std::string(text);
        return place;
    }
    if (const std::size_t slash = text.find('/'); slash != std::string_view::npos) text = text.substr(0, slash);
    std::string_view host = text;
    if (begins_v6(text)) {
        const std::size_t end = text.find(']');
        host = text.substr(1, end - 1);
        text.remove_prefix(end + 1);
        if (text.starts_with(':')) {
            const auto port = port_in(text.substr(1));
            if (!port) return std::nullopt;
            place.port = *port;
        }
    } else if (const std::size_t colon = text.rfind(':'); colon != std::string_view::npos && text.find(':') == colon) {
        host = text.substr(0, colon);
        const auto port = port_in(text.substr(colon + 1));
        if (!port) return std::nullopt;
        place.port = *port;
    }
    if (host == "localhost") host = "127.0.0.1";
    place.address = IpAddress::parse(host);
    place.named_host = !place.address && !host.empty() && host != "*";
    return place;
}

}  // namespace

std::string_view plain(const ConfigValue& value) {
    std::string_view text = value.value.raw();
    while (!text.empty() && (text.front() == ' ' || text.front() == '"' || text.front() == '\'')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '"' || text.back() == '\'')) text.remove_suffix(1);
    return text;
}

std::string words_of(const ConfigValue& value) {
    const std::string shown = elide_end(display(plain(value)), kShownColumns);
    // TOML writes texts in quotes, and so do we where we quote it; the settings of its readers have '_' in their names.
    const bool toml = value.source.raw().ends_with(".toml") || value.key.find('_') != std::string::npos;
    const bool bare = shown == "true" || shown == "false" || shown.starts_with('[');
    const bool quotes = shown.empty() || (toml && !bare);
    return display(value.key) + " = " + (quotes ? "\"" + shown + "\"" : shown);
}

std::string source_of(const ConfigValue& value) {
    if (value.source.empty()) return "default";
    std::string source = elide_middle(display(value.source), kShownColumns);
    if (value.line != 0) source += ":" + std::to_string(value.line);
    return source;
}

std::string cite(const ConfigValue& value) { return words_of(value) + " (" + source_of(value) + ")"; }

bool is_assumed(const ConfigValue& value, const ComponentConfig* config) {
    return value.is_default && config && !config->trouble.empty();
}

std::string cite(const ConfigValue& value, const ComponentConfig* config) {
    if (!is_assumed(value, config)) return cite(value);
    return words_of(value) + " (default, assumed: " + config->trouble.front() + ")";
}

std::string how_to_read(const ComponentConfig* config) {
    if (!config || config->trouble.empty()) return "";
    const std::string& trouble = config->trouble.front();
    const auto says = [&](std::string_view words) { return trouble.find(words) != std::string::npos; };
    std::string text =
        says("ermission denied") || says("not permitted") ? "run as root, so that its settings can be read"
        : says("No such file") ? "put back the file that it was started with; or, where it lies outside "
                                 "of the root that is looked at, choose another --host-root"
                               : "repair the file: it was started with another, or with what stood there "
                                 "then";
    if (config->role == ProcessRole::kubelet)
        text += "; kubectl get --raw /api/v1/nodes/NODE/proxy/configz tells what is in force";
    return text;
}

std::optional<std::uint16_t> number_of(const ConfigValue& value) { return port_in(plain(value)); }

bool is_true(const ConfigValue& value) {
    const std::string_view text = plain(value);
    return text == "true" || text == "True" || text == "TRUE" || text == "1" || text == "t" || text == "yes";
}

std::vector<ListenPlace> places_of(std::string_view value) {
    std::vector<ListenPlace> places;
    std::size_t at = 0;
    while (at < value.size() && places.size() < limits::kVerdictPlacesMax) {
        if (is_separator(value[at]) && !begins_v6(value.substr(at))) {
            ++at;
            continue;
        }
        std::size_t end = at;
        if (begins_v6(value.substr(at))) end = value.find(']', at) + 1;
        // "http://[::1]:2379": the brackets are inside.
        while (end < value.size() && !is_separator(value[end])) ++end;
        const std::string_view before = value.substr(at, end - at);
        if (end < value.size() && value[end] == '[' && (before.ends_with("://") || before.ends_with('@')) &&
            begins_v6(value.substr(end))) {
            end = value.find(']', end) + 1;
            while (end < value.size() && !is_separator(value[end])) ++end;
        }
        if (auto place = place_in(value.substr(at, end - at))) places.push_back(std::move(*place));
        at = end;
    }
    return places;
}

bool same_port(const ListenPlace& place, const Endpoint& endpoint) {
    return place.unix_path.empty() && place.port != 0 && place.port == endpoint.port;
}

bool same_address(const ListenPlace& place, const IpAddress& address) {
    if (place.named_host) return true;  // cannot be told here
    if (!place.address || place.address->is_unspecified()) return address.is_unspecified();
    if (place.address->is_loopback() && address.is_loopback()) return true;  // "localhost" may be either
    return *place.address == address;
}

}  // namespace hopscope::chain
