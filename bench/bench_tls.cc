// How fast TLS records are opened, beside libcrypto alone on the same records.
//
//   TlsRecords/SUITE/CONTENT/PIECE   the decoder through a Road: records with CONTENT bytes, fed in PIECEs (1448: one
//                                    Ethernet segment, 65483: one segment on loopback). Bytes are plaintext.
//   Libcrypto/SUITE/CONTENT          EVP only: one context, nonce, additional data, tag.
//   TlsHandshakes                    connections per second: hellos, key derivation, one record each way.
//   TlsClosed/CONTENT                records without keys: only counted.
#include <benchmark/benchmark.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <string>
#include <vector>

#include "decode/road.h"
#include "decode/tls/tls.h"

namespace {

using namespace hopscope;

constexpr std::size_t kStreamBytes = 16 * 1024 * 1024;

struct Suite {
    int id;
    const char* cipher;
    std::size_t key;
};
constexpr Suite kSuites[] = {{0x1301, "AES-128-GCM", 16}, {0x1303, "ChaCha20-Poly1305", 32}};

std::string be(std::uint64_t value, int bytes) {
    std::string out;
    for (int i = bytes - 1; i >= 0; --i) out += static_cast<char>(value >> (8 * i));
    return out;
}
std::string extension(int type, const std::string& body) {
    return be(static_cast<std::uint64_t>(type), 2) + be(body.size(), 2) + body;
}
std::string hello(int type, char random, int suite) {
    const bool client = type == 1;
    const std::string version = extension(43, client ? "\x02" + be(0x0304, 2) : be(0x0304, 2));
    const std::string chosen = be(static_cast<std::uint64_t>(suite), 2);
    const std::string body = be(0x0303, 2) + std::string(32, random) + be(0, 1) +
                             (client ? be(2, 2) + chosen + be(1, 1) + be(0, 1) : chosen + be(0, 1)) +
                             be(version.size(), 2) + version;
    const std::string message = be(static_cast<std::uint64_t>(type), 1) + be(body.size(), 3) + body;
    return be(22, 1) + be(0x0303, 2) + be(message.size(), 2) + message;
}

std::string expand(const std::string& secret, const std::string& label, std::size_t size) {
    const std::string info = be(size, 2) + be(label.size() + 6, 1) + "tls13 " + label + be(0, 1) + "\x01";
    unsigned char out[EVP_MAX_MD_SIZE];
    unsigned written = 0;
    HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()), as_bytes(info).data(), info.size(), out,
         &written);
    return std::string(as_text({out, size}));
}

// Writes the records of one direction.
class Writer {
public:
    Writer(const Suite& suite, const std::string& secret)
        : key_(expand(secret, "key", suite.key)), iv_(expand(secret, "iv", 12)) {
        cipher_ = EVP_CIPHER_fetch(nullptr, suite.cipher, nullptr);
        context_ = EVP_CIPHER_CTX_new();
        EVP_EncryptInit_ex(context_, cipher_, nullptr, as_bytes(key_).data(), nullptr);
    }
    ~Writer() {
        EVP_CIPHER_CTX_free(context_);
        EVP_CIPHER_free(cipher_);
    }
    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;

