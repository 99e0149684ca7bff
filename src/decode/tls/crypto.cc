#include "decode/tls/crypto.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include <algorithm>

namespace hopscope::decode::tls {
namespace {

constexpr std::size_t kTagBytes = 16;
constexpr std::size_t kExplicitNonceBytes = 8;

bool has_explicit_nonce(Aead aead, Framing framing) {
    return framing == Framing::tls12 && aead != Aead::chacha20_poly1305;
}

// OSSL_PARAM takes pointers to non-const, but does not write through these.
OSSL_PARAM octets(const char* name, Bytes bytes) {
    return OSSL_PARAM_construct_octet_string(name, const_cast<std::uint8_t*>(bytes.data()), bytes.size());
}
OSSL_PARAM digest_of(Hash hash) {
    const char* name = hash == Hash::sha256 ? "SHA256" : "SHA384";
    return OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, const_cast<char*>(name), 0);
}

bool derive(const char* algorithm, const OSSL_PARAM* params, std::span<std::uint8_t> out) {
    EVP_KDF* kdf = EVP_KDF_fetch(nullptr, algorithm, nullptr);
    EVP_KDF_CTX* context = EVP_KDF_CTX_new(kdf);
    EVP_KDF_free(kdf);
    const bool done = context && EVP_KDF_derive(context, out.data(), out.size(), params) == 1;
    EVP_KDF_CTX_free(context);
    return done;
}

const EVP_CIPHER* cipher_of(Aead aead) {
    switch (aead) {
        case Aead::aes128_gcm: return EVP_aes_128_gcm();
        case Aead::aes256_gcm: return EVP_aes_256_gcm();
        case Aead::chacha20_poly1305: return EVP_chacha20_poly1305();
    }
    return nullptr;
}

void put_be16(std::uint8_t* at, std::uint16_t value) {
    at[0] = static_cast<std::uint8_t>(value >> 8);
    at[1] = static_cast<std::uint8_t>(value);
}
void put_be64(std::uint8_t* at, std::uint64_t value) {
    value = __builtin_bswap64(value);
    std::memcpy(at, &value, sizeof value);
}

}  // namespace

Secret::Secret(Bytes bytes) : size_(static_cast<std::uint8_t>(std::min(bytes.size(), kBytesMax))) {
    std::copy_n(bytes.begin(), size_, bytes_.begin());
}

void Secret::wipe() {
    OPENSSL_cleanse(bytes_.data(), bytes_.size());
    size_ = 0;
}

bool hkdf_expand_label(Hash hash, Bytes secret, std::string_view label, std::span<std::uint8_t> out) {
    constexpr std::string_view kPrefix = "tls13 ";
    std::array<std::uint8_t, 64> info{};
    const std::size_t label_bytes = kPrefix.size() + label.size();
    if (label_bytes + 4 > info.size() || out.size() > 0xffff) return false;
    put_be16(info.data(), static_cast<std::uint16_t>(out.size()));
    info[2] = static_cast<std::uint8_t>(label_bytes);
    std::copy(kPrefix.begin(), kPrefix.end(), info.begin() + 3);
    std::copy(label.begin(), label.end(), info.begin() + 3 + kPrefix.size());
    // The last byte stays 0: the context is empty.

    int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
    const OSSL_PARAM params[] = {
        digest_of(hash), OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode), octets(OSSL_KDF_PARAM_KEY, secret),
        octets(OSSL_KDF_PARAM_INFO, Bytes(info).first(label_bytes + 4)), OSSL_PARAM_construct_end()};
    return derive("HKDF", params, out);
}

