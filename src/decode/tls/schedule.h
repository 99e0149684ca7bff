// Which keys protect which part of a connection: from the hellos and the key log to record ciphers.
//
// The parts are told apart as in TLS 1.3 (RFC 8446 section 7): early data, handshake, application. TLS 1.2 knows only
// the one after ChangeCipherSpec, which is `application` here. TLS 1.2: RFC 5246 section 6.3, RFC 5288, RFC 7905.
#pragma once

#include <array>
#include <string>

#include "core/endpoint.h"
#include "decode/tls/crypto.h"
#include "decode/tls/tls.h"

namespace hopscope::decode::tls {

enum class Epoch : std::uint8_t { plain, early, handshake, application };

inline constexpr std::uint16_t kTls12 = 0x0303;
inline constexpr std::uint16_t kTls13 = 0x0304;

// What one direction needs while an epoch lasts.
struct TrafficKeys {
    RecordCipher cipher;
    Secret secret;  // TLS 1.3: the next one is made from it (KeyUpdate)
    [[nodiscard]] bool ready() const { return cipher.ready(); }
};

class KeySchedule {
public:
    explicit KeySchedule(const TlsKeys* keys) : keys_(keys) {}

    void client_hello(Bytes random);
    void server_hello(std::uint16_t version, std::uint16_t suite, Bytes random);

    [[nodiscard]] bool has_client() const { return has_client_; }
    [[nodiscard]] bool has_server() const { return version_ != 0; }
    [[nodiscard]] Bytes client_random() const { return client_random_; }
    [[nodiscard]] std::uint16_t version() const { return version_; }
    [[nodiscard]] bool is_tls13() const { return version_ >= kTls13; }
    [[nodiscard]] std::uint16_t suite_id() const { return suite_id_; }
    [[nodiscard]] bool supported() const { return suite_ != nullptr && version_ >= kTls12; }
    [[nodiscard]] bool has_key_log() const { return keys_ != nullptr && keys_->size() > 0; }

    // Bytes of a sealed record's body that are no content; 0 while the suite is not known.
    [[nodiscard]] std::size_t overhead_bytes() const;
    // The label of the key log that `epoch` of `direction` needs.
    [[nodiscard]] std::string_view label(Direction direction, Epoch epoch) const;
    [[nodiscard]] bool has_secret(Direction direction, Epoch epoch) const;
    // Keys of an epoch; not ready() when the secret is missing or does not fit the suite.
    [[nodiscard]] TrafficKeys make(Direction direction, Epoch epoch) const;
    // Keys after a KeyUpdate (RFC 8446 section 7.2).
    [[nodiscard]] TrafficKeys updated(const TrafficKeys& keys) const;

private:
    [[nodiscard]] TrafficKeys make_tls12(Direction direction, Bytes master) const;
    [[nodiscard]] TrafficKeys make_tls13(Bytes secret) const;

    const TlsKeys* keys_;
    const Suite* suite_ = nullptr;
    std::array<std::uint8_t, 32> client_random_{}, server_random_{};
    std::uint16_t version_ = 0, suite_id_ = 0;
    bool has_client_ = false;
};

}  // namespace hopscope::decode::tls
