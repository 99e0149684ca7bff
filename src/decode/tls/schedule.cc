#include "decode/tls/schedule.h"

#include <openssl/crypto.h>

#include <algorithm>

namespace hopscope::decode::tls {

void KeySchedule::client_hello(Bytes random) {
    std::copy_n(random.begin(), client_random_.size(), client_random_.begin());
    has_client_ = true;
}

void KeySchedule::server_hello(std::uint16_t version, std::uint16_t suite, Bytes random) {
    std::copy_n(random.begin(), server_random_.size(), server_random_.begin());
    version_ = version;
    suite_id_ = suite;
    suite_ = find_suite(suite);
    // 0x13xx are the suites of TLS 1.3 alone; a mixture of both is a lie or damage.
    if (suite_ && (suite >> 8 == 0x13) != is_tls13()) suite_ = nullptr;
}

std::size_t KeySchedule::overhead_bytes() const {
    if (!suite_) return 0;
    return record_overhead(suite_->aead, is_tls13() ? Framing::tls13 : Framing::tls12);
}

std::string_view KeySchedule::label(Direction direction, Epoch epoch) const {
    if (!is_tls13()) return "CLIENT_RANDOM";
    const bool client = direction == Direction::to_server;
    switch (epoch) {
        case Epoch::plain: return {};
        case Epoch::early: return client ? "CLIENT_EARLY_TRAFFIC_SECRET" : "";
        case Epoch::handshake: return client ? "CLIENT_HANDSHAKE_TRAFFIC_SECRET" : "SERVER_HANDSHAKE_TRAFFIC_SECRET";
        case Epoch::application: return client ? "CLIENT_TRAFFIC_SECRET_0" : "SERVER_TRAFFIC_SECRET_0";
    }
    return {};
}

bool KeySchedule::has_secret(Direction direction, Epoch epoch) const {
    return keys_ && has_client_ && !keys_->find(label(direction, epoch), client_random_).empty();
}

TrafficKeys KeySchedule::make(Direction direction, Epoch epoch) const {
    if (!keys_ || !has_client_ || !supported() || epoch == Epoch::plain) return {};
    const Bytes secret = keys_->find(label(direction, epoch), client_random_);
    if (secret.empty()) return {};
    return is_tls13() ? make_tls13(secret) : make_tls12(direction, secret);
}

TrafficKeys KeySchedule::make_tls12(Direction direction, Bytes master) const {
    const std::size_t key = key_bytes(suite_->aead), iv = suite_->aead == Aead::chacha20_poly1305 ? 12 : 4;
    std::array<std::uint8_t, 2 * (32 + 12)> block;
    TrafficKeys made;
    if (prf(suite_->hash, master, "key expansion", server_random_, client_random_,
            std::span(block).first(2 * (key + iv)))) {
        // client key, server key, client IV, server IV
        const std::size_t side = index_of(direction);
        const Bytes all(block);
        made.cipher.init(suite_->aead, Framing::tls12, all.subspan(side * key, key),
                         all.subspan(2 * key + side * iv, iv));
    }
    OPENSSL_cleanse(block.data(), block.size());
    return made;
}

TrafficKeys KeySchedule::make_tls13(Bytes secret) const {
    TrafficKeys made;
    if (secret.size() != hash_bytes(suite_->hash)) return made;
    std::array<std::uint8_t, 32> key;
    std::array<std::uint8_t, 12> iv;
    const auto key_part = std::span(key).first(key_bytes(suite_->aead));
    if (hkdf_expand_label(suite_->hash, secret, "key", key_part) && hkdf_expand_label(suite_->hash, secret, "iv", iv) &&
        made.cipher.init(suite_->aead, Framing::tls13, key_part, iv))
        made.secret = Secret(secret);
    OPENSSL_cleanse(key.data(), key.size());
    OPENSSL_cleanse(iv.data(), iv.size());
    return made;
}

TrafficKeys KeySchedule::updated(const TrafficKeys& keys) const {
    std::array<std::uint8_t, Secret::kBytesMax> next;
    TrafficKeys made;
    if (!suite_ || !is_tls13() || keys.secret.empty()) return made;
    const auto part = std::span(next).first(hash_bytes(suite_->hash));
    if (hkdf_expand_label(suite_->hash, keys.secret.bytes(), "traffic upd", part)) made = make_tls13(part);
    OPENSSL_cleanse(next.data(), next.size());
    return made;
}

}  // namespace hopscope::decode::tls