bool prf(Hash hash, Bytes secret, std::string_view label, Bytes seed1, Bytes seed2, std::span<std::uint8_t> out) {
    // Several seeds are taken one after the other.
    const OSSL_PARAM params[] = {digest_of(hash),
                                 octets(OSSL_KDF_PARAM_SECRET, secret),
                                 octets(OSSL_KDF_PARAM_SEED, as_bytes(label)),
                                 octets(OSSL_KDF_PARAM_SEED, seed1),
                                 octets(OSSL_KDF_PARAM_SEED, seed2),
                                 OSSL_PARAM_construct_end()};
    return derive("TLS1-PRF", params, out);
}

std::size_t record_overhead(Aead aead, Framing framing) {
    return kTagBytes + (framing == Framing::tls13 ? 1 : 0) +
           (has_explicit_nonce(aead, framing) ? kExplicitNonceBytes : 0);
}

void RecordCipher::Free::operator()(evp_cipher_ctx_st* context) const { EVP_CIPHER_CTX_free(context); }

bool RecordCipher::init(Aead aead, Framing framing, Bytes key, Bytes iv) {
    context_.reset();
    const bool explicit_nonce = has_explicit_nonce(aead, framing);
    if (key.size() != key_bytes(aead) || iv.size() != (explicit_nonce ? 4 : 12)) return false;
    framing_ = framing;
    explicit_bytes_ = explicit_nonce ? kExplicitNonceBytes : 0;
    overhead_ = static_cast<std::uint8_t>(record_overhead(aead, framing));
    iv_ = {};
    std::copy(iv.begin(), iv.end(), iv_.begin());
    std::unique_ptr<evp_cipher_ctx_st, Free> context(EVP_CIPHER_CTX_new());
    if (!context || EVP_DecryptInit_ex(context.get(), cipher_of(aead), nullptr, key.data(), nullptr) != 1) return false;
    context_ = std::move(context);
    return true;
}

std::optional<std::size_t> RecordCipher::open(const RecordHeader& header, std::uint64_t sequence, Bytes body,
                                              std::uint8_t* out) {
    if (!context_ || body.size() < overhead_) return std::nullopt;
    const Bytes sealed = body.subspan(explicit_bytes_, body.size() - explicit_bytes_ - kTagBytes);

    std::array<std::uint8_t, 12> nonce = iv_;
    if (explicit_bytes_ != 0) {
        std::copy_n(body.begin(), kExplicitNonceBytes, nonce.begin() + 4);
    } else {
        std::array<std::uint8_t, 8> counter;
        put_be64(counter.data(), sequence);
        for (std::size_t i = 0; i < 8; ++i) nonce[4 + i] = static_cast<std::uint8_t>(nonce[4 + i] ^ counter[i]);
    }

    // TLS 1.3: the header as it is on the wire. TLS 1.2: sequence number first, and the length of the plaintext.
    std::array<std::uint8_t, 13> additional;
    put_be64(additional.data(), sequence);
    additional[8] = header.type;
    put_be16(&additional[9], header.version);
    const bool tls13 = framing_ == Framing::tls13;
    put_be16(&additional[11], tls13 ? header.length : static_cast<std::uint16_t>(sealed.size()));
    const Bytes associated = tls13 ? Bytes(additional).subspan(8) : Bytes(additional);

    EVP_CIPHER_CTX* context = context_.get();
    auto* tag = const_cast<std::uint8_t*>(body.data() + body.size() - kTagBytes);  // only read
    int written = 0;
    if (EVP_DecryptInit_ex(context, nullptr, nullptr, nullptr, nonce.data()) != 1 ||
        EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, kTagBytes, tag) != 1 ||
        EVP_DecryptUpdate(context, nullptr, &written, associated.data(), static_cast<int>(associated.size())) != 1)
        return std::nullopt;
    written = 0;
    if (!sealed.empty() &&
        EVP_DecryptUpdate(context, out, &written, sealed.data(), static_cast<int>(sealed.size())) != 1)
        return std::nullopt;
    int rest = 0;
    if (EVP_DecryptFinal_ex(context, out + written, &rest) != 1) return std::nullopt;
    return sealed.size();
}

}  // namespace hopscope::decode::tls