    std::string seal(int type, const std::string& content) {
        const std::string plain = content + static_cast<char>(type);
        const std::string header = be(23, 1) + be(0x0303, 2) + be(plain.size() + 16, 2), nonce = next_nonce();
        std::string out = header + plain + std::string(16, ' ');
        auto* body = reinterpret_cast<unsigned char*>(out.data()) + 5;
        int size = 0;
        EVP_EncryptInit_ex(context_, nullptr, nullptr, nullptr, as_bytes(nonce).data());
        EVP_EncryptUpdate(context_, nullptr, &size, as_bytes(header).data(), 5);
        EVP_EncryptUpdate(context_, body, &size, as_bytes(plain).data(), static_cast<int>(plain.size()));
        EVP_EncryptFinal_ex(context_, body + plain.size(), &size);
        EVP_CIPHER_CTX_ctrl(context_, EVP_CTRL_AEAD_GET_TAG, 16, body + plain.size());
        return out;
    }
    const std::string& key() const { return key_; }
    const std::string& iv() const { return iv_; }

private:
    std::string next_nonce() {
        std::string nonce = iv_;
        const std::string counter = be(sequence_++, 8);
        for (std::size_t i = 0; i < 8; ++i) nonce[4 + i] = static_cast<char>(nonce[4 + i] ^ counter[i]);
        return nonce;
    }
    std::string key_, iv_;
    std::uint64_t sequence_ = 0;
    EVP_CIPHER* cipher_ = nullptr;
    EVP_CIPHER_CTX* context_ = nullptr;
};

class CountingSink final : public EventSink {
public:
    void on(const Event& event) override {
        const auto* body = std::get_if<HttpBody>(&event);
        if (body) bytes += body->piece.size();
    }
    std::size_t bytes = 0;
};

class Swallow final : public decode::Decoder {
public:
    decode::Step decode(Direction direction, std::uint64_t, Bytes unread, EventSink& sink) override {
        sink.on(HttpBody{0, direction, unread});
        return decode::Step::took(unread.size());
    }
    bool gap(Direction, std::uint64_t, std::uint64_t, std::size_t, EventSink&) override { return true; }
    void end(Direction, EventSink&) override {}
    std::size_t unread_bytes_max() const override { return 0; }
};

const std::string kSecret(32, 's');

decode::TlsKeys keys() {
    std::string hex, random;
    for (int i = 0; i < 32; ++i) hex += "73", random += "43";
    decode::TlsKeys made;
    made.add("SERVER_HANDSHAKE_TRAFFIC_SECRET " + random + ' ' + hex + "\nSERVER_TRAFFIC_SECRET_0 " + random + ' ' +
             hex + '\n');
    return made;
}

// The server's Finished under its handshake secret (here the same as the other one).
std::string finished(const Suite& suite) {
    Writer writer(suite, kSecret);
    return writer.seal(22, be(20, 1) + be(32, 3) + std::string(32, 'f'));
}

std::string records(const Suite& suite, std::size_t content) {
    Writer writer(suite, kSecret);
    std::string stream;
    for (std::size_t plain = 0; plain < kStreamBytes; plain += content)
        stream += writer.seal(23, std::string(content, 'x'));
    return stream;
}

void feed(decode::Road& road, Bytes bytes, std::size_t piece, EventSink& sink) {
    for (std::size_t at = 0; at < bytes.size(); at += piece)
        road.feed(Direction::to_client, bytes.subspan(at, std::min(piece, bytes.size() - at)), sink);
}

void tls_records(benchmark::State& state) {
    const Suite& suite = kSuites[state.range(0)];
    const std::string stream = records(suite, static_cast<std::size_t>(state.range(1)));
    const std::string client = hello(1, 'C', suite.id), server = hello(2, 'S', suite.id) + finished(suite);
    const decode::TlsKeys log = keys();
    std::size_t opened = 0;
    for (auto _ : state) {
        CountingSink sink;
        decode::Road road(decode::make_tls(
            &log, [] { return std::make_unique<Swallow>(); }, false));
        road.feed(Direction::to_server, as_bytes(client), sink);
        road.feed(Direction::to_client, as_bytes(server), sink);
        feed(road, as_bytes(stream), static_cast<std::size_t>(state.range(2)), sink);
        opened += sink.bytes;
    }
    if (opened < kStreamBytes) state.SkipWithError("records did not open");
    state.SetBytesProcessed(static_cast<std::int64_t>(opened));
}
BENCHMARK(tls_records)
    ->Name("TlsRecords")
    ->ArgNames({"suite", "content", "piece"})
    ->ArgsProduct({{0, 1}, {64, 1024, 16384}, {1448, 65483}})
    ->Unit(benchmark::kMillisecond);

