// What a connection speaks and who is the client, from its first bytes or from its middle. Strict: anything else is
// unknown.
#include "decode/stream/detect.h"

#include <gmock/gmock.h>

#include <fstream>
#include <random>

#include "core/limits.h"
#include "decode/stream/detect_late.h"
#include "support/cut_anywhere.h"
#include "support/spdy_writer.h"
#include "support/ws_writer.h"

namespace hopscope::tests {
namespace {

using namespace decode::stream;

constexpr std::string_view name_of(Protocol protocol) {
    constexpr std::string_view names[] = {"undecided", "unknown", "http1", "spdy", "websocket", "tls", "http2"};
    return names[static_cast<std::size_t>(protocol)];
}

struct Start {
    std::string what, client, server;
    std::string_view protocol;
};
class DetectStart : public ::testing::TestWithParam<Start> {};

TEST_P(DetectStart, ByTheFirstBytes) {
    const Start& param = GetParam();
    EXPECT_EQ(name_of(detect(as_bytes(param.client), as_bytes(param.server), true, false).protocol), param.protocol);
    // A verdict on fewer bytes is the same or none yet.
    for (std::size_t size = 1; size < param.client.size(); ++size) {
        const auto protocol = name_of(detect(as_bytes(param.client).first(size), {}, true, false).protocol);
        ASSERT_TRUE(protocol == param.protocol || protocol == "undecided") << size << ' ' << protocol;
    }
    const auto at_end = name_of(detect(as_bytes(param.client), as_bytes(param.server), true, true).protocol);
    EXPECT_EQ(at_end, param.protocol == "undecided" ? "unknown" : param.protocol);
}

std::string safe(std::string name) {
    std::replace_if(
        name.begin(), name.end(), [](char ch) { return !std::isalnum(static_cast<unsigned char>(ch)); }, '_');
    return name;
}

INSTANTIATE_TEST_SUITE_P(
    Table, DetectStart,
    ::testing::Values(
        Start{"GET", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "", "http1"},
        Start{"POST of a token", "POST /exec/6NLIxyz0 HTTP/1.1\r\n", "", "http1"},
        Start{"a path whose end is not there",
              "POST /api/v1/namespaces/default/pods/p/exec?command=" + std::string(500, 'x'), "", "http1"},
        Start{"a method of one's own", "BREW /pot HTTP/1.1\r\n", "", "http1"},
        Start{"OPTIONS", "OPTIONS * HTTP/1.1\r\n", "", "http1"},
        Start{"HTTP 1.0", "GET / HTTP/1.0\r\n\r\n", "", "http1"},
        Start{"an empty line first", "\r\nGET / HTTP/1.1\r\n", "", "http1"},
        Start{"the HTTP2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + std::string(9, '\0'), "", "http2"},
        Start{"half a preface", "PRI * HTTP/2.0\r\n\r\n", "", "undecided"},
        Start{"TLS 1 3", from_hex("1603010200 010001fc 0303"), "", "tls"},
        Start{"TLS on a plain port", from_hex("1603010200 010001fc 0303"), "HTTP/1.1 400 Bad Request\r\n\r\n", "tls"},
        Start{"RTSP", "OPTIONS rtsp://x RTSP/1.0\r\n", "", "unknown"},
        Start{"SIP", "INVITE sip:a@b SIP/2.0\r\n", "", "unknown"},
        Start{"SSH", "SSH-2.0-OpenSSH_9.2\r\n", "SSH-2.0-OpenSSH_9.2\r\n", "unknown"},
        Start{"a server that speaks first", "", "220 mail ESMTP\r\n", "undecided"},
        Start{"Redis", "*1\r\n$4\r\nPING\r\n", "", "unknown"},
        Start{"Postgres", from_hex("00000008 04d2162f"), "", "unknown"},
        Start{"MQTT", from_hex("101000044d51545404"), "", "unknown"}, Start{"memcached", "get key\r\n", "", "unknown"},
        Start{"text in capitals", "HELLO WORLD THIS IS NO HTTP\r\n", "", "unknown"},
        Start{"zeros", std::string(20, '\0'), "", "unknown"},
        Start{"a TLS record of the wrong kind", from_hex("1703030020") + std::string(32, 'x'), "", "unknown"},
        Start{"nothing", "", "", "undecided"}),
    [](const auto& param) { return safe(param.param.what); });

// --- in the middle

const std::string kStatus = R"({"metadata":{},"status":"Success"})";
std::string repeat(int times, const std::string& bytes) {
    std::string out;
    for (int i = 0; i < times; ++i) out += bytes;
    return out;
}
std::string ticks(int count) {
    std::string out;
    for (int i = 0; i < count; ++i) out += SpdyWriter::data(3, "tick " + std::to_string(i) + "\n");
    return out;
}
std::string http2_frame(int type, int flags, std::uint32_t stream, std::string_view payload) {
    return big_endian(payload.size(), 3) + big_endian(static_cast<std::uint64_t>(type), 1) +
           big_endian(static_cast<std::uint64_t>(flags), 1) + big_endian(stream, 4) + std::string(payload);
}

struct Middle {
    std::string what, client, server;
    std::string_view protocol;
    bool orientation = true;  // the bytes tell who is who
};
class DetectMiddle : public ::testing::TestWithParam<Middle> {};

TEST_P(DetectMiddle, ByWhatTravels) {
    const Middle& param = GetParam();
    for (const bool flipped : {false, true}) {
        const Bytes first = as_bytes(flipped ? param.server : param.client),
                    second = as_bytes(flipped ? param.client : param.server);
        for (const bool over : {false, true}) {
            const Verdict verdict = detect(first, second, false, over);
            if (!over && verdict.protocol == Protocol::undecided) continue;  // weak signs are waited with
            EXPECT_EQ(name_of(verdict.protocol), param.protocol) << (flipped ? "flipped" : "") << (over ? " over" : "");
            if (param.orientation) {
                EXPECT_EQ(verdict.first_is_client, !flipped) << (over ? " over" : "");
            }
        }
        // Growing byte by byte, one detector sees the same.
        LateDetector detector;
        Verdict grown;
        for (std::size_t size = 0;
             size <= std::max(first.size(), second.size()) && grown.protocol == Protocol::undecided; ++size)
            grown = detector.detect(first.first(std::min(size, first.size())),
                                    second.first(std::min(size, second.size())), false);
        if (grown.protocol != Protocol::undecided) {
            EXPECT_EQ(name_of(grown.protocol), param.protocol) << "grown";
        }
    }
}

std::vector<Middle> middles() {
    SpdyWriter c, s;
    const std::string opening = c.stream(7, "stderr");
    return {
        {"output of an exec, its end included", "",
         ticks(5) + SpdyWriter::fin(5) + SpdyWriter::data(1, kStatus) + SpdyWriter::rst(1) + SpdyWriter::goaway(5),
         "spdy"},
        {"output only", "", ticks(8), "spdy"},
        {"output, begun inside a head", "", ticks(8).substr(4), "spdy"},
        {"output, begun inside a payload", "", ticks(8).substr(10), "spdy"},
        {"input and output", repeat(5, SpdyWriter::data(3, "ls\n")), repeat(5, SpdyWriter::data(5, "file\n")), "spdy"},
        {"a stream is opened", opening + SpdyWriter::data(3, "x"), "", "spdy"},
        {"a stream is answered", "", s.syn_reply(7) + SpdyWriter::data(7, "x"), "spdy"},
        {"PING from the client", SpdyWriter::ping(11) + SpdyWriter::ping(13), "", "spdy"},
        {"bulk output in frames of 32 KiB", "",
         std::string(20'000, 'x') + repeat(4, SpdyWriter::data(3, std::string(32768, 'y'))), "spdy"},
        {"forwarded HTTP",
         SpdyWriter::data(3, "GET / HTTP/1.1\r\nHost: x\r\n\r\n") + SpdyWriter::fin(3) + SpdyWriter::ping(1),
         SpdyWriter::data(3, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") + SpdyWriter::fin(3), "spdy"},
        {"WebSocket, both sides", repeat(8, ws_client(std::string("\0in", 3))), repeat(8, ws_server("\x01out\n")),
         "websocket"},
        {"WebSocket output, begun inside a message", "", "t of a message" + repeat(9, ws_server("\x01out\n")),
         "websocket"},
        {"WebSocket pings", repeat(5, ws_client("", 9)), repeat(5, ws_server("", 10)), "websocket"},
        {"TLS records", repeat(4, from_hex("1703030013") + std::string(19, 'x')),
         repeat(3, from_hex("1703030020") + std::string(32, 'y')), "tls", false},
        {"TLS from the server's hello on", "",
         from_hex("160303000a 02000006") + std::string(6, 'x') + from_hex("1703030020") + std::string(32, 'y'), "tls"},
        {"HTTP2 calls",
         http2_frame(1, 4, 5, "\x83\x86\xc0") + http2_frame(0, 1, 5, "abcde") + http2_frame(1, 4, 7, "\x83\x86\xc0") +
             http2_frame(0, 1, 7, "abcde"),
         http2_frame(8, 0, 0, "\0\0\1\0") + http2_frame(6, 0, 0, "12345678") + http2_frame(1, 4, 5, "\x88\xbe"),
         "http2"},
        {"an answer of HTTP1", "", "rest of a body}HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "http1"},
        {"a request of HTTP1", "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", "", "http1"},
        {"nothing at all", "", "", "unknown", false},
    };
}
INSTANTIATE_TEST_SUITE_P(Table, DetectMiddle, ::testing::ValuesIn(middles()),
                         [](const auto& param) { return safe(param.param.what); });

std::string random_bytes(std::uint32_t seed, std::size_t size) {
    std::mt19937 random(seed);
    std::string out(size, '\0');
    for (char& c : out) c = static_cast<char>(random());
    return out;
}

TEST(Detect, OtherProtocolsStayUnknown) {
    std::vector<std::pair<const char*, std::string>> others;
    for (std::uint32_t seed = 1; seed <= 30; ++seed) others.emplace_back("random", random_bytes(seed, 70'000));
    others.emplace_back("zeros", std::string(70'000, '\0'));
    others.emplace_back("0x80", std::string(70'000, '\x80'));
    others.emplace_back("ones", std::string(70'000, '\x01'));
    others.emplace_back("text", repeat(3000, "The quick brown fox jumps over the lazy dog\n"));
    std::string numbers, kafka, zookeeper, memcached, mysql, postgres, java;
    for (std::uint32_t i = 0; i < 8000; ++i) {
        numbers += big_endian(i, 4);
        java += big_endian(i % 7, 4) + big_endian(i % 11, 8);
    }
    for (std::uint32_t i = 0; i < 2000; ++i) {
        kafka += big_endian(37, 4) + big_endian(i % 3, 2) + big_endian(9, 2) + big_endian(i, 4) + big_endian(6, 2) +
                 "client" + std::string(21, '\1');
        zookeeper += big_endian(28, 4) + big_endian(i, 4) + big_endian(4, 4) + big_endian(7, 4) + "/path/x" +
                     std::string(9, '\0');
        memcached += std::string("\x80\x00\x00\x05\x00\x00\x00\x00\x00\x00\x00\x05", 12) + big_endian(i, 4) +
                     std::string(8, '\0') + "Hello";
        mysql += std::string("\x05\x00\x00\x01\x03", 5) + "sel;";
        postgres += std::string("D") + big_endian(14, 4) + big_endian(1, 2) + big_endian(4, 4) + "abcd";
    }
    for (const auto& [name, bytes] : {std::pair{"numbers", numbers},
                                      {"java", java},
                                      {"kafka", kafka},
                                      {"zookeeper", zookeeper},
                                      {"memcached", memcached},
                                      {"mysql", mysql},
                                      {"postgres", postgres}})
        others.emplace_back(name, bytes);
    for (const auto& [name, bytes] : others) {
        const Bytes all = as_bytes(bytes);
        for (const std::size_t start : {0U, 1U, 2U, 3U, 5U}) {
            EXPECT_EQ(name_of(detect(all.subspan(start), {}, false, true).protocol), "unknown")
                << name << " from " << start;
            EXPECT_EQ(name_of(detect(all.subspan(start), all, false, true).protocol), "unknown")
                << name << " both, from " << start;
        }
    }
}

TEST(Detect, TheVerdictComesWithinTheLimit) {
    const std::string text = repeat(5000, "The quick brown fox jumps over the lazy dog\n");
    EXPECT_EQ(name_of(detect(as_bytes(text).first(1000), {}, false, false).protocol), "undecided");
    EXPECT_EQ(name_of(detect(as_bytes(text).first(limits::kUndecidedBytesMax + 1), {}, false, false).protocol),
              "unknown");
    const std::string preface = "PRI";
    EXPECT_EQ(name_of(detect(as_bytes(preface), {}, true, true).protocol), "unknown");
    EXPECT_EQ(name_of(detect({}, as_bytes(text).first(limits::kUndecidedBytesMax + 1), true, false).protocol),
              "unknown");
}

TEST(Detect, AnExecJoinedAtAnyByteIsSpdyOrStaysUnknown) {
    SpdyWriter c, s;
    const std::string from_client =
        in_order({c.stream(1, "error"), c.stream(3, "stdin"), c.stream(5, "stdout"), c.stream(7, "stderr"),
                  SpdyWriter::data(3, "cat /etc/hostname\n"), SpdyWriter::ping(1), SpdyWriter::data(3, "exit\n"),
                  SpdyWriter::fin(3), SpdyWriter::goaway(0)});
    const std::string from_server =
        in_order({s.syn_reply(1), s.syn_reply(3), s.syn_reply(5), s.syn_reply(7), SpdyWriter::data(5, "hostname\n"),
                  SpdyWriter::ping(1), SpdyWriter::data(7, "bye\n"), SpdyWriter::fin(5), SpdyWriter::fin(7),
                  SpdyWriter::data(1, kStatus), SpdyWriter::rst(1), SpdyWriter::goaway(7)});
    for (std::size_t a = 0; a < from_client.size(); a += 3) {
        for (std::size_t b = 0; b < from_server.size(); b += 7) {
            const Verdict verdict =
                detect(as_bytes(from_server).subspan(b), as_bytes(from_client).subspan(a), false, true);
            ASSERT_TRUE(verdict.protocol == Protocol::spdy || verdict.protocol == Protocol::unknown)
                << a << ' ' << b << ' ' << name_of(verdict.protocol);
            if (verdict.protocol == Protocol::spdy) {
                ASSERT_FALSE(verdict.first_is_client) << a << ' ' << b;
            }
        }
    }
}

}  // namespace
}  // namespace hopscope::tests
