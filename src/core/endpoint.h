// Who talks: IP endpoints, unix-socket endpoints, and the small integers that stand for a connection.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace hopscope {

// IPv4 or IPv6 in 16 bytes. IPv4 is kept as ::ffff:a.b.c.d, so an IPv4-mapped address and the plain one are equal.
struct IpAddress {
    std::array<std::uint8_t, 16> bytes{};

    auto operator<=>(const IpAddress&) const = default;
    [[nodiscard]] bool is_v4() const;
    [[nodiscard]] bool is_loopback() const;
    [[nodiscard]] bool is_unspecified() const;
    static IpAddress v4(const std::uint8_t* four);
    static IpAddress v6(const std::uint8_t* sixteen);
    // "127.0.0.1" or "fe80::1"; no port, no zone, no brackets.
    static std::optional<IpAddress> parse(std::string_view text);
};
// "127.0.0.1", "::1"; mapped addresses print as IPv4.
std::string to_string(const IpAddress& address);

struct Endpoint {
    IpAddress address;
    std::uint16_t port = 0;
    auto operator<=>(const Endpoint&) const = default;
};
// "127.0.0.1:42313", "[::1]:10010".
std::string to_string(const Endpoint& endpoint);

// One end of a unix socket. `path` is empty for an unbound end, begins with '@' for the abstract namespace.
struct UnixEndpoint {
    std::string path;
    std::uint64_t inode = 0;  // 0: unknown
    auto operator<=>(const UnixEndpoint&) const = default;
};

// Small integer for one connection of this run, given in order of first packet, never reused.
using FlowId = std::uint32_t;

// Which way bytes travel. to_server is "in" (toward the container), to_client is "out".
enum class Direction : std::uint8_t { to_server, to_client };
inline Direction opposite(Direction d) {
    return d == Direction::to_server ? Direction::to_client : Direction::to_server;
}
inline std::size_t index_of(Direction d) { return static_cast<std::size_t>(d); }

}  // namespace hopscope
