// Cipher suites (IANA "TLS Cipher Suites"): those that can be decrypted, and names for the others.
#pragma once

#include <cstdint>
#include <string>

namespace hopscope::decode::tls {

enum class Aead : std::uint8_t { aes128_gcm, aes256_gcm, chacha20_poly1305 };
enum class Hash : std::uint8_t { sha256, sha384 };  // of HKDF in TLS 1.3, of the PRF in TLS 1.2

struct Suite {
    std::uint16_t id = 0;
    const char* name = "";
    Aead aead{};
    Hash hash{};
};

inline std::size_t key_bytes(Aead aead) { return aead == Aead::aes128_gcm ? 16 : 32; }
inline std::size_t hash_bytes(Hash hash) { return hash == Hash::sha256 ? 32 : 48; }

// A suite that can be decrypted, or null.
const Suite* find_suite(std::uint16_t id);
// "TLS_AES_128_GCM_SHA256"; "suite 0x1234" where the name is not known here.
std::string suite_name(std::uint16_t id);

}  // namespace hopscope::decode::tls