void libcrypto(benchmark::State& state) {
    const Suite& suite = kSuites[state.range(0)];
    const auto content = static_cast<std::size_t>(state.range(1));
    const std::string stream = records(suite, content);
    const Writer writer(suite, kSecret);
    EVP_CIPHER* cipher = EVP_CIPHER_fetch(nullptr, suite.cipher, nullptr);
    EVP_CIPHER_CTX* context = EVP_CIPHER_CTX_new();
    EVP_DecryptInit_ex(context, cipher, nullptr, as_bytes(writer.key()).data(), nullptr);
    std::vector<std::uint8_t> out(content + 64);
    std::size_t opened = 0;
    for (auto _ : state) {
        std::uint64_t sequence = 0;
        for (std::size_t at = 0; at < stream.size(); at += content + 22) {
            std::string nonce = writer.iv();
            const std::string counter = be(sequence++, 8);
            for (std::size_t i = 0; i < 8; ++i) nonce[4 + i] = static_cast<char>(nonce[4 + i] ^ counter[i]);
            const std::uint8_t* p = as_bytes(stream).data() + at;
            int size = 0;
            EVP_DecryptInit_ex(context, nullptr, nullptr, nullptr, as_bytes(nonce).data());
            EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, 16, const_cast<std::uint8_t*>(p + 5 + content + 1));
            EVP_DecryptUpdate(context, nullptr, &size, p, 5);
            EVP_DecryptUpdate(context, out.data(), &size, p + 5, static_cast<int>(content + 1));
            if (EVP_DecryptFinal_ex(context, out.data(), &size) == 1) opened += content;
        }
    }
    EVP_CIPHER_CTX_free(context);
    EVP_CIPHER_free(cipher);
    if (opened < kStreamBytes) state.SkipWithError("records did not open");
    state.SetBytesProcessed(static_cast<std::int64_t>(opened));
}
BENCHMARK(libcrypto)
    ->Name("Libcrypto")
    ->ArgNames({"suite", "content"})
    ->ArgsProduct({{0, 1}, {64, 1024, 16384}})
    ->Unit(benchmark::kMillisecond);

void tls_handshakes(benchmark::State& state) {
    const Suite& suite = kSuites[0];
    const std::string client = hello(1, 'C', suite.id);
    Writer writer(suite, kSecret);
    const std::string server = hello(2, 'S', suite.id) + finished(suite) + writer.seal(23, "pong");
    const decode::TlsKeys log = keys();
    for (auto _ : state) {
        CountingSink sink;
        decode::Road road(decode::make_tls(
            &log, [] { return std::make_unique<Swallow>(); }, false));
        road.feed(Direction::to_server, as_bytes(client), sink);
        road.feed(Direction::to_client, as_bytes(server), sink);
        if (sink.bytes != 4) state.SkipWithError("the record did not open");
    }
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(tls_handshakes)->Name("TlsHandshakes")->Unit(benchmark::kMicrosecond);

void tls_closed(benchmark::State& state) {
    const std::string stream = records(kSuites[0], static_cast<std::size_t>(state.range(0)));
    const std::string client = hello(1, 'C', kSuites[0].id), server = hello(2, 'S', kSuites[0].id);
    for (auto _ : state) {
        CountingSink sink;
        decode::Road road(decode::make_tls(
            nullptr, [] { return std::make_unique<Swallow>(); }, false));
        road.feed(Direction::to_server, as_bytes(client), sink);
        road.feed(Direction::to_client, as_bytes(server), sink);
        feed(road, as_bytes(stream), 1448, sink);
    }
    state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(stream.size()));
}
BENCHMARK(tls_closed)->Name("TlsClosed")->ArgName("content")->Arg(64)->Arg(16384)->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
