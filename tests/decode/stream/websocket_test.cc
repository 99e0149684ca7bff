// WebSocket frames, the channels of Kubernetes in them, and the SPDY tunnel.
#include <gmock/gmock.h>

#include "core/limits.h"
#include "core/untrusted.h"
#include "decode/stream/upgraded.h"
#include "support/cut_anywhere.h"
#include "support/ws_writer.h"

namespace hopscope::tests {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;
using namespace decode::stream;

MakeDecoder ws(std::string subprotocol, std::string target = "/exec/Jz4iRdTX") {
    return [=] { return make_websocket(subprotocol, target); };
}
MakeDecoder v4() { return ws("v4.channel.k8s.io"); }
MakeDecoder v5() { return ws("v5.channel.k8s.io", "/api/v1/namespaces/default/pods/p/exec?command=sh"); }
MakeDecoder tunnel() { return ws("SPDY/3.1+portforward.k8s.io", "/api/v1/namespaces/default/pods/p/portforward"); }

std::string on(int channel, std::string_view text) { return static_cast<char>(channel) + std::string(text); }
std::string base64(int channel, std::string_view text) {
    std::string out(1, static_cast<char>('0' + channel));
    append_base64(out, text);
    return out;
}
const std::string kSuccess = R"({"metadata":{},"status":"Success"})";

TEST(WebSocket, AWholeExec) {
    const EventLog log = expect_cut_anywhere(
        v4(), {server(ws_server(on(1, ""))), client(ws_client(on(0, "line one\n"))), client(ws_client("", 9)),
               server(ws_server("hi", 10)), server(ws_server(on(1, "line one\n"))), server(ws_server(on(2, "oops\n"))),
               server(ws_server(on(3, kSuccess))), server(ws_server(ws_close(1000), 8)),
               client(ws_client(ws_close(1000), 8)), server_end(), client_end()});
    EXPECT_THAT(
        log.lines(),
        ElementsAre("opened 1 stdout decoded", "ws s>c opcode=2 length=1 frames=1 channel=1 close=0",
                    "opened 0 stdin decoded", "data 0 c>s 9 \"line one\\n\"",
                    "ws c>s opcode=2 length=10 frames=1 channel=0 close=0",
                    "ws c>s opcode=9 length=0 frames=1 channel=-1 close=0",
                    "ws s>c opcode=10 length=2 frames=1 channel=-1 close=0", "data 1 s>c 9 \"line one\\n\"",
                    "ws s>c opcode=2 length=10 frames=1 channel=1 close=0", "opened 2 stderr decoded",
                    "data 2 s>c 5 \"oops\\n\"", "ws s>c opcode=2 length=6 frames=1 channel=2 close=0",
                    "opened 3 error decoded", "data 3 s>c 34 \"{\\\"metadata\\\":{},\\\"status\\\":\\\"Success\\\"}\"",
                    "exit 3 success code=0 \"\" \"\"", "ws s>c opcode=2 length=35 frames=1 channel=3 close=0",
                    "ws s>c opcode=8 length=2 frames=1 channel=-1 close=1000", "closed 0 s>c goaway status=0",
                    "closed 1 s>c goaway status=0", "closed 2 s>c goaway status=0", "closed 3 s>c goaway status=0",
                    "ws c>s opcode=8 length=2 frames=1 channel=-1 close=1000", "closed 0 c>s goaway status=0",
                    "closed 1 c>s goaway status=0", "closed 2 c>s goaway status=0", "closed 3 c>s goaway status=0"));
}

TEST(WebSocket, LengthsOf7And16And64BitsMaskedAndNot) {
    for (const std::size_t size : {1U, 124U, 125U, 126U, 65534U, 65535U, 70000U}) {
        std::string text(size, '\0');
        for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>(i * 7);
        const EventLog log =
            expect_cut_anywhere(v4(), {client(ws_client(on(0, text))), server(ws_server(on(1, text)))}, 3, 1, 10);
        EXPECT_EQ(log.data(0, Direction::to_server), text) << size;
        EXPECT_EQ(log.data(1, Direction::to_client), text) << size;
    }
    const EventLog log = run_whole(v4(), {client(ws_frame(on(0, "x"), {.masked = true, .length_bytes = 8})),
                                          client(ws_frame(on(0, "y"), {.masked = true, .length_bytes = 2}))});
    EXPECT_EQ(log.data(0, Direction::to_server), "xy") << "longer forms than needed";
}

TEST(WebSocket, FragmentsWithAPingBetweenThemAreOneMessage) {
    const EventLog log = expect_cut_anywhere(
        v4(),
        {client(ws_frame(on(0, "Hel"), {.fin = false, .masked = true}) + ws_frame("", {.opcode = 9, .masked = true}) +
                ws_frame("lo", {.opcode = 0, .fin = false, .masked = true, .key = 0x12345678}) +
                ws_frame("", {.opcode = 0, .masked = true})),
         client(ws_frame("", {.fin = false, .masked = true}) + ws_frame(on(0, "!"), {.opcode = 0, .masked = true}))});
    EXPECT_EQ(log.data(0, Direction::to_server), "Hello!")
        << "the channel byte is that of the message, not of the frame";
    EXPECT_THAT(log.lines("ws"), ElementsAre("ws c>s opcode=9 length=0 frames=1 channel=-1 close=0",
                                             "ws c>s opcode=2 length=6 frames=3 channel=0 close=0",
                                             "ws c>s opcode=2 length=2 frames=2 channel=0 close=0"));
    EXPECT_THAT(log.lines("problem"), IsEmpty());
}

TEST(WebSocket, CloseFrames) {
    const EventLog log =
        expect_cut_anywhere(v4(), {client(ws_client("", 8)), client(ws_client(ws_close(4999) + "reason", 8)),
                                   server(ws_server(ws_close(1011) + "\xff", 8))});
    EXPECT_THAT(log.lines("ws"), ElementsAre(HasSubstr("close=0"), HasSubstr("length=8 frames=1 channel=-1 close=4999"),
                                             HasSubstr("close=1011")));
}

struct Odd {
    const char* what;
    std::string bytes;
    const char* code;
};
class WebSocketOdd : public ::testing::TestWithParam<Odd> {};
TEST_P(WebSocketOdd, IsFlaggedAndDecodingGoesOn) {
    const EventLog log = expect_cut_anywhere(v4(), {client(GetParam().bytes), client(ws_client("", 9))}, 6, 1, 40);
    EXPECT_THAT(log.lines("problem"), ElementsAre(StartsWith(std::string("problem ") + GetParam().code)));
    EXPECT_THAT(log.lines("ws"), Contains("ws c>s opcode=9 length=0 frames=1 channel=-1 close=0"));
}
std::string name_of(std::string name) {
    std::replace_if(
        name.begin(), name.end(), [](char ch) { return !std::isalnum(static_cast<unsigned char>(ch)); }, '_');
    return name;
}
INSTANTIATE_TEST_SUITE_P(
    Table, WebSocketOdd,
    ::testing::Values(Odd{"a control frame of 126 bytes",
                          ws_frame(std::string(126, 'x'), {.opcode = 9, .masked = true}), "ws.control"},
                      Odd{"a fragmented ping", ws_frame("", {.opcode = 9, .fin = false, .masked = true}), "ws.control"},
                      Odd{"an unknown control opcode", ws_frame("x", {.opcode = 11, .masked = true}), "ws.opcode"},
                      Odd{"an unknown data opcode", ws_frame("x", {.opcode = 3, .masked = true}), "ws.opcode"},
                      Odd{"an unmasked client", ws_frame(on(0, "x")), "ws.mask"},
                      Odd{"a compressed message", ws_frame("abc", {.masked = true, .reserved = 4}), "ws.reserved"},
                      Odd{"a continuation of nothing", ws_frame("abc", {.opcode = 0, .masked = true}), "ws.fragment"},
                      Odd{"a message inside a message",
                          ws_frame(on(0, "a"), {.fin = false, .masked = true}) + ws_client(on(0, "b")), "ws.fragment"},
                      Odd{"a channel that is not in use", ws_client(on(5, "abc")), "ws.channel"},
                      Odd{"the close signal, which is v5's", ws_client(on(255, std::string(1, '\0'))), "ws.channel"}),
    [](const auto& param) { return name_of(param.param.what); });

TEST(WebSocket, AnImpossibleLengthIsTheEnd) {
    const EventLog log =
        run_whole(v4(), {client(from_hex("82ff 8000000000000000 00000000")), client(ws_client("", 9))});
    EXPECT_THAT(log.lines("problem"), ElementsAre(StartsWith("problem ws.length")));
    EXPECT_THAT(log.lines("ws"), IsEmpty());
}

TEST(WebSocket, AHugeFrameNeedsNoMemory) {
    decode::Road road(v4()());
    EventLog log;
    const std::string head = from_hex("827f 0000000100000000");
    road.feed(Direction::to_client, as_bytes(head), log);
    const std::string filling(1 << 20, 'x');
    for (int i = 0; i < 16; ++i) road.feed(Direction::to_client, as_bytes(filling), log);
    EXPECT_EQ(road.held_bytes(), 0U);
}

// --- channels

TEST(WebSocketChannels, Base64IsUndone) {
    std::string binary(1000, '\0');
    for (std::size_t i = 0; i < binary.size(); ++i) binary[i] = static_cast<char>(i * 31);
    Conversation talk = {server(ws_server("1", 1))};
    std::string said;
    for (const std::size_t size : {1U, 2U, 3U, 4U, 5U, 100U, 1000U}) {
        talk.push_back(server(ws_server(base64(1, binary.substr(0, size)), 1)));
        said += binary.substr(0, size);
    }
    talk.push_back(client(ws_client(base64(0, "stdin"), 1)));
    talk.push_back(server(ws_server(base64(3, kSuccess), 1)));
    const EventLog log = expect_cut_anywhere(ws("v4.base64.channel.k8s.io"), talk, 12, 1, 100);
    EXPECT_EQ(log.data(1, Direction::to_client), said);
    EXPECT_EQ(log.data(0, Direction::to_server), "stdin");
    EXPECT_THAT(log.lines("exit"), ElementsAre("exit 3 success code=0 \"\" \"\""));
    EXPECT_THAT(log.lines("problem"), IsEmpty());
}

TEST(WebSocketChannels, WhatIsNoBase64IsFlagged) {
    for (const char* bad : {"1QQ", "1Q=", "1QQ=", "1QQ==Q", "1Q Q=", "1====", "1QUJ\n"}) {
        const EventLog log = expect_cut_anywhere(ws("base64.channel.k8s.io"),
                                                 {server(ws_server(bad, 1)), server(ws_server("1QUJD", 1))});
        EXPECT_THAT(log.lines("problem"), ElementsAre(StartsWith("problem ws.base64"))) << bad;
        EXPECT_THAT(log.data(1, Direction::to_client), ::testing::EndsWith("ABC")) << bad;
    }
}

TEST(WebSocketChannels, AMessageOnNoChannelOfBase64IsFlagged) {
    EXPECT_THAT(run_whole(ws("base64.channel.k8s.io"), {server(ws_server("\x01", 1))}).lines("problem"),
                ElementsAre(StartsWith("problem ws.channel")));
}

TEST(WebSocketChannels, CloseSignalOfV5ClosesStdin) {
    const EventLog log = expect_cut_anywhere(v5(), {client(ws_client(on(0, "in"))), client(ws_client(from_hex("ff00"))),
                                                    server(ws_server(on(3, kSuccess)))});
    EXPECT_THAT(log.lines("closed"), ElementsAre("closed 0 c>s channel_close status=0"));
    EXPECT_THAT(log.lines("ws"), Contains("ws c>s opcode=2 length=2 frames=1 channel=255 close=0"));
    EXPECT_THAT(log.lines("exit"), SizeIs(1));
}

TEST(WebSocketChannels, CloseSignalsOfAnotherLengthAreWrong) {
    for (const char* signal : {"ff", "ff0000", "ff00000000"})
        EXPECT_THAT(expect_cut_anywhere(v5(), {client(ws_client(from_hex(signal)))}).lines(),
                    Contains(StartsWith("problem ws.close_signal")))
            << signal;
}

TEST(WebSocketChannels, TerminalSizesOnChannel4) {
    const EventLog log =
        expect_cut_anywhere(v4(), {client(ws_client(on(4, "{\"Width\":101,\"Height\":37}"))),
                                   client(ws_client(on(4, "{\"Width\":55,")) + ws_client(on(4, "\"Height\":22}")))});
    EXPECT_THAT(log.lines("opened"), ElementsAre("opened 4 resize decoded"));
    EXPECT_THAT(log.lines("resized"), ElementsAre("resized 4 101x37", "resized 4 55x22"));
}

TEST(WebSocketChannels, LegacyNamesSayTheErrorAsText) {
    for (const char* name : {"", "channel.k8s.io"}) {
        const EventLog log =
            run_whole(ws(name), {server(ws_server(on(3, "command failed"))), server(ws_server(ws_close(1000), 8))});
        EXPECT_THAT(log.lines("exit"), ElementsAre("exit 3 text failure \"\" \"command failed\"")) << name;
    }
}

TEST(WebSocketChannels, StreamsWithoutChannels) {
    const EventLog plain =
        expect_cut_anywhere(ws("binary.k8s.io", "/api/v1/namespaces/d/pods/p/log"), {server(ws_server("log line\n"))});
    EXPECT_EQ(plain.data(0, Direction::to_client), "log line\n");
    const EventLog text = expect_cut_anywhere(ws("base64.binary.k8s.io", "/api/v1/namespaces/d/pods/p/log"),
                                              {server(ws_server("bG9nIGxpbmUK", 1))});
    EXPECT_EQ(text.data(0, Direction::to_client), "log line\n");
}

// --- port-forward on channels

TEST(WebSocketForward, PortsComeFromTheUrlAndFromTheServer) {
    const std::string port_8080 = from_hex("901f"), port_9999 = from_hex("0f27");
    for (const char* query :
         {"?port=8080,9999", "?port=8080&port=9999", "?ports=8080%2C9999", "?a=b&ports=8080&ports=9999", ""}) {
        const EventLog log = expect_cut_anywhere(
            ws("v4.channel.k8s.io", std::string("/portForward/default/web") + query),
            {server(ws_server(on(0, port_8080)) + ws_server(on(1, port_8080)) + ws_server(on(2, port_9999)) +
                    ws_server(on(3, port_9999))),
             client(ws_client(on(0, "GET / HTTP/1.0\r\n\r\n"))), server(ws_server(on(0, "HTTP/1.0 200 OK\r\n"))),
             server(ws_server(on(3, "error forwarding port 9999"))), server(ws_server(ws_close(1000), 8))},
            6, 1, 50);
        EXPECT_THAT(log.lines("opened"),
                    ElementsAre("opened 0 data decoded port=8080", "opened 1 error decoded port=8080",
                                "opened 2 data decoded port=9999", "opened 3 error decoded port=9999"))
            << query;
        EXPECT_EQ(log.data(0, Direction::to_server), "GET / HTTP/1.0\r\n\r\n");
        EXPECT_EQ(log.data(0, Direction::to_client), "HTTP/1.0 200 OK\r\n") << "without the two bytes of the port";
        EXPECT_THAT(log.lines("forward-error"), ElementsAre("forward-error 3 \"error forwarding port 9999\""));
        EXPECT_THAT(log.lines("problem"), IsEmpty());
    }
}

TEST(WebSocketForward, AnotherPortThanAskedForIsFlagged) {
    EXPECT_THAT(run_whole(ws("v4.channel.k8s.io", "/portForward/default/web?port=80"),
                          {server(ws_server(on(0, from_hex("5100"))))})
                    .lines("problem"),
                ElementsAre(StartsWith("problem ws.port")));
}

TEST(WebSocketForward, ChannelsBeyondThePortsAreNotInUse) {
    EXPECT_THAT(
        run_whole(ws("v4.channel.k8s.io", "/portForward/default/web?port=80"), {server(ws_server(on(2, "abc")))})
            .lines("problem"),
        ElementsAre(StartsWith("problem ws.channel")));
}

// --- the tunnel

Conversation tunnelled() {
    SpdyWriter c, s;
    std::vector<std::string> parts = {c.forward(1, "error", 18080, 0), SpdyWriter::fin(1),
                                      c.forward(3, "data", 18080, 0), SpdyWriter::data(3, "GET /\r\n")};
    Conversation talk;
    for (const std::string& part : parts) {
        // The client writes each field as a message of its own, an empty payload as an empty message.
        for (std::size_t at = 0; at < part.size(); at += 4) talk.push_back(client(ws_client(part.substr(at, 4))));
        talk.push_back(client(ws_client("")));
    }
    talk.push_back(server(ws_server(in_order(
        {s.syn_reply(1), s.syn_reply(3), SpdyWriter::data(3, "hello"), SpdyWriter::fin(3), SpdyWriter::fin(1)}))));
    talk.push_back(client(ws_client(ws_close(1000), 8)));
    talk.push_back(server(ws_server(ws_close(1000), 8)));
    return talk;
}

TEST(WebSocketTunnel, SpdyFramesAreSpreadOverMessages) {
    const EventLog log = expect_cut_anywhere(tunnel(), tunnelled(), 12, 1, 150);
    EXPECT_THAT(log.lines("opened"), ElementsAre("opened 1 error decoded port=18080 request=0",
                                                 "opened 3 data decoded port=18080 request=0"));
    EXPECT_EQ(log.data(3, Direction::to_server), "GET /\r\n");
    EXPECT_EQ(log.data(3, Direction::to_client), "hello");
    EXPECT_THAT(log.lines("closed"),
                ElementsAre("closed 1 c>s fin status=0", "closed 3 s>c fin status=0", "closed 1 s>c fin status=0"));
    EXPECT_THAT(log.lines("problem"), IsEmpty());
}

// --- holes

TEST(WebSocketGap, InsideAPayloadIsPassedOver) {
    const std::string message = ws_client(on(0, "0123456789"));
    const EventLog log = run_whole(v4(), {client(message.substr(0, 10)), client_gap(3), client(message.substr(13)),
                                          client(ws_client(on(0, "next")))});
    EXPECT_EQ(log.data(0, Direction::to_server),
              "012"
              "6789"
              "next")
        << "the mask goes on where it would have been";
    EXPECT_THAT(log.lines("ws"), SizeIs(2));
}

TEST(WebSocketGap, Base64GoesOnWithTheNextGroup) {
    const std::string text = "0123456789abcdefghijklmnop";
    const std::string message = ws_server(base64(1, text), 1);
    for (std::size_t at = 4; at < message.size() - 6; ++at) {
        const EventLog log = run_whole(ws("v4.base64.channel.k8s.io"),
                                       {server(message.substr(0, at)), server_gap(5), server(message.substr(at + 5))});
        const std::string got = log.data(1, Direction::to_client);
        const auto hole = std::mismatch(got.begin(), got.end(), text.begin(), text.end()).first - got.begin();
        EXPECT_TRUE(text.ends_with(got.substr(static_cast<std::size_t>(hole)))) << at << ' ' << got;
        EXPECT_GE(got.size(), text.size() - 9) << at;
        EXPECT_THAT(log.lines("problem"), IsEmpty()) << at;
    }
}

TEST(WebSocketGap, AMessageWhoseChannelIsMissingIsNotGuessed) {
    const std::string message = ws_server(on(1, "abcdef"));
    const EventLog log = run_whole(
        v4(), {server(message.substr(0, 2)), server_gap(2), server(message.substr(4)), server(ws_server(on(2, "x")))});
    EXPECT_THAT(log.lines("data"), ElementsAre("data 2 s>c 1 \"x\""));
    EXPECT_THAT(log.lines("ws"), SizeIs(2));
}

TEST(WebSocketGap, AStatusWithAHoleIsNotTold) {
    const std::string message = ws_server(on(3, kSuccess));
    const EventLog log = run_whole(v4(), {server(message.substr(0, 10)), server_gap(4), server(message.substr(14)),
                                          server(ws_server(ws_close(1000), 8))});
    EXPECT_THAT(log.lines("exit"), IsEmpty());
}

TEST(WebSocketGap, BehindItTheNextFramesAreFound) {
    Conversation talk = {client(ws_client(on(0, "a"))), client_gap(20)};
    talk.push_back(client("lost" + ws_client(on(0, "b")) + ws_client("", 9) + ws_client(on(0, "c")) +
                          ws_client(on(0, "d")) + ws_client(on(0, "e"))));
    const EventLog log = expect_cut_anywhere(v4(), talk);
    EXPECT_EQ(log.data(0, Direction::to_server), "abcde");
    EXPECT_THAT(log.lines("problem"),
                ElementsAre("problem ws.resync c>s at 28 skipped=4 \"passed over until a frame begins\""));
}

TEST(WebSocketGap, WhereASegmentBeginsLessIsEnough) {
    const EventLog log = run_whole(v4(), {client(ws_client(on(0, "a"))), client_gap(20), client(ws_client(on(0, "b"))),
                                          client(ws_client(ws_close(1000), 8))});
    EXPECT_EQ(log.data(0, Direction::to_server), "ab");
}

TEST(WebSocketGap, InATunnelTheInnerFramesAreFoundAgain) {
    SpdyWriter c;
    const std::string first = c.forward(1, "error", 80, 0), second = c.forward(3, "data", 80, 0);
    const std::string data = ws_client(SpdyWriter::data(3, std::string(100, 'x')) + SpdyWriter::ping(1));
    const EventLog log = run_whole(tunnel(), {client(ws_client(first)), client(ws_client(second)),
                                              client(data.substr(0, 30)), client_gap(50), client(data.substr(80))});
    EXPECT_EQ(log.data(3, Direction::to_server).size(), 50U);
    EXPECT_THAT(log.lines("spdy c>s type=6"), SizeIs(1));
}

// --- joined late

MakeDecoder late() {
    return [] { return make_websocket_late(); };
}
std::string repeat(int times, const std::string& bytes) {
    std::string out;
    for (int i = 0; i < times; ++i) out += bytes;
    return out;
}

TEST(WebSocketLate, ChannelsAreNamedOnceTheStatusComes) {
    const EventLog log =
        run_whole(late(), {server("out of a message" + repeat(6, ws_server(on(1, "tick\n")))),
                           client(repeat(6, ws_client(on(0, "in")))), server(ws_server(on(3, kSuccess)))});
    EXPECT_THAT(log.lines("opened"),
                ElementsAre(HasSubstr("opened 1 unknown inferred"), HasSubstr("opened 0 unknown inferred"),
                            HasSubstr("opened 3 unknown inferred")));
    EXPECT_THAT(log.lines("named"),
                ElementsAre(StartsWith("named 0 stdin inferred"), StartsWith("named 1 stdout inferred"),
                            StartsWith("named 3 error inferred")));
    EXPECT_THAT(log.lines("exit"), SizeIs(1));
}

TEST(WebSocketLate, ATerminalSizeNamesThemToo) {
    const EventLog log = run_whole(
        late(), {client(repeat(4, ws_client(on(0, "in"))) + ws_client(on(4, "{\"Width\":80,\"Height\":24}")))});
    EXPECT_THAT(log.lines("named"), ElementsAre(StartsWith("named 0 stdin"), StartsWith("named 4 resize")));
    EXPECT_THAT(log.lines("resized"), ElementsAre("resized 4 80x24"));
}

TEST(WebSocketLate, ForwardedPortsAreKnownByTheServersChannel0) {
    const EventLog log =
        run_whole(late(), {client(repeat(4, ws_client(on(0, "GET /")))), server(repeat(4, ws_server(on(0, "HTTP"))))});
    EXPECT_THAT(log.lines("named"), ElementsAre(StartsWith("named 0 data inferred")));
}

TEST(WebSocketLate, ATunnelIsFoundByItsFrames) {
    SpdyWriter s;
    const EventLog log = run_whole(
        late(), {client(repeat(6, ws_client(SpdyWriter::ping(3)))),
                 server(ws_server(SpdyWriter::data(3, "hello") + SpdyWriter::data(3, "world") + SpdyWriter::fin(3)))});
    EXPECT_THAT(log.lines("spdy c>s type=6"), SizeIs(6));
}

TEST(WebSocket, RandomMessagesComeBackAsTheyWereWritten) {
    for (std::uint32_t seed = 1; seed <= 20; ++seed) {
        std::mt19937 random(seed);
        Conversation talk;
        std::map<std::pair<std::uint32_t, Direction>, std::string> said;
        for (int step = 0; step < 60; ++step) {
            const bool from_client = random() % 2 == 0;
            const int channel = from_client ? 0 : static_cast<int>(1 + random() % 2);
            std::string payload(random() % (step % 10 == 0 ? 70000 : 300), '\0');
            for (char& ch : payload) ch = static_cast<char>(random());
            said[{static_cast<std::uint32_t>(channel), from_client ? Direction::to_server : Direction::to_client}] +=
                payload;
            const std::string message = on(channel, payload);
            std::string bytes;
            // In up to four fragments, with a ping in between now and then.
            std::size_t at = 0;
            for (int part = 0; part < 4; ++part) {
                const bool last = part == 3 || random() % 3 == 0;
                const std::size_t size = last ? message.size() - at : random() % (message.size() - at + 1);
                bytes += ws_frame(std::string_view(message).substr(at, size),
                                  {.opcode = static_cast<std::uint8_t>(part == 0 ? 2 : 0),
                                   .fin = last,
                                   .masked = from_client,
                                   .key = static_cast<std::uint32_t>(random())});
                at += size;
                if (last) break;
                if (random() % 4 == 0) bytes += ws_frame("", {.opcode = 9, .masked = from_client});
            }
            talk.push_back(from_client ? client(bytes) : server(bytes));
        }
        const EventLog log = expect_cut_anywhere(v4(), talk, 2, seed, 3);
        for (const auto& [stream, payload] : said)
            EXPECT_EQ(log.data(stream.first, stream.second), payload) << "seed " << seed;
    }
}

}  // namespace
}  // namespace hopscope::tests
