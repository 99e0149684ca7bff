// The parts of an HTTP request target (RFC 9112 section 3.2, RFC 3986), and their percent-encoding undone.
//
// Works on borrowed text and never fails: what is no well-formed escape stays as it is.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/endpoint.h"

namespace hopscope::chain {

// "http://127.0.0.1:42313/exec/abc?x=1" or "/exec/abc?x=1" or "//[::]:33733/exec/abc" (cri-dockerd).
struct UrlParts {
    std::string_view scheme, authority, path, query;  // without "://", "//", "?"; empty where absent
};
UrlParts split_url(std::string_view url);
// The same for the target of a request line, where a leading "//" is part of the path.
UrlParts split_target(std::string_view target);

// Host and port of an authority; nothing for a name, or without a port.
std::optional<Endpoint> endpoint_of(std::string_view authority);

enum class Plus { is_plus, is_space };  // '+' means a space in queries only
std::string percent_decoded(std::string_view text, Plus plus);

// Walks "a=1&b=2": key and value as they stand on the wire, both still encoded.
class QueryReader {
public:
    explicit QueryReader(std::string_view query) : rest_(query) {}
    // False when there is no more.
    bool next();
    [[nodiscard]] std::string_view key() const { return key_; }
    [[nodiscard]] std::string_view value() const { return value_; }

private:
    std::string_view rest_, key_, value_;
};

bool equal_ignoring_case(std::string_view a, std::string_view b);  // ASCII
bool contains_ignoring_case(std::string_view text, std::string_view part);

}  // namespace hopscope::chain
