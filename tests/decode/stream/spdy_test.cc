// SPDY/3.1 frames, streams and their meaning.
#include <gmock/gmock.h>

#include "core/limits.h"
#include "decode/stream/upgraded.h"
#include "support/cut_anywhere.h"
#include "support/spdy_writer.h"

namespace hopscope::tests {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;
using namespace decode::stream;

const std::string kSuccess = R"({"metadata":{},"status":"Success"})";
const std::string kExit3 =
    R"({"metadata":{},"status":"Failure","message":"command terminated with non-zero exit code: error executing command [sh -c echo bye; exit 3], exit code 3","reason":"NonZeroExitCode","details":{"causes":[{"reason":"ExitCode","message":"3"}]}})";

MakeDecoder exec(std::string subprotocol = "v4.channel.k8s.io") {
    return [subprotocol] { return make_spdy(subprotocol, Purpose::remote_command); };
}
MakeDecoder forward() {
    return [] { return make_spdy("portforward.k8s.io", Purpose::port_forward); };
}

TEST(Spdy, AWholeExecFromOpeningToGoaway) {
    SpdyWriter c, s;
    const Conversation talk = {client(c.stream(1, "error")),
                               server(s.syn_reply(1)),
                               client(c.stream(3, "stdout")),
                               server(s.syn_reply(3)),
                               client(c.stream(5, "stderr")),
                               server(s.syn_reply(5)),
                               server(s.data(3, "out\n")),
                               server(s.data(5, "err\n")),
                               server(s.fin(3)),
                               server(s.fin(5)),
                               server(s.data(1, kExit3)),
                               server(s.rst(1)),
                               server(s.goaway(5)),
                               server_end(),
                               client_end()};
    const EventLog log = expect_cut_anywhere(exec(), talk);
    EXPECT_EQ(log.data(3, Direction::to_client), "out\n");
    EXPECT_EQ(log.data(5, Direction::to_client), "err\n");
    EXPECT_EQ(log.data(1, Direction::to_client), kExit3);
    EXPECT_THAT(log.lines("exit"),
                ElementsAre("exit 1 failure code=3 \"NonZeroExitCode\" \"command terminated with non-zero exit code: "
                            "error executing command [sh -c echo bye; exit 3], exit code 3\""));
    EXPECT_THAT(log.lines("closed"),
                ElementsAre("closed 3 s>c fin status=0", "closed 5 s>c fin status=0", "closed 1 s>c reset status=5"));
    EXPECT_THAT(log.lines("problem"), IsEmpty());
}

TEST(Spdy, GoawayClosesWhatItsSenderHasNotClosed) {
    SpdyWriter c, s;
    const EventLog log = expect_cut_anywhere(
        exec(), {client(c.stream(1, "error")), client(c.stream(3, "stdout")), server(s.fin(3)), server(s.goaway(3))});
    EXPECT_THAT(log.lines("closed"), ElementsAre("closed 3 s>c fin status=0", "closed 1 s>c goaway status=0"));
}

TEST(Spdy, PayloadIsPassedOnAsItComes) {
    SpdyWriter c, s;
    decode::Road road(exec()());
    EventLog log;
    road.feed(Direction::to_server, as_bytes(in_order({c.stream(1, "error"), c.stream(3, "stdout")})), log);
    const std::string frame = s.data(3, std::string(100'000, 'x'));
    road.feed(Direction::to_client, as_bytes(frame).first(50'000), log);
    EXPECT_EQ(log.data(3, Direction::to_client).size(), 50'000U - 8);
    EXPECT_EQ(road.held_bytes(), 0U) << "payload must not be kept";
    EXPECT_THAT(log.lines("spdy s>c"), IsEmpty()) << "the frame is not over";
    road.feed(Direction::to_client, as_bytes(frame).subspan(50'000), log);
    EXPECT_THAT(log.lines("spdy s>c"), SizeIs(1));
}

TEST(Spdy, EveryFrameTypeIsTold) {
    SpdyWriter c;
    const std::string settings =
        SpdyWriter::control(4, 1, big_endian(1, 4) + big_endian(0x01000004, 4) + big_endian(100, 4));
    const std::string window = SpdyWriter::control(9, 0, big_endian(3, 4) + big_endian(65536, 4));
    const EventLog log =
        expect_cut_anywhere(exec(), {client(c.stream(1, "error")), client(settings), client(window),
                                     client(c.headers(1, {{"a", "b"}}, 0)), client(SpdyWriter::ping(7))});
    EXPECT_THAT(log.lines("spdy"), ElementsAre(StartsWith("spdy c>s type=1 flags=0 stream=1"),
                                               "spdy c>s type=4 flags=1 stream=0 length=12 status=0",
                                               "spdy c>s type=9 flags=0 stream=3 length=8 status=0",
                                               StartsWith("spdy c>s type=8 flags=0 stream=1"),
                                               "spdy c>s type=6 flags=0 stream=7 length=4 status=0"));
    EXPECT_THAT(log.lines("problem"), IsEmpty());
}

TEST(Spdy, SynStreamAndSynReplyMayCloseAtOnce) {
    SpdyWriter c, s;
    const EventLog log = expect_cut_anywhere(
        forward(), {client(c.syn_stream(1, {{"streamtype", "error"}, {"port", "80"}, {"requestid", "0"}}, 1)),
                    server(s.syn_reply(1, 1))});
    EXPECT_THAT(log.lines("closed"), ElementsAre("closed 1 c>s fin status=0", "closed 1 s>c fin status=0"));
}

TEST(Spdy, StreamsThatTheServerOpensAreFollowedToo) {
    SpdyWriter s;
    const EventLog log = expect_cut_anywhere(exec(), {server(s.stream(2, "stdout")), server(s.data(2, "hello"))});
    EXPECT_THAT(log.lines("opened"), ElementsAre("opened 2 stdout decoded"));
    EXPECT_EQ(log.data(2, Direction::to_client), "hello");
}

// --- wrong lengths, unknown types: flagged, and decoding goes on behind them

struct Odd {
    const char* what;
    std::string frame;
    const char* code;
};
class SpdyOddFrame : public ::testing::TestWithParam<Odd> {};

TEST_P(SpdyOddFrame, IsFlaggedAndPassedOver) {
    SpdyWriter c;
    const std::string opening = c.stream(1, "error");
    const EventLog log =
        expect_cut_anywhere(exec(), {client(opening), client(GetParam().frame), client(SpdyWriter::ping(9))}, 6);
    EXPECT_THAT(log.lines("problem"), Contains(StartsWith(std::string("problem ") + GetParam().code)));
    EXPECT_THAT(log.lines("spdy"), Contains("spdy c>s type=6 flags=0 stream=9 length=4 status=0"))
        << "the next frame is found";
}

INSTANTIATE_TEST_SUITE_P(
    Table, SpdyOddFrame,
    ::testing::Values(Odd{"PING of 0 bytes", SpdyWriter::control(6, 0, ""), "spdy.length"},
                      Odd{"PING of 5 bytes", SpdyWriter::control(6, 0, "12345"), "spdy.length"},
                      Odd{"RST_STREAM of 4 bytes", SpdyWriter::control(3, 0, "1234"), "spdy.length"},
                      Odd{"GOAWAY of 4 bytes (SPDY/2)", SpdyWriter::control(7, 0, "1234"), "spdy.length"},
                      Odd{"GOAWAY of 20 bytes", SpdyWriter::control(7, 0, std::string(20, 'x')), "spdy.length"},
                      Odd{"WINDOW_UPDATE of 7 bytes", SpdyWriter::control(9, 0, "1234567"), "spdy.length"},
                      Odd{"SETTINGS of 5 bytes", SpdyWriter::control(4, 0, "12345"), "spdy.length"},
                      Odd{"SYN_STREAM of 9 bytes", SpdyWriter::control(1, 0, "123456789"), "spdy.length"},
                      Odd{"SYN_REPLY of 0 bytes", SpdyWriter::control(2, 0, ""), "spdy.length"},
                      Odd{"SYN_STREAM larger than any header block",
                          SpdyWriter::control(1, 0, std::string(100'000, 'x')), "spdy.length"},
                      Odd{"type 5, NOOP of SPDY/2", SpdyWriter::control(5, 0, ""), "spdy.type"},
                      Odd{"type 10, CREDENTIAL of draft 3", SpdyWriter::control(10, 0, "abc"), "spdy.type"},
                      Odd{"type 0xffff", SpdyWriter::control(0xffff, 0, "abc"), "spdy.type"},
                      Odd{"version 2", from_hex("80020006 00000004 00000001"), "spdy.version"},
                      Odd{"DATA of stream 0", SpdyWriter::data(0, "abc"), "spdy.stream_id"},
                      Odd{"DATA with unknown flags", SpdyWriter::data(1, "abc", 0x82), "spdy.stream_id"},
                      Odd{"a stream opened with the server's number", SpdyWriter().stream(2, "error"),
                          "spdy.stream_id"}),
    [](const auto& param) {
        std::string name = param.param.what;
        std::replace_if(
            name.begin(), name.end(), [](char ch) { return !std::isalnum(static_cast<unsigned char>(ch)); }, '_');
        return name;
    });

TEST(Spdy, TheLongestLengthNeedsNoMemory) {
    decode::Road road(exec()());
    EventLog log;
    for (const char* head : {"00000003 00ffffff", "8003000a 00ffffff", "80030001 00ffffff"}) {
        const std::string bytes = from_hex(head);
        road.feed(Direction::to_server, as_bytes(bytes), log);
        const std::string filling(65536, 'x');
        for (std::size_t left = 0xffffff; left > 0;) {
            const std::size_t size = std::min(left, filling.size());
            road.feed(Direction::to_server, as_bytes(filling).first(size), log);
            left -= size;
        }
        EXPECT_LT(road.held_bytes(), 4096U) << head;
    }
    const std::string ping = SpdyWriter::ping(1);
    road.feed(Direction::to_server, as_bytes(ping), log);
    EXPECT_THAT(log.lines("spdy c>s type=6"), SizeIs(1));
}

TEST(Spdy, AnEmptyControlFrameAtTheVeryEndIsNotWaitedFor) {
    const EventLog log = run_whole(exec(), {client(SpdyWriter::control(5, 0, ""))});
    EXPECT_THAT(log.lines("spdy"), SizeIs(1));
}

// --- header blocks

TEST(Spdy, AHeaderBombStopsAtItsLimitAndDecodingGoesOn) {
    SpdyWriter c;
    const std::string bomb = c.syn_stream(1, {{"x", std::string(2 * limits::kSpdyHeaderPlainBytesMax, 'x')}});
    ASSERT_LT(bomb.size(), limits::kSpdyHeaderBlockBytesMax);
    const EventLog log = expect_cut_anywhere(exec(), {client(bomb), client(SpdyWriter::data(1, "abc"))}, 2, 1, 3);
    EXPECT_THAT(log.lines("problem"), ElementsAre(StartsWith("problem spdy.inflate")));
    EXPECT_THAT(log.lines("spdy"), ElementsAre(HasSubstr("headers-unknown"), StartsWith("spdy c>s type=0")));
}

TEST(Spdy, HeaderBlocksThatAreNoHeadersAreFlagged) {
    const std::string too_many = big_endian(limits::kSpdyHeaderPairsMax + 1, 4);
    const std::string too_long = big_endian(1, 4) + big_endian(1000, 4) + "name";
    const std::string trailing = plain_block({}) + "x";
    for (const std::string& plain : {too_many, too_long, trailing, std::string("abc"), std::string()}) {
        SpdyWriter c;
        const std::string frame = SpdyWriter::control(1, 0, big_endian(1, 4) + std::string(6, '\0') + c.block(plain));
        const EventLog log = expect_cut_anywhere(exec(), {client(frame), client(c.stream(3, "stdout"))}, 3);
        EXPECT_THAT(log.lines("problem"), Contains(StartsWith("problem spdy.headers"))) << escaped(plain);
        EXPECT_THAT(log.lines("opened 3"), ElementsAre("opened 3 stdout decoded")) << "the compression context stays";
    }
}

TEST(Spdy, NamesInCapitalsRepeatedNamesAndBadPortsAreFlagged) {
    const Pairs capitals = {{"StreamType", "error"}}, twice = {{"streamtype", "error"}, {"streamtype", "data"}};
    for (const Pairs& pairs : {capitals, twice, Pairs{{"port", "70000"}}, Pairs{{"port", "0"}}, Pairs{{"port", "8x"}},
                               Pairs{{"requestid", "-1"}}}) {
        SpdyWriter c;
        const EventLog log = run_whole(forward(), {client(c.syn_stream(1, pairs))});
        EXPECT_THAT(log.lines("problem"), ElementsAre(StartsWith("problem spdy.headers"))) << pairs[0].first;
        EXPECT_THAT(log.lines("opened"), SizeIs(1));
    }
}

TEST(Spdy, AStreamWithoutATypeIsUnknownButDecoded) {
    SpdyWriter c;
    EXPECT_THAT(run_whole(exec(), {client(c.syn_stream(1, {}))}).lines("opened"),
                ElementsAre("opened 1 unknown decoded"));
}

TEST(Spdy, BlocksThatEndOnAPartialFlushAreReadToo) {
    // Chrome's SPDY flushed this way: the next block does not begin on a byte border.
    SpdyWriter c;
    const auto opening = [&](std::uint32_t id, const char* type, int flush) {
        return SpdyWriter::control(
            1, 0, big_endian(id, 4) + std::string(6, '\0') + c.block(plain_block({{"streamtype", type}}), flush));
    };
    const EventLog log = expect_cut_anywhere(
        exec(), {client(opening(1, "error", Z_SYNC_FLUSH)), client(opening(3, "stdin", Z_PARTIAL_FLUSH)),
                 client(opening(5, "stdout", Z_PARTIAL_FLUSH)), client(opening(7, "stderr", Z_SYNC_FLUSH))});
    EXPECT_THAT(log.lines("opened"), ElementsAre("opened 1 error decoded", "opened 3 stdin decoded",
                                                 "opened 5 stdout decoded", "opened 7 stderr decoded"));
}

TEST(Spdy, ThousandsOfForwardedConnectionsStayExact) {
    // Far more header text than deflate's window of 32 KiB, and than is kept without a zlib state.
    SpdyWriter c, s;
    Conversation talk;
    const unsigned connections = 3000;
    for (unsigned n = 0; n < connections; ++n) {
        const std::uint32_t error = 4 * n + 1, data = 4 * n + 3;
        talk.push_back(
            client(c.forward(error, "error", 8080 + static_cast<int>(n % 3), static_cast<int>(n), n * 7 + n / 5)));
        talk.push_back(server(s.syn_reply(error)));
        talk.push_back(client(SpdyWriter::fin(error)));
        talk.push_back(
            client(c.forward(data, "data", 8080 + static_cast<int>(n % 3), static_cast<int>(n), n * 5 + n / 7)));
        talk.push_back(server(s.syn_reply(data)));
        talk.push_back(client(SpdyWriter::data(data, "ping")));
        talk.push_back(client(SpdyWriter::fin(data)));
        talk.push_back(server(SpdyWriter::data(data, "pong")));
        talk.push_back(server(SpdyWriter::fin(data)));
        talk.push_back(server(SpdyWriter::fin(error)));
    }
    const EventLog log = run_whole(forward(), talk);
    const auto opened = log.lines("opened");
    ASSERT_EQ(opened.size(), 2 * connections);
    for (unsigned n = 0; n < connections; ++n) {
        const std::string rest = " decoded port=" + std::to_string(8080 + n % 3) + " request=" + std::to_string(n);
        ASSERT_EQ(opened[2 * n], "opened " + std::to_string(4 * n + 1) + " error" + rest);
        ASSERT_EQ(opened[2 * n + 1], "opened " + std::to_string(4 * n + 3) + " data" + rest);
    }
    EXPECT_THAT(log.lines("problem"), IsEmpty());
    EXPECT_THAT(log.lines("spdy"), Not(Contains(HasSubstr("headers-unknown"))));
}

TEST(Spdy, MoreOpenStreamsThanAreFollowedAreTold) {
    SpdyWriter c;
    Conversation talk;
    for (std::uint32_t n = 0; n < limits::kStreamsPerConnectionMax + 2; ++n)
        talk.push_back(client(c.stream(2 * n + 1, "stdout")));
    const EventLog log = run_whole(exec(), talk);
    EXPECT_THAT(log.lines("opened"), SizeIs(limits::kStreamsPerConnectionMax + 2));
    EXPECT_THAT(log.lines("problem"), ElementsAre(StartsWith("problem spdy.streams")));
}

TEST(Spdy, StragglersOfAClosedStreamOpenNothing) {
    SpdyWriter c, s;
    Conversation talk;
    for (std::uint32_t id = 1; id < 200; id += 2) {
        talk.push_back(client(c.stream(id, "data")));
        talk.push_back(client(SpdyWriter::rst(id)));
    }
    talk.push_back(server(s.data(1, "late")));
    talk.push_back(server(s.fin(1)));
    const EventLog log = run_whole(forward(), talk);
    EXPECT_THAT(log.lines("opened"), SizeIs(100));
    EXPECT_EQ(log.data(1, Direction::to_client), "late");
}

TEST(Spdy, DataForAStreamThatNobodyOpenedIsTold) {
    const EventLog log = run_whole(exec(), {server(SpdyWriter::data(5, "abc"))});
    EXPECT_THAT(log.lines("opened"),
                ElementsAre("opened 5 unknown inferred why=\"a frame came for it although nobody had opened it\""));
    EXPECT_EQ(log.data(5, Direction::to_client), "abc");
}

// --- error streams, resizes

struct ErrorStream {
    const char* what;
    const char* subprotocol;
    std::vector<std::string> said;  // DATA frames on the error stream
    std::string ending;             // frames behind them
    const char* told;               // begins the line; empty: nothing
};
class SpdyErrorStream : public ::testing::TestWithParam<ErrorStream> {};

TEST_P(SpdyErrorStream, IsUnderstood) {
    SpdyWriter c;
    const ErrorStream& param = GetParam();
    Conversation talk = {client(c.stream(1, "error")), client(c.stream(3, "stdout")), server(SpdyWriter::fin(3))};
    for (const std::string& text : param.said) talk.push_back(server(SpdyWriter::data(1, text)));
    if (!param.ending.empty()) talk.push_back(server(param.ending));
    talk.push_back(server_end());
    const EventLog log = expect_cut_anywhere(exec(param.subprotocol), talk);
    if (*param.told == '\0') {
        EXPECT_THAT(log.lines("exit"), IsEmpty());
    } else
        EXPECT_THAT(log.lines("exit"), ElementsAre(StartsWith(param.told)));
}

const std::string kNotFound =
    R"({"metadata":{},"status":"Failure","message":"Internal error occurred: error executing command in container: \"no\\such\" not found","reason":"InternalError","details":{"causes":[{"message":"x"}]},"code":500})";

INSTANTIATE_TEST_SUITE_P(
    Table, SpdyErrorStream,
    ::testing::Values(
        ErrorStream{"success with metadata",
                    "v4.channel.k8s.io",
                    {kSuccess},
                    SpdyWriter::rst(1),
                    "exit 1 success code=0 \"\" \"\""},
        ErrorStream{"success without metadata",
                    "v4.channel.k8s.io",
                    {R"({"status":"Success"})"},
                    SpdyWriter::rst(1),
                    "exit 1 success code=0"},
        ErrorStream{"told before the stream ends", "v4.channel.k8s.io", {kSuccess}, "", "exit 1 success code=0"},
        ErrorStream{"exit code 3",
                    "v4.channel.k8s.io",
                    {kExit3},
                    SpdyWriter::fin(1),
                    "exit 1 failure code=3 \"NonZeroExitCode\" \"command terminated"},
        ErrorStream{"status in three frames",
                    "v4.channel.k8s.io",
                    {kExit3.substr(0, 5), kExit3.substr(5, 100), kExit3.substr(105)},
                    SpdyWriter::rst(1),
                    "exit 1 failure code=3"},
        ErrorStream{"failure without exit code",
                    "v4.channel.k8s.io",
                    {kNotFound},
                    SpdyWriter::rst(1),
                    "exit 1 failure \"InternalError\" \"Internal error occurred: error executing command in container: "
                    "\\\"no\\\\such\\\" not found\""},
        ErrorStream{"braces inside the message",
                    "v4.channel.k8s.io",
                    {R"({"status":"Failure","message":"}{\"}"})"},
                    SpdyWriter::rst(1),
                    "exit 1 failure \"\" \"}{\\\"}\""},
        ErrorStream{"an exit code that is no number",
                    "v4.channel.k8s.io",
                    {R"({"status":"Failure","details":{"causes":[{"reason":"ExitCode","message":"x"}]}})"},
                    SpdyWriter::rst(1),
                    "exit 1 failure \"\" \"\""},
        ErrorStream{
            "a status cut off by the end", "v4.channel.k8s.io", {kExit3.substr(0, 50)}, SpdyWriter::goaway(3), ""},
        ErrorStream{"no status at all", "v4.channel.k8s.io", {}, SpdyWriter::rst(1), ""},
        ErrorStream{"plain text although v4",
                    "v4.channel.k8s.io",
                    {"broken"},
                    SpdyWriter::rst(1),
                    "exit 1 text failure \"\" \"broken\""},
        ErrorStream{"text with an object that is no status",
                    "v4.channel.k8s.io",
                    {"say {\"a\":1} more", " and more {}"},
                    SpdyWriter::rst(1),
                    "exit 1 text failure \"\" \"say {\\\"a\\\":1} more and more {}\""},
        ErrorStream{"v5 like v4", "v5.channel.k8s.io", {kExit3}, "", "exit 1 failure code=3"},
        ErrorStream{"v3 text",
                    "v3.channel.k8s.io",
                    {"error executing", " command"},
                    SpdyWriter::fin(1),
                    "exit 1 text failure \"\" \"error executing command\""},
        ErrorStream{
            "v2 silence is success", "v2.channel.k8s.io", {}, SpdyWriter::rst(1), "exit 1 text success \"\" \"\""},
        ErrorStream{"v1 silence says nothing", "channel.k8s.io", {}, SpdyWriter::rst(1), ""},
        ErrorStream{"v1 text", "channel.k8s.io", {"oops"}, "", "exit 1 text failure \"\" \"oops\""},
        ErrorStream{"unknown protocol, a status", "", {kExit3}, "", "exit 1 failure code=3"},
        ErrorStream{"unknown protocol, text", "", {"oops"}, SpdyWriter::rst(1), "exit 1 text failure \"\" \"oops\""},
        ErrorStream{"told once", "v4.channel.k8s.io", {kSuccess, kExit3}, SpdyWriter::rst(1), "exit 1 success"}),
    [](const auto& param) {
        std::string name = param.param.what;
        std::replace_if(
            name.begin(), name.end(), [](char ch) { return !std::isalnum(static_cast<unsigned char>(ch)); }, '_');
        return name;
    });

TEST(Spdy, WhatAClientWritesOnAStreamFoundLateIsNoStatus) {
    const EventLog log = expect_cut_anywhere(exec(), {client_gap(1), client(SpdyWriter::ping(1)),
                                                      client(SpdyWriter::data(1, kExit3)), server_end(), client_end()});
    EXPECT_THAT(log.lines("named"), ElementsAre(StartsWith("named 1 error")));
    EXPECT_THAT(log.lines("exit"), IsEmpty());
    EXPECT_THAT(log.lines("problem"), IsEmpty());
}

TEST(Spdy, AServerThatGoesAwayIsNoSuccess) {
    SpdyWriter c;
    const EventLog log =
        run_whole(exec("v2.channel.k8s.io"),
                  {client(c.stream(1, "error")), client(c.stream(3, "stdout")), server(SpdyWriter::rst(3)),
                   server(SpdyWriter::rst(1)), server(SpdyWriter::goaway(3))});
    EXPECT_THAT(log.lines("exit"), IsEmpty());
}

TEST(Spdy, AnEndlessErrorTextIsCutAtItsLimit) {
    SpdyWriter c;
    Conversation talk = {client(c.stream(1, "error"))};
    for (int i = 0; i < 3; ++i) talk.push_back(server(SpdyWriter::data(1, std::string(40'000, 'x'))));
    talk.push_back(server(SpdyWriter::rst(1)));
    const EventLog log = run_whole(exec("v3.channel.k8s.io"), talk);
    EXPECT_THAT(log.lines("problem"), ElementsAre(StartsWith("problem stream.text")));
    EXPECT_THAT(log.lines("exit"), SizeIs(1));
}

TEST(Spdy, ForwardErrorsAreToldWhenTheyAreComplete) {
    SpdyWriter c;
    const std::string text = "error forwarding port 18999 to pod 34ad62, uid : connection refused ";
    const EventLog log = expect_cut_anywhere(
        forward(), {client(c.forward(1, "error", 18999, 0)), client(SpdyWriter::fin(1)),
                    client(c.forward(3, "data", 18999, 0)), server(SpdyWriter::data(1, text.substr(0, 20))),
                    server(SpdyWriter::data(1, text.substr(20))), server(SpdyWriter::fin(3)),
                    server(SpdyWriter::fin(1)), client(c.forward(5, "error", 80, 1)), server(SpdyWriter::fin(5))});
    EXPECT_THAT(log.lines("forward-error"), ElementsAre("forward-error 1 " + escaped(text))) << "silence is not told";
}

TEST(Spdy, TerminalSizesMayShareAFrameOrBeSplit) {
    SpdyWriter c;
    const EventLog log = expect_cut_anywhere(
        exec(), {client(c.stream(1, "error")), client(c.stream(3, "resize")),
                 client(SpdyWriter::data(3, "{\"Width\":80,\"Height\":24}\n{\"Width\":101,\"Height\":37}\n{\"Wid")),
                 client(SpdyWriter::data(3, "th\":55,\"Hei")), client(SpdyWriter::data(3, "ght\":22}\n"))});
    EXPECT_THAT(log.lines("resized"), ElementsAre("resized 3 80x24", "resized 3 101x37", "resized 3 55x22"));
    EXPECT_THAT(log.lines("problem"), IsEmpty());
}

TEST(Spdy, WhatIsNoTerminalSizeIsFlaggedOnce) {
    SpdyWriter c;
    const std::string huge = "{\"x\":\"" + std::string(2000, 'x') + "\"}";
    const EventLog log = expect_cut_anywhere(
        exec(), {client(c.stream(1, "resize")),
                 client(SpdyWriter::data(1, "{\"Width\":-1,\"Height\":24}{\"Width\":70000,\"Height\":1}" + huge)),
                 client(SpdyWriter::data(1, "{\"Width\":1,\"Height\":2}"))});
    EXPECT_THAT(log.lines("problem"), ElementsAre(StartsWith("problem stream.resize")));
    EXPECT_THAT(log.lines("resized"), ElementsAre("resized 1 1x2"));
}

// --- encode, decode

TEST(Spdy, RandomConversationsComeBackAsTheyWereWritten) {
    for (std::uint32_t seed = 1; seed <= 40; ++seed) {
        std::mt19937 random(seed);
        SpdyWriter c(static_cast<int>(1 + random() % 9), static_cast<int>(9 + random() % 7)), s;
        Conversation talk;
        std::map<std::pair<std::uint32_t, Direction>, std::string> said;
        std::vector<std::string> opened;
        std::uint32_t next = 1;
        for (int step = 0; step < 120; ++step) {
            const auto id = static_cast<std::uint32_t>(next > 1 ? 1 + 2 * (random() % (next / 2)) : 0);
            const Direction direction = random() % 2 == 0 ? Direction::to_server : Direction::to_client;
            const auto say = [&](const std::string& bytes) {
                talk.push_back(direction == Direction::to_server ? client(bytes) : server(bytes));
            };
            switch (id == 0 ? 0 : random() % 5) {
                case 0: {
                    const int port = static_cast<int>(1 + random() % 65535),
                              request = static_cast<int>(random() % 100000);
                    const char* type = random() % 2 == 0 ? "error" : "data";
                    talk.push_back(client(c.forward(next, type, port, request, static_cast<unsigned>(random()))));
                    opened.push_back("opened " + std::to_string(next) + ' ' + type +
                                     " decoded port=" + std::to_string(port) + " request=" + std::to_string(request));
                    talk.push_back(server(s.syn_reply(next)));
                    next += 2;
                    break;
                }
                case 1: say(SpdyWriter::ping(static_cast<std::uint32_t>(2 * (random() % 1000) + 1))); break;
                default: {
                    std::string payload(random() % 300, '\0');
                    for (char& ch : payload) ch = static_cast<char>(random());
                    said[{id, direction}] += payload;
                    say(SpdyWriter::data(id, payload));
                }
            }
        }
        const EventLog log = expect_cut_anywhere(forward(), talk, 3, seed, 8);
        EXPECT_EQ(log.lines("opened"), opened) << "seed " << seed;
        for (const auto& [stream, payload] : said)
            EXPECT_EQ(log.data(stream.first, stream.second), payload) << "seed " << seed;
    }
}

}  // namespace
}  // namespace hopscope::tests
