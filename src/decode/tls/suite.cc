#include "decode/tls/suite.h"

#include <algorithm>
#include <cstdio>
#include <iterator>

namespace hopscope::decode::tls {
namespace {

constexpr Aead k128 = Aead::aes128_gcm, k256 = Aead::aes256_gcm, kChaCha = Aead::chacha20_poly1305;
constexpr Hash k2 = Hash::sha256, k3 = Hash::sha384;

// Sorted by id.
constexpr Suite kSuites[] = {
    {0x009c, "TLS_RSA_WITH_AES_128_GCM_SHA256", k128, k2},
    {0x009d, "TLS_RSA_WITH_AES_256_GCM_SHA384", k256, k3},
    {0x009e, "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256", k128, k2},
    {0x009f, "TLS_DHE_RSA_WITH_AES_256_GCM_SHA384", k256, k3},
    {0x00a0, "TLS_DH_RSA_WITH_AES_128_GCM_SHA256", k128, k2},
    {0x00a1, "TLS_DH_RSA_WITH_AES_256_GCM_SHA384", k256, k3},
    {0x00a2, "TLS_DHE_DSS_WITH_AES_128_GCM_SHA256", k128, k2},
    {0x00a3, "TLS_DHE_DSS_WITH_AES_256_GCM_SHA384", k256, k3},
    {0x00a4, "TLS_DH_DSS_WITH_AES_128_GCM_SHA256", k128, k2},
    {0x00a5, "TLS_DH_DSS_WITH_AES_256_GCM_SHA384", k256, k3},
    {0x00a6, "TLS_DH_anon_WITH_AES_128_GCM_SHA256", k128, k2},
    {0x00a7, "TLS_DH_anon_WITH_AES_256_GCM_SHA384", k256, k3},
    {0x00a8, "TLS_PSK_WITH_AES_128_GCM_SHA256", k128, k2},
    {0x00a9, "TLS_PSK_WITH_AES_256_GCM_SHA384", k256, k3},
    {0x00aa, "TLS_DHE_PSK_WITH_AES_128_GCM_SHA256", k128, k2},
    {0x00ab, "TLS_DHE_PSK_WITH_AES_256_GCM_SHA384", k256, k3},
    {0x00ac, "TLS_RSA_PSK_WITH_AES_128_GCM_SHA256", k128, k2},
    {0x00ad, "TLS_RSA_PSK_WITH_AES_256_GCM_SHA384", k256, k3},
    {0x1301, "TLS_AES_128_GCM_SHA256", k128, k2},
    {0x1302, "TLS_AES_256_GCM_SHA384", k256, k3},
    {0x1303, "TLS_CHACHA20_POLY1305_SHA256", kChaCha, k2},
    {0xc02b, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", k128, k2},
    {0xc02c, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", k256, k3},
    {0xc02d, "TLS_ECDH_ECDSA_WITH_AES_128_GCM_SHA256", k128, k2},
    {0xc02e, "TLS_ECDH_ECDSA_WITH_AES_256_GCM_SHA384", k256, k3},
    {0xc02f, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", k128, k2},
    {0xc030, "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", k256, k3},
    {0xc031, "TLS_ECDH_RSA_WITH_AES_128_GCM_SHA256", k128, k2},
    {0xc032, "TLS_ECDH_RSA_WITH_AES_256_GCM_SHA384", k256, k3},
    {0xcca8, "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", kChaCha, k2},
    {0xcca9, "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", kChaCha, k2},
    {0xccaa, "TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256", kChaCha, k2},
    {0xccab, "TLS_PSK_WITH_CHACHA20_POLY1305_SHA256", kChaCha, k2},
    {0xccac, "TLS_ECDHE_PSK_WITH_CHACHA20_POLY1305_SHA256", kChaCha, k2},
    {0xccad, "TLS_DHE_PSK_WITH_CHACHA20_POLY1305_SHA256", kChaCha, k2},
    {0xccae, "TLS_RSA_PSK_WITH_CHACHA20_POLY1305_SHA256", kChaCha, k2},
    {0xd001, "TLS_ECDHE_PSK_WITH_AES_128_GCM_SHA256", k128, k2},
    {0xd002, "TLS_ECDHE_PSK_WITH_AES_256_GCM_SHA384", k256, k3},
};

struct Name {
    std::uint16_t id;
    const char* name;
};

// What is met in practice beside them: CBC, CCM, RC4 and 3DES.
constexpr Name kOthers[] = {
    {0x0004, "TLS_RSA_WITH_RC4_128_MD5"},
    {0x0005, "TLS_RSA_WITH_RC4_128_SHA"},
    {0x000a, "TLS_RSA_WITH_3DES_EDE_CBC_SHA"},
    {0x002f, "TLS_RSA_WITH_AES_128_CBC_SHA"},
    {0x0033, "TLS_DHE_RSA_WITH_AES_128_CBC_SHA"},
    {0x0035, "TLS_RSA_WITH_AES_256_CBC_SHA"},
    {0x0039, "TLS_DHE_RSA_WITH_AES_256_CBC_SHA"},
    {0x003c, "TLS_RSA_WITH_AES_128_CBC_SHA256"},
    {0x003d, "TLS_RSA_WITH_AES_256_CBC_SHA256"},
    {0x0067, "TLS_DHE_RSA_WITH_AES_128_CBC_SHA256"},
    {0x006b, "TLS_DHE_RSA_WITH_AES_256_CBC_SHA256"},
    {0x1304, "TLS_AES_128_CCM_SHA256"},
    {0x1305, "TLS_AES_128_CCM_8_SHA256"},
    {0xc007, "TLS_ECDHE_ECDSA_WITH_RC4_128_SHA"},
    {0xc009, "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA"},
    {0xc00a, "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA"},
    {0xc011, "TLS_ECDHE_RSA_WITH_RC4_128_SHA"},
    {0xc012, "TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA"},
    {0xc013, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA"},
    {0xc014, "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA"},
    {0xc023, "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256"},
    {0xc024, "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384"},
    {0xc027, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256"},
    {0xc028, "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384"},
    {0xc09c, "TLS_RSA_WITH_AES_128_CCM"},
    {0xc09d, "TLS_RSA_WITH_AES_256_CCM"},
    {0xc09e, "TLS_DHE_RSA_WITH_AES_128_CCM"},
    {0xc09f, "TLS_DHE_RSA_WITH_AES_256_CCM"},
    {0xc0ac, "TLS_ECDHE_ECDSA_WITH_AES_128_CCM"},
    {0xc0ad, "TLS_ECDHE_ECDSA_WITH_AES_256_CCM"},
    {0xc0ae, "TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8"},
    {0xc0af, "TLS_ECDHE_ECDSA_WITH_AES_256_CCM_8"},
};

constexpr auto by_id = [](const auto& a, const auto& b) { return a.id < b.id; };
static_assert(std::is_sorted(std::begin(kSuites), std::end(kSuites), by_id));
static_assert(std::is_sorted(std::begin(kOthers), std::end(kOthers), by_id));

template <typename Table>
const auto* find(const Table& table, std::uint16_t id) {
    const auto* at = std::lower_bound(std::begin(table), std::end(table), id,
                                      [](const auto& entry, std::uint16_t wanted) { return entry.id < wanted; });
    return at != std::end(table) && at->id == id ? at : nullptr;
}

}  // namespace

const Suite* find_suite(std::uint16_t id) { return find(kSuites, id); }

std::string suite_name(std::uint16_t id) {
    if (const Suite* suite = find(kSuites, id)) return suite->name;
    if (const Name* other = find(kOthers, id)) return other->name;
    char text[16];
    std::snprintf(text, sizeof text, "suite 0x%04x", unsigned{id});
    return text;
}

}  // namespace hopscope::decode::tls
