// Addresses as the kernel's interfaces hand them out.
#pragma once

#include <netinet/in.h>

#include <optional>

#include "core/endpoint.h"

namespace hopscope {

// IPv4 and IPv6; nothing of another family, or of nullptr.
inline std::optional<IpAddress> address_of(const sockaddr* address) {
    if (!address) return std::nullopt;
    if (address->sa_family == AF_INET) {
        const auto* four = reinterpret_cast<const sockaddr_in*>(address);
        return IpAddress::v4(reinterpret_cast<const std::uint8_t*>(&four->sin_addr));
    }
    if (address->sa_family == AF_INET6) {
        const auto* six = reinterpret_cast<const sockaddr_in6*>(address);
        return IpAddress::v6(six->sin6_addr.s6_addr);
    }
    return std::nullopt;
}

}  // namespace hopscope
