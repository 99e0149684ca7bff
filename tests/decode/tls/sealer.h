// A TLS peer's writing half for tests: hellos, key derivation and records, made without the decoder's code. HKDF and
// PRF are written out over HMAC, records are encrypted through EVP's encrypting side.
#pragma once

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <string>
#include <vector>

#include "support/cut_anywhere.h"

namespace hopscope::tests {

inline std::string be(std::uint64_t value, int bytes) {
    std::string out;
    for (int i = bytes - 1; i >= 0; --i) out += static_cast<char>(value >> (8 * i));
    return out;
}

// One string of all parts. For records: they take their sequence numbers when they are made, from left to right here,
// in any order around '+'.
inline std::string joined(std::initializer_list<std::string> parts) {
    std::string out;
    for (const std::string& part : parts) out += part;
    return out;
}

inline std::string tls_record(int type, std::string_view body, int version = 0x0303) {
    return be(static_cast<std::uint64_t>(type), 1) + be(static_cast<std::uint64_t>(version), 2) + be(body.size(), 2) +
           std::string(body);
}
inline std::string message(int type, std::string_view body) {
    return be(static_cast<std::uint64_t>(type), 1) + be(body.size(), 3) + std::string(body);
}
inline std::string extension(int type, std::string_view body) {
    return be(static_cast<std::uint64_t>(type), 2) + be(body.size(), 2) + std::string(body);
}
inline std::string hex_of(std::string_view bytes) {
    std::string out;
    for (const char c : bytes) {
        char text[3];
        std::snprintf(text, sizeof text, "%02x", static_cast<unsigned char>(c));
        out += text;
    }
    return out;
}

struct TestSuite {
    int id = 0x1301;
    const char* cipher = "AES-128-GCM";
    std::size_t key = 16;
    const EVP_MD* (*digest)() = EVP_sha256;
    bool tls13 = true;
    bool chacha = false;
};
inline const TestSuite kAes128{0x1301, "AES-128-GCM", 16, EVP_sha256, true, false};
inline const TestSuite kAes256{0x1302, "AES-256-GCM", 32, EVP_sha384, true, false};
inline const TestSuite kChaCha{0x1303, "ChaCha20-Poly1305", 32, EVP_sha256, true, true};
inline const TestSuite kAes128Old{0xc02f, "AES-128-GCM", 16, EVP_sha256, false, false};
inline const TestSuite kAes256Old{0xc030, "AES-256-GCM", 32, EVP_sha384, false, false};
inline const TestSuite kChaChaOld{0xcca8, "ChaCha20-Poly1305", 32, EVP_sha256, false, true};

inline std::string hmac(const EVP_MD* digest, std::string_view key, std::string_view text) {
    unsigned char out[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    HMAC(digest, key.data(), static_cast<int>(key.size()), as_bytes(text).data(), text.size(), out, &size);
    return std::string(as_text({out, size}));
}

inline std::string expand_label(const TestSuite& suite, std::string_view secret, std::string_view label,
                                std::size_t size) {
    const std::string name = "tls13 " + std::string(label);
    const std::string info = be(size, 2) + be(name.size(), 1) + name + be(0, 1);
    // One block is enough for everything that TLS expands here.
    return hmac(suite.digest(), secret, info + '\x01').substr(0, size);
}

inline std::string tls12_prf(const TestSuite& suite, std::string_view secret, const std::string& seed,
                             std::size_t size) {
    std::string a = seed, out;
    while (out.size() < size) {
        a = hmac(suite.digest(), secret, a);
        out += hmac(suite.digest(), secret, a + seed);
    }
    return out.substr(0, size);
}

// One direction under one key.
class Sealer {
public:
    Sealer() = default;
    Sealer(const TestSuite& suite, std::string key, std::string iv)
        : suite_(suite), key_(std::move(key)), iv_(std::move(iv)) {}

    static Sealer tls13(const TestSuite& suite, std::string_view secret) {
        return {suite, expand_label(suite, secret, "key", suite.key), expand_label(suite, secret, "iv", 12)};
    }
    static Sealer tls12(const TestSuite& suite, std::string_view master, std::string_view client_random,
                        std::string_view server_random, bool client) {
        const std::size_t iv = suite.chacha ? 12 : 4;
        const std::string block =
            tls12_prf(suite, master, "key expansion" + std::string(server_random) + std::string(client_random),
                      2 * (suite.key + iv));
        return {suite, block.substr(client ? 0 : suite.key, suite.key),
                block.substr(2 * suite.key + (client ? 0 : iv), iv)};
    }

    // A record that carries `content` of `type`; `padding` zeros in TLS 1.3.
    std::string seal(int type, std::string_view content, std::size_t padding = 0) {
        const std::uint64_t sequence = sequence_++;
        if (suite_.tls13) {
            const std::string plain = std::string(content) + static_cast<char>(type) + std::string(padding, '\0');
            const std::string header = be(23, 1) + be(0x0303, 2) + be(plain.size() + 16, 2);
            return header + encrypt(xored(sequence), header, plain);
        }
        const std::string associated =
            be(sequence, 8) + be(static_cast<std::uint64_t>(type), 1) + be(0x0303, 2) + be(content.size(), 2);
        if (suite_.chacha) return tls_record(type, encrypt(xored(sequence), associated, content));
        const std::string nonce = be(0x1122334455667788U + sequence, 8);
        return tls_record(type, nonce + encrypt(iv_ + nonce, associated, content));
    }
    std::string data(std::string_view content) { return seal(23, content); }
    void skip(std::uint64_t records) { sequence_ += records; }

private:
    std::string xored(std::uint64_t sequence) const {
        std::string nonce = iv_;
        const std::string counter = be(sequence, 8);
        for (std::size_t i = 0; i < 8; ++i) nonce[4 + i] = static_cast<char>(nonce[4 + i] ^ counter[i]);
        return nonce;
    }
    std::string encrypt(const std::string& nonce, std::string_view associated, std::string_view plain) const {
        EVP_CIPHER* cipher = EVP_CIPHER_fetch(nullptr, suite_.cipher, nullptr);
        EVP_CIPHER_CTX* context = EVP_CIPHER_CTX_new();
        std::vector<std::uint8_t> out(plain.size() + 16);
        int size = 0;
        const bool ok =
            EVP_EncryptInit_ex(context, cipher, nullptr, as_bytes(key_).data(), as_bytes(nonce).data()) &&
            EVP_EncryptUpdate(context, nullptr, &size, as_bytes(associated).data(),
                              static_cast<int>(associated.size())) &&
            EVP_EncryptUpdate(context, out.data(), &size, as_bytes(plain).data(), static_cast<int>(plain.size())) &&
            EVP_EncryptFinal_ex(context, out.data() + plain.size(), &size) &&
            EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, 16, out.data() + plain.size());
        EVP_CIPHER_CTX_free(context);
        EVP_CIPHER_free(cipher);
        EXPECT_TRUE(ok);
        return std::string(as_text(out));
    }

    TestSuite suite_;
    std::string key_, iv_;
    std::uint64_t sequence_ = 0;
};

// Both peers of one connection, with made-up secrets.
struct Peers {
    explicit Peers(const TestSuite& which = kAes128) : suite(which) {
        const std::size_t size = suite.digest == EVP_sha384 ? 48 : 32;
        for (int i = 0; i < 5; ++i) secrets[i] = std::string(size, static_cast<char>('a' + i));
        if (suite.tls13) {
            client = Sealer::tls13(suite, secrets[0]);
            server = Sealer::tls13(suite, secrets[1]);
            client_data = Sealer::tls13(suite, secrets[2]);
            server_data = Sealer::tls13(suite, secrets[3]);
            early = Sealer::tls13(suite, secrets[4]);
        } else {
            client = client_data = Sealer::tls12(suite, master, client_random, server_random, true);
            server = server_data = Sealer::tls12(suite, master, client_random, server_random, false);
        }
    }

