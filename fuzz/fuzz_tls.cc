// TLS: a key log and both directions of one connection from the fuzzer.
//
// Input: key log text up to the first zero byte, then entries: one byte kind, two bytes length (big-endian), bytes.
//     '>' client bytes   '<' server bytes   ')' '(' bytes missing (length only)   '}' '{' end of a side
//     'c' 's' plaintext that is sealed here first (client, server), its last byte the content type: what lies behind
//     the tag is reached this way   'C' 'S' that side's sequence numbers begin again: it has new keys
//     'L' joined late, only as the first entry
// Seals with the secret "kkk…" for everything, as TLS_AES_128_GCM_SHA256. Each input runs with its key log and without.
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>
#include <cstdlib>
#include <string>
#include <utility>

#include "decode/road.h"
#include "decode/tls/tls.h"

namespace {

using namespace hopscope;

void require(bool holds) {
    if (!holds) std::abort();
}

class CheckingSink final : public EventSink {
public:
    void on(const Event& event) override {
        if (const auto* closed = std::get_if<TlsClosed>(&event)) {
            require(!std::exchange(closed_, true));
            require(!closed->code.empty() && !closed->why.empty());
        }
        if (std::holds_alternative<TlsServerHello>(event)) require(!std::exchange(server_hello_, true));
        if (const auto* hello = std::get_if<TlsClientHello>(&event)) require(hello->random.size() == 32);
        if (const auto* gap = std::get_if<Gap>(&event)) require(gap->missing_bytes > 0);
        if (const auto* body = std::get_if<HttpBody>(&event)) {
            for (const std::uint8_t byte : body->piece) touched_ = static_cast<std::uint8_t>(touched_ + byte);
        }
    }

private:
    bool closed_ = false, server_hello_ = false;
    volatile std::uint8_t touched_ = 0;
};

class Inside final : public decode::Decoder {
public:
    decode::Step decode(Direction direction, std::uint64_t offset, Bytes unread, EventSink& sink) override {
        require(!unread.empty() && offset == next_[index_of(direction)]);
        next_[index_of(direction)] += unread.size();
        sink.on(HttpBody{0, direction, unread});
        return decode::Step::took(unread.size());
    }
    bool gap(Direction direction, std::uint64_t offset, std::uint64_t missing, std::size_t lost,
             EventSink& sink) override {
        require(lost == 0 && offset == next_[index_of(direction)]);
        next_[index_of(direction)] += missing;
        sink.on(Gap{direction, offset, missing});
        return true;
    }
    void end(Direction, EventSink&) override {}
    std::size_t unread_bytes_max() const override { return 0; }

private:
    std::array<std::uint64_t, 2> next_{};
};

// HKDF-Expand-Label for outputs of one block.
std::string expand(const std::string& label, std::size_t size) {
    const std::string key(32, 'k'), name = "tls13 " + label;
    std::string info{'\0', static_cast<char>(size), static_cast<char>(name.size())};
    info += name + '\0' + '\1';
    std::array<unsigned char, EVP_MAX_MD_SIZE> out;
    unsigned written = 0;
    HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), as_bytes(info).data(), info.size(), out.data(),
         &written);
    return std::string(as_text(out)).substr(0, size);
}

// A record of TLS 1.3 around `plain`.
std::string seal(Bytes plain, std::uint64_t sequence) {
    static const std::string key = expand("key", 16), iv = expand("iv", 12);
    const std::size_t length = plain.size() + 16;
    std::string record{23, 3, 3, static_cast<char>(length >> 8), static_cast<char>(length)};
    std::string nonce = iv;
    for (std::size_t i = 0; i < 8; ++i)
        nonce[11 - i] = static_cast<char>(nonce[11 - i] ^ static_cast<char>(sequence >> (8 * i)));
    std::string body(length, '\0');
    auto* out = reinterpret_cast<unsigned char*>(body.data());
    EVP_CIPHER_CTX* context = EVP_CIPHER_CTX_new();
    int size = 0;
    EVP_EncryptInit_ex(context, EVP_aes_128_gcm(), nullptr, as_bytes(key).data(), as_bytes(nonce).data());
    EVP_EncryptUpdate(context, nullptr, &size, as_bytes(record).data(), 5);
    if (!plain.empty()) EVP_EncryptUpdate(context, out, &size, plain.data(), static_cast<int>(plain.size()));
    EVP_EncryptFinal_ex(context, out + plain.size(), &size);
    EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, 16, out + plain.size());
    EVP_CIPHER_CTX_free(context);
    return record + body;
}

void run(const decode::TlsKeys* keys, Bytes entries) {
    CheckingSink sink;
    const bool late = !entries.empty() && entries[0] == 'L';
    decode::Road road(decode::make_tls(
        keys, [] { return std::make_unique<Inside>(); }, late));
    std::array<std::uint64_t, 2> sequences{};
    while (entries.size() >= 3) {
        const std::uint8_t kind = entries[0];
        const std::size_t length = read_be16(&entries[1]);
        entries = entries.subspan(3);
        const Bytes bytes = entries.first(std::min(length, entries.size()));
        const Direction direction = kind == '<' || kind == '(' || kind == '{' || kind == 's' || kind == 'S'
                                        ? Direction::to_client
                                        : Direction::to_server;
        if (kind == '<' || kind == '>') {
            road.feed(direction, bytes, sink);
            entries = entries.subspan(bytes.size());
        } else if ((kind == 's' || kind == 'c') && bytes.size() <= 16385) {
            road.feed(direction, as_bytes(seal(bytes, sequences[index_of(direction)]++)), sink);
            entries = entries.subspan(bytes.size());
        } else if (kind == 'S' || kind == 'C') {
            sequences[index_of(direction)] = 0;
        } else if (kind == '(' || kind == ')') {
            if (length > 0) road.gap(direction, length, sink);
        } else if (kind == '{' || kind == '}') {
            road.end(direction, sink);
        }
        require(road.held_bytes() < 2'000'000);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const Bytes input(data, size);
    const std::size_t zero = as_text(input).find('\0');
    if (zero == std::string_view::npos) return 0;
    decode::TlsKeys keys;
    keys.add(as_text(input.first(zero)));
    const Bytes entries = input.subspan(zero + 1);
    run(&keys, entries);
    run(nullptr, entries);
    return 0;
}
