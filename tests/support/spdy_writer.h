// Writes SPDY/3.1 frames as spdystream does, for tests that decode what was encoded. One SpdyWriter is one direction of
// one connection: its header blocks share a zlib stream.
//
//     SpdyWriter client;
//     const std::string bytes = in_order({client.stream(1, "error"), client.data(3, "echo hi\n"), client.fin(3)});
//
// Not with '+': C++ leaves open which side is called first, and header blocks depend on their order.
#pragma once

#include <zlib.h>

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "decode/stream/spdy_dictionary.h"

namespace hopscope::tests {

inline std::string big_endian(std::uint64_t value, int bytes) {
    std::string out;
    for (int i = bytes - 1; i >= 0; --i) out += static_cast<char>(value >> (8 * i));
    return out;
}

// The parts one after the other; a braced list is evaluated from left to right.
inline std::string in_order(std::initializer_list<std::string> parts) {
    std::string out;
    for (const std::string& part : parts) out += part;
    return out;
}

using Pairs = std::vector<std::pair<std::string, std::string>>;

inline std::string plain_block(const Pairs& pairs) {
    std::string out = big_endian(pairs.size(), 4);
    for (const auto& [name, value] : pairs)
        out += big_endian(name.size(), 4) + name + big_endian(value.size(), 4) + value;
    return out;
}

class SpdyWriter {
public:
    // `window_bits`, `level`: what the sender's zlib was set to; any is legal.
    explicit SpdyWriter(int level = 9, int window_bits = 15) {
        deflateInit2(&zlib_, level, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY);
        const Bytes dictionary = decode::stream::spdy::dictionary();
        deflateSetDictionary(&zlib_, dictionary.data(), static_cast<uInt>(dictionary.size()));
    }
    ~SpdyWriter() { deflateEnd(&zlib_); }
    SpdyWriter(const SpdyWriter&) = delete;
    SpdyWriter& operator=(const SpdyWriter&) = delete;

    static std::string control(std::uint16_t type, std::uint8_t flags, std::string_view body) {
        return big_endian(0x8003, 2) + big_endian(type, 2) + big_endian(flags, 1) + big_endian(body.size(), 3) +
               std::string(body);
    }
    static std::string data(std::uint32_t id, std::string_view payload, std::uint8_t flags = 0) {
        return big_endian(id, 4) + big_endian(flags, 1) + big_endian(payload.size(), 3) + std::string(payload);
    }
    static std::string fin(std::uint32_t id) { return data(id, {}, 1); }
    static std::string rst(std::uint32_t id, std::uint32_t status = 5) {
        return control(3, 0, big_endian(id, 4) + big_endian(status, 4));
    }
    static std::string ping(std::uint32_t id) { return control(6, 0, big_endian(id, 4)); }
    static std::string goaway(std::uint32_t last, std::uint32_t status = 0) {
        return control(7, 0, big_endian(last, 4) + big_endian(status, 4));
    }

    std::string syn_stream(std::uint32_t id, const Pairs& pairs, std::uint8_t flags = 0) {
        return control(1, flags, big_endian(id, 4) + big_endian(0, 4) + big_endian(0, 2) + block(plain_block(pairs)));
    }
    std::string stream(std::uint32_t id, std::string_view type) {
        return syn_stream(id, {{"streamtype", std::string(type)}});
    }
    // `order` picks one of the six orders in which Go may write the three pairs.
    std::string forward(std::uint32_t id, std::string_view type, int port, int request, unsigned order = 0) {
        static constexpr int kOrders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
        const Pairs all = {
            {"streamtype", std::string(type)}, {"port", std::to_string(port)}, {"requestid", std::to_string(request)}};
        Pairs pairs;
        for (const int i : kOrders[order % 6]) pairs.push_back(all[static_cast<std::size_t>(i)]);
        return syn_stream(id, pairs);
    }
    std::string syn_reply(std::uint32_t id, std::uint8_t flags = 0) {
        return control(2, flags, big_endian(id, 4) + block(plain_block({})));
    }
    std::string headers(std::uint32_t id, const Pairs& pairs, std::uint8_t flags = 0) {
        return control(8, flags, big_endian(id, 4) + block(plain_block(pairs)));
    }
    // A compressed header block; `flush` as in deflate().
    std::string block(std::string_view plain, int flush = Z_SYNC_FLUSH) {
        std::string in(plain);
        std::string out(deflateBound(&zlib_, in.size()) + 64, '\0');
        zlib_.next_in = reinterpret_cast<Bytef*>(in.data());
        zlib_.avail_in = static_cast<uInt>(in.size());
        zlib_.next_out = reinterpret_cast<Bytef*>(out.data());
        zlib_.avail_out = static_cast<uInt>(out.size());
        deflate(&zlib_, flush);
        out.resize(out.size() - zlib_.avail_out);
        return out;
    }

private:
    z_stream zlib_{};
};

}  // namespace hopscope::tests
