// What a socket speaks.
#pragma once

#include <cstdint>
#include <string_view>

namespace hopscope {

enum class Transport : std::uint8_t { tcp, udp, unix_stream, unix_seqpacket, unix_dgram };
std::string_view to_string(Transport transport);  // "tcp" "udp" "unix" …

}  // namespace hopscope
