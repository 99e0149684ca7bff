#include "core/endpoint.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace hopscope {
namespace {
constexpr std::array<std::uint8_t, 12> kMappedPrefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
}

bool IpAddress::is_v4() const { return std::memcmp(bytes.data(), kMappedPrefix.data(), kMappedPrefix.size()) == 0; }

bool IpAddress::is_loopback() const {
    if (is_v4()) return bytes[12] == 127;
    return std::all_of(bytes.begin(), bytes.end() - 1, [](auto b) { return b == 0; }) && bytes[15] == 1;
}

bool IpAddress::is_unspecified() const {
    const auto first = is_v4() ? bytes.begin() + 12 : bytes.begin();
    return std::all_of(first, bytes.end(), [](auto b) { return b == 0; });
}

IpAddress IpAddress::v4(const std::uint8_t* four) {
    IpAddress address;
    std::memcpy(address.bytes.data(), kMappedPrefix.data(), kMappedPrefix.size());
    std::memcpy(address.bytes.data() + 12, four, 4);
    return address;
}

IpAddress IpAddress::v6(const std::uint8_t* sixteen) {
    IpAddress address;
    std::memcpy(address.bytes.data(), sixteen, 16);
    return address;
}

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
    const std::string terminated(text);
    std::uint8_t raw[16];
    if (inet_pton(AF_INET, terminated.c_str(), raw) == 1) return v4(raw);
    if (inet_pton(AF_INET6, terminated.c_str(), raw) == 1) return v6(raw);
    return std::nullopt;
}

std::string to_string(const IpAddress& address) {
    char buffer[INET6_ADDRSTRLEN];
    if (address.is_v4()) {
        // inet_ntop() goes through sprintf(): ten times as long, twice per line of a session.
        char* end = buffer;
        for (std::size_t i = 12; i < address.bytes.size(); ++i) {
            if (i > 12) *end++ = '.';
            end = std::to_chars(end, end + 3, address.bytes[i]).ptr;
        }
        return {buffer, end};
    }
    inet_ntop(AF_INET6, address.bytes.data(), buffer, sizeof buffer);
    return buffer;
}

std::string to_string(const Endpoint& endpoint) {
    const std::string port = std::to_string(endpoint.port);
    if (endpoint.address.is_v4()) return to_string(endpoint.address) + ":" + port;
    return "[" + to_string(endpoint.address) + "]:" + port;
}

}  // namespace hopscope
