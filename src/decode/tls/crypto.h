// What TLS needs of libcrypto, and nothing else: key derivation and one direction's record cipher.
//
// Failure of libcrypto (an algorithm that this build or policy lacks) is a false return, never an abort.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "decode/tls/record.h"
#include "decode/tls/suite.h"

struct evp_cipher_ctx_st;

namespace hopscope::decode::tls {

// Key material of at most 48 bytes (SHA-384, TLS 1.2 master secret); wiped when it goes.
class Secret {
public:
    Secret() = default;
    explicit Secret(Bytes bytes);  // longer input is cut: callers check
    Secret(const Secret&) = default;
    Secret& operator=(const Secret&) = default;
    ~Secret() { wipe(); }

    void wipe();
    [[nodiscard]] bool empty() const { return size_ == 0; }
    [[nodiscard]] Bytes bytes() const { return {bytes_.data(), size_}; }

    static constexpr std::size_t kBytesMax = 48;

private:
    std::array<std::uint8_t, kBytesMax> bytes_{};
    std::uint8_t size_ = 0;
};

// HKDF-Expand-Label with empty context (RFC 8446 section 7.1); `label` without "tls13 ".
bool hkdf_expand_label(Hash hash, Bytes secret, std::string_view label, std::span<std::uint8_t> out);
// PRF of TLS 1.2 (RFC 5246 section 5): seed is `seed1` followed by `seed2`.
bool prf(Hash hash, Bytes secret, std::string_view label, Bytes seed1, Bytes seed2, std::span<std::uint8_t> out);

enum class Framing : std::uint8_t { tls12, tls13 };

// Bytes of a record's body that are no content: tag, explicit nonce, and in TLS 1.3 the content type.
std::size_t record_overhead(Aead aead, Framing framing);

// Opens records of one direction under one key. Keeps no sequence number.
class RecordCipher {
public:
    // `key` is key_bytes(aead) long; `iv` 12 bytes, 4 for GCM in TLS 1.2.
    bool init(Aead aead, Framing framing, Bytes key, Bytes iv);
    [[nodiscard]] bool ready() const { return context_ != nullptr; }

    // Decrypts `body` to `out` (room for body.size() bytes) and checks its tag; returns the size of the plaintext, in
    // TLS 1.3 with content type and padding. Nothing, and `out` worthless, when the tag differs.
    [[nodiscard]] std::optional<std::size_t> open(const RecordHeader& header, std::uint64_t sequence, Bytes body,
                                                  std::uint8_t* out);

private:
    struct Free {
        void operator()(evp_cipher_ctx_st* context) const;
    };
    std::unique_ptr<evp_cipher_ctx_st, Free> context_;
    std::array<std::uint8_t, 12> iv_{};
    Framing framing_{};
    std::uint8_t explicit_bytes_ = 0;  // nonce bytes that travel in the record
    std::uint8_t overhead_ = 0;
};

}  // namespace hopscope::decode::tls