    std::string key_log() const {
        if (!suite.tls13) return line("CLIENT_RANDOM", master);
        return line("CLIENT_HANDSHAKE_TRAFFIC_SECRET", secrets[0]) +
               line("SERVER_HANDSHAKE_TRAFFIC_SECRET", secrets[1]) + line("CLIENT_TRAFFIC_SECRET_0", secrets[2]) +
               line("SERVER_TRAFFIC_SECRET_0", secrets[3]) + line("CLIENT_EARLY_TRAFFIC_SECRET", secrets[4]);
    }
    std::string line(std::string_view label, std::string_view secret) const {
        return std::string(label) + ' ' + hex_of(client_random) + ' ' + hex_of(secret) + '\n';
    }

    std::string client_hello_message(bool early_data = false) const {
        std::string extensions;
        extensions += extension(0, be(7, 2) + be(0, 1) + be(4, 2) + "node");
        extensions += extension(16, be(12, 2) + "\x02h2" + "\x08http/1.1");
        if (suite.tls13) extensions += extension(43, "\x04" + be(0x7a7a, 2) + be(0x0304, 2));
        if (early_data) extensions += extension(42, "");
        return message(1, be(0x0303, 2) + client_random + be(0, 1) + be(2, 2) + be(0x1301, 2) + be(1, 1) + be(0, 1) +
                              be(extensions.size(), 2) + extensions);
    }
    std::string client_hello(bool early_data = false) const {
        return tls_record(22, client_hello_message(early_data), 0x0301);
    }
    std::string server_hello_with(std::string_view random, int version, int chosen) const {
        std::string extensions;
        if (version >= 0x0304)
            extensions = extension(43, be(static_cast<std::uint64_t>(version), 2));
        else
            extensions = extension(16, be(9, 2) + "\x08http/1.1");
        return tls_record(
            22, message(2, be(static_cast<std::uint64_t>(std::min(version, 0x0303)), 2) + std::string(random) +
                               be(0, 1) + be(static_cast<std::uint64_t>(chosen), 2) + be(0, 1) +
                               be(extensions.size(), 2) + extensions));
    }
    std::string server_hello() const {
        return server_hello_with(server_random, suite.tls13 ? 0x0304 : 0x0303, suite.id);
    }
    std::string hello_retry() const {
        return server_hello_with(from_hex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c"), 0x0304,
                                 suite.id);
    }
    static std::string encrypted_extensions(bool early_data = false) {
        std::string extensions = extension(16, be(9, 2) + "\x08http/1.1");
        if (early_data) extensions += extension(42, "");
        return message(8, be(extensions.size(), 2) + extensions);
    }
    static std::string finished() { return message(20, std::string(32, 'f')); }
    static std::string change_cipher_spec() { return tls_record(20, "\x01"); }

    // The whole handshake; after it the *_data sealers are in charge.
    Conversation handshake() {
        if (suite.tls13)
            return {tests::client(client_hello()),
                    tests::server(server_hello() + change_cipher_spec() +
                                  server.seal(22, encrypted_extensions() + finished())),
                    tests::client(change_cipher_spec() + client.seal(22, finished()))};
        Conversation talk = {
            tests::client(client_hello()), tests::server(server_hello() + tls_record(22, message(14, ""))),
            tests::client(tls_record(22, message(16, "key")) + change_cipher_spec() + client_data.seal(22, finished())),
            tests::server(change_cipher_spec() + server_data.seal(22, finished()))};
        return talk;
    }

    TestSuite suite;
    std::string client_random = std::string(32, 'C'), server_random = std::string(32, 'S');
    std::string master = std::string(48, 'm');
    std::string secrets[5];  // client and server handshake, client and server application, early
    Sealer client, server, client_data, server_data, early;
};

}  // namespace hopscope::tests
