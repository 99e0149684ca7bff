// What the tests of the TLS decoder share: recorded talks (testdata/tls), and a decoder that tells its plaintext.
#pragma once

#include <fstream>
#include <iterator>
#include <string>

#include "decode/tls/tls.h"
#include "support/cut_anywhere.h"

namespace hopscope::tests {

inline std::string read_file(const std::string& name) {
    std::ifstream in(std::string(HOPSCOPE_SOURCE_DIR) + "/testdata/tls/" + name, std::ios::binary);
    EXPECT_TRUE(in.good()) << name;
    return {std::istreambuf_iterator<char>(in), {}};
}

// testdata/tls/README.md says what the entries are.
inline Conversation read_talk(const std::string& name) {
    const std::string all = read_file(name + ".talk");
    Conversation talk;
    for (std::size_t at = 0; at + 5 <= all.size();) {
        const char kind = all[at];
        const std::uint32_t size = read_be32(as_bytes(all).data() + at + 1);
        at += 5;
        const std::string_view bytes =
            kind == '<' || kind == '>' ? std::string_view(all).substr(at, size) : std::string_view();
        switch (kind) {
            case '>': talk.push_back(client(bytes)); break;
            case '<': talk.push_back(server(bytes)); break;
            case ')': talk.push_back(client_gap(size)); break;
            case '(': talk.push_back(server_gap(size)); break;
            case '}': talk.push_back(client_end()); break;
            case '{': talk.push_back(server_end()); break;
            default: ADD_FAILURE() << "no talk: " << name; return talk;
        }
        at += bytes.size();
    }
    return talk;
}

inline decode::TlsKeys read_keys(const std::string& name) {
    decode::TlsKeys keys;
    EXPECT_GT(keys.add(read_file(name + ".keys")), 0U) << name;
    return keys;
}

// Tells plaintext as HttpBody, gaps as Gap, ends as HttpEnd.
class PlainDecoder final : public decode::Decoder {
public:
    decode::Step decode(Direction direction, std::uint64_t, Bytes unread, EventSink& sink) override {
        sink.on(HttpBody{0, direction, unread});
        return decode::Step::took(unread.size());
    }
    bool gap(Direction direction, std::uint64_t offset, std::uint64_t missing, std::size_t, EventSink& sink) override {
        sink.on(Gap{direction, offset, missing});
        return true;
    }
    void end(Direction direction, EventSink& sink) override { sink.on(HttpEnd{0, direction, 0, true}); }
    [[nodiscard]] std::size_t unread_bytes_max() const override { return 0; }
};

inline MakeDecoder tls_with(const decode::TlsKeys* keys, bool late = false) {
    return [keys, late] {
        return decode::make_tls(
            keys, [] { return std::make_unique<PlainDecoder>(); }, late);
    };
}

inline constexpr Direction kClient = Direction::to_server, kServer = Direction::to_client;

inline std::string said(const EventLog& log, Direction direction) { return log.body(0, direction); }

// Lines of the log that tell something else than records.
inline std::vector<std::string> facts(const EventLog& log) {
    std::vector<std::string> out;
    for (std::string& line : log.lines())
        if (!line.starts_with("record ") && !line.starts_with("body ") && !line.starts_with("client-hello"))
            out.push_back(std::move(line));
    return out;
}

}  // namespace hopscope::tests
