// SHA-256 (FIPS 180-4) of a short text: containerd names the sockets of its shims by it. Not for secrets.
#pragma once

#include <string>
#include <string_view>

namespace hopscope::chain {

// 64 lower-case hexadecimal digits.
std::string sha256_hex(std::string_view text);

}  // namespace hopscope::chain
