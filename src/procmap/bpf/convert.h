// What the programs in the kernel tell, in our words: shared by scanner and watchers.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "core/endpoint.h"

namespace hopscope::procmap {

// `address`: 16 bytes in network order, as four words of the kernel.
inline Endpoint endpoint_of(const std::uint32_t (&address)[4], std::uint16_t port) {
    Endpoint endpoint;
    std::memcpy(endpoint.address.bytes.data(), address, sizeof address);
    endpoint.port = port;
    return endpoint;
}

// sun_path as bind got it: a path ends at its first zero byte; an abstract name begins with one, shown as '@', and may
// hold more of them.
inline std::string unix_path(std::string_view sun_path) {
    if (sun_path.empty()) return {};
    if (sun_path.front() != '\0') return std::string(sun_path.substr(0, sun_path.find('\0')));
    std::string name(sun_path);
    name.front() = '@';
    return name;
}

// Text of a fixed field that ends at a zero byte or at its own end.
inline std::string_view field_text(const char* field, std::size_t size) {
    const std::string_view all(field, size);
    return all.substr(0, all.find('\0'));
}

// USER_HZ is 100 on every architecture that we build for; /proc/PID/stat field 22 counts in it.
inline std::uint64_t start_ticks(std::uint64_t start_boot_ns) { return start_boot_ns / 10'000'000; }

}  // namespace hopscope::procmap
