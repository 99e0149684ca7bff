// HTTP/1.1 messages, their bodies and ends, and the handover to what an upgrade leads to.
#include "decode/stream/http1.h"

#include <gmock/gmock.h>

#include "core/limits.h"
#include "decode/stream/upgraded.h"
#include "support/cut_anywhere.h"
#include "support/spdy_writer.h"
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

MakeDecoder http() {
    return [] { return make_http1(); };
}

const std::string kGet = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

TEST(Http1, RequestAndAnswerWithLength) {
    const EventLog log = expect_cut_anywhere(
        http(),
        {client("POST /a?b=c HTTP/1.1\r\nHost: node:10255\r\nContent-Length: 3\r\n\r\nabc"),
         server(
             "HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\nContent-Length: 19\r\n\r\n404 page not found\n")});
    EXPECT_THAT(
        log.lines(),
        ElementsAre("request 0 \"POST\" \"/a?b=c\" \"HTTP/1.1\" | Host: \"node:10255\" | Content-Length: \"3\"",
                    "body 0 c>s 3 \"abc\"", "http-end 0 c>s 3",
                    "response 0 404 \"Not Found\" \"HTTP/1.1\" | Content-Type: \"text/plain\" | Content-Length: \"19\"",
                    "body 0 s>c 19 \"404 page not found\\n\"", "http-end 0 s>c 19"));
}

struct Answer {
    const char* what;
    std::string request, bytes;  // what the server sends, then it closes
    std::vector<std::string> bodies_and_ends;
};
class Http1Answer : public ::testing::TestWithParam<Answer> {};

TEST_P(Http1Answer, EndsWhereTheStandardSays) {
    const EventLog log =
        expect_cut_anywhere(http(), {client(GetParam().request), server(GetParam().bytes), server_end()});
    std::vector<std::string> got;
    for (const std::string& line : log.lines())
        if (line.find("s>c") != std::string::npos) got.push_back(line);
    EXPECT_EQ(got, GetParam().bodies_and_ends);
}

std::string name_of(std::string name) {
    std::replace_if(
        name.begin(), name.end(), [](char ch) { return !std::isalnum(static_cast<unsigned char>(ch)); }, '_');
    return name;
}

INSTANTIATE_TEST_SUITE_P(
    Table, Http1Answer,
    ::testing::Values(
        Answer{"chunked",
               kGet,
               "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nWiki\r\n6;ext=1\r\npedia \r\nE\r\nin "
               "\r\n\r\nchunks.\r\n0\r\n\r\n",
               {"body 0 s>c 24 \"Wikipedia in \\r\\n\\r\\nchunks.\"", "http-end 0 s>c 24"}},
        Answer{
            "chunked with trailers",
            kGet,
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, Chunked\r\n\r\n1\r\nx\r\n0\r\nExpires: never\r\nA: b\r\n\r\n",
            {"body 0 s>c 1 \"x\"", "http-end 0 s>c 1"}},
        Answer{"chunked, then another answer",
               kGet + kGet,
               "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
               {"http-end 0 s>c 0", "http-end 1 s>c 0"}},
        Answer{"chunked, cut off",
               kGet,
               "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
               {"body 0 s>c 2 \"ab\"", "http-end 0 s>c 2 incomplete"}},
        Answer{"chunk size is no number",
               kGet,
               "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
               {"http-end 0 s>c 0 incomplete",
                "problem http.chunk s>c at 47 skipped=0 \"the chunks of a body make no sense\""}},
        Answer{"chunk size too large",
               kGet,
               "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000000\r\n",
               {"http-end 0 s>c 0 incomplete",
                "problem http.chunk s>c at 47 skipped=0 \"the chunks of a body make no sense\""}},
        Answer{"read until close",
               kGet,
               "HTTP/1.0 200 OK\r\n\r\nall that comes",
               {"body 0 s>c 14 \"all that comes\"", "http-end 0 s>c 14"}},
        Answer{"until close, nothing", kGet, "HTTP/1.1 200 OK\r\n\r\n", {"http-end 0 s>c 0"}},
        Answer{"length cut off",
               kGet,
               "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc",
               {"body 0 s>c 3 \"abc\"", "http-end 0 s>c 3 incomplete"}},
        Answer{"HEAD has no body",
               "HEAD / HTTP/1.1\r\n\r\n" + kGet,
               "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx",
               {"http-end 0 s>c 0", "body 1 s>c 1 \"x\"", "http-end 1 s>c 1"}},
        Answer{"204 and 304 have none",
               kGet + kGet,
               "HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
               {"http-end 0 s>c 0", "http-end 1 s>c 0"}},
        Answer{"interim answers do not count",
               kGet,
               "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 "
               "OK\r\nContent-Length: 0\r\n\r\n",
               {"http-end 0 s>c 0"}},
        Answer{"equal lengths twice",
               kGet,
               "HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\nContent-Length: 2\r\n\r\nab",
               {"body 0 s>c 2 \"ab\"", "http-end 0 s>c 2"}},
        Answer{"lengths that differ",
               kGet,
               "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nab",
               {"problem http.length s>c at 0 skipped=0 \"the Content-Length of a message makes no sense\""}},
        Answer{"length that is no number",
               kGet,
               "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
               {"problem http.length s>c at 0 skipped=0 \"the Content-Length of a message makes no sense\""}},
        Answer{"bare LF", kGet, "HTTP/1.1 200 OK\nContent-Length: 1\n\nx", {"body 0 s>c 1 \"x\"", "http-end 0 s>c 1"}},
        Answer{"no reason phrase", kGet, "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", {"http-end 0 s>c 0"}},
        Answer{
            "garbage",
            kGet,
            "\x15\x03\x01",
            {"problem http.start_line s>c at 0 skipped=0 \"neither a request nor an answer of HTTP/1.1 begins here\""}},
        Answer{"no HTTP version",
               kGet,
               "HTTP/2 200 OK\r\n\r\n",
               {"problem http.start_line s>c at 0 skipped=0 \"neither a request nor an answer of HTTP/1.1 begins "
                "here\""}}),
    [](const auto& param) { return name_of(param.param.what); });

TEST(Http1, PipelinedRequestsArePairedWithTheirAnswers) {
    const EventLog log = expect_cut_anywhere(
        http(), {client("GET /1 HTTP/1.1\r\n\r\nDELETE /2 HTTP/1.1\r\n\r\nBREW /3 HTTP/1.1\r\n\r\n"),
                 server("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 405 Method Not "
                        "Allowed\r\nContent-Length: 0\r\n\r\nHTTP/1.1 418 I'm a teapot\r\nContent-Length: 0\r\n\r\n")});
    EXPECT_THAT(log.lines("request"), ElementsAre(HasSubstr("0 \"GET\" \"/1\""), HasSubstr("1 \"DELETE\" \"/2\""),
                                                  HasSubstr("2 \"BREW\" \"/3\"")));
    EXPECT_THAT(log.lines("response"), ElementsAre(StartsWith("response 0 200"), StartsWith("response 1 405"),
                                                   StartsWith("response 2 418 \"I'm a teapot\"")));
}

TEST(Http1, AnAnswerWithoutARequestHasANumberOfItsOwn) {
    const EventLog log = run_whole(http(), {server("HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n"),
                                            client(kGet), server("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")});
    EXPECT_THAT(log.lines("response"), ElementsAre(StartsWith("response 0 408"), StartsWith("response 1 200")));
    EXPECT_THAT(log.lines("request"), ElementsAre(StartsWith("request 1 ")));
}

TEST(Http1, FoldedAndRepeatedFields) {
    const EventLog log = expect_cut_anywhere(
        http(), {client("GET / HTTP/1.1\r\nX-A: one\r\n  two\r\n\tthree\r\nX-B:x  \r\nX-B : y\r\nEmpty:\r\n\r\n")});
    EXPECT_THAT(log.lines("request"), ElementsAre("request 0 \"GET\" \"/\" \"HTTP/1.1\" | X-A: \"one    two  "
                                                  "\\x09three\" | X-B: \"x\" | X-B: \"y\" | Empty: \"\""));
}

TEST(Http1, EmptyLinesBetweenMessagesAreTolerated) {
    EXPECT_THAT(expect_cut_anywhere(http(), {client("\r\n\r\n" + kGet + "\r\n" + kGet)}).lines("request"), SizeIs(2));
}

struct Bad {
    const char* what;
    std::string bytes;
    const char* code;
};
class Http1Bad : public ::testing::TestWithParam<Bad> {};
TEST_P(Http1Bad, RequestIsAProblemAndTheEnd) {
    const EventLog log = expect_cut_anywhere(http(), {client(GetParam().bytes), client(kGet)}, 6, 1, 40);
    EXPECT_THAT(log.lines("problem"), ElementsAre(StartsWith(std::string("problem ") + GetParam().code)));
    EXPECT_THAT(log.lines("response"), IsEmpty());
}
INSTANTIATE_TEST_SUITE_P(
    Table, Http1Bad,
    ::testing::Values(
        Bad{"no version", "GET /\r\n\r\n", "http.start_line"},
        Bad{"no target", "GET HTTP/1.1\r\n\r\n", "http.start_line"},
        Bad{"binary", std::string("\x00\x01\x02", 3), "http.start_line"}, Bad{"TLS", "\x16\x03\x01", "http.start_line"},
        Bad{"an endless method", std::string(40, 'A'), "http.start_line"},
        Bad{"an endless head", "GET / HTTP/1.1\r\nX: " + std::string(limits::kHttpHeadBytesMax, 'x'), "http.head"},
        Bad{"a head just too long",
            "GET / HTTP/1.1\r\nX: " + std::string(limits::kHttpHeadBytesMax - 20, 'x') + "\r\n\r\n", "http.head"},
        Bad{"a coding whose end is not seen", "POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", "http.length"}),
    [](const auto& param) { return name_of(param.param.what); });

TEST(Http1, MoreHeaderLinesThanAreReadAreFlagged) {
    std::string many = "GET / HTTP/1.1\r\n";
    for (std::size_t i = 0; i < limits::kHttpHeadersMax + 1; ++i) many += "A: b\r\n";
    const EventLog log = run_whole(http(), {client(many + "no colon\r\n\r\n" + kGet)});
    EXPECT_THAT(log.lines("problem"), ElementsAre(StartsWith("problem http.headers")));
    EXPECT_THAT(log.lines("request"), SizeIs(2)) << "it goes on";
}

TEST(Http1, ToManyRequestsWithoutAnAnswerAreTheEnd) {
    std::string many;
    for (std::size_t i = 0; i <= limits::kHttpPendingMax; ++i) many += "GET / HTTP/1.1\r\n\r\n";
    EXPECT_THAT(run_whole(http(), {client(many)}).lines("problem"), ElementsAre(StartsWith("problem http.pending")));
}

TEST(Http1, AConnectTunnelIsNotDecoded) {
    const EventLog log = run_whole(http(), {client("CONNECT node:443 HTTP/1.1\r\n\r\n"),
                                            server("HTTP/1.1 200 OK\r\n\r\n"), client("\x16\x03\x01")});
    EXPECT_THAT(log.lines("problem"), ElementsAre(StartsWith("problem http.tunnel")));
}

// --- upgrades

const std::string kAskSpdy =
    "POST /exec/6NLIxyz0 HTTP/1.1\r\nHost: 127.0.0.1:42313\r\nUser-Agent: Go-http-client/1.1\r\nContent-Length: "
    "0\r\nConnection: Upgrade\r\n"
    "Upgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: v4.channel.k8s.io\r\nX-Stream-Protocol-Version: "
    "v3.channel.k8s.io\r\n\r\n";
const std::string kSpdyGiven =
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: "
    "v4.channel.k8s.io\r\n\r\n";

Conversation spdy_exec() {
    SpdyWriter c, s;
    return {client(kAskSpdy),
            server(kSpdyGiven),
            client(c.stream(1, "error")),
            server(s.syn_reply(1)),
            client(c.stream(3, "stdout")),
            server(s.syn_reply(3)),
            server(s.data(3, "out\n")),
            server(s.fin(3)),
            server(s.data(1, R"({"metadata":{},"status":"Success"})")),
            server(s.rst(1)),
            server(s.goaway(3)),
            client_end(),
            server_end()};
}

TEST(Http1, UpgradeToSpdyHandsOverAtTheExactByte) {
    const EventLog log = expect_cut_anywhere(http(), spdy_exec());
    EXPECT_THAT(log.lines("upgraded"), ElementsAre("upgraded 0 carrier=0 \"v4.channel.k8s.io\""));
    EXPECT_THAT(log.lines("opened"), ElementsAre("opened 1 error decoded", "opened 3 stdout decoded"));
    EXPECT_EQ(log.data(3, Direction::to_client), "out\n");
    EXPECT_THAT(log.lines("exit"), SizeIs(1));
}

TEST(Http1, BytesOfAnImpatientClientWaitForTheAnswer) {
    // The capture may hold the client's first frames before the answer, and all of the server's bytes in one segment.
    Conversation talk = spdy_exec();
    std::string all_client, all_server;
    for (const Turn& turn : talk) (turn.direction == Direction::to_server ? all_client : all_server) += turn.bytes;
    const EventLog log =
        expect_cut_anywhere(http(), {client(all_client), server(all_server), server_end(), client_end()});
    EXPECT_EQ(first_difference(run_whole(http(), talk), log), "");
}

TEST(Http1, ARefusedUpgradeGoesOnAsHttp) {
    const std::string refusal = "HTTP/1.1 403 Forbidden\r\nContent-Length: 10\r\n\r\nunable to ";
    const EventLog log = expect_cut_anywhere(
        http(), {client(kAskSpdy + kGet), server(refusal), server("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
                 client(kAskSpdy), server(kSpdyGiven)});
    EXPECT_THAT(log.lines("response"),
                ElementsAre(StartsWith("response 0 403"), StartsWith("response 1 200"), StartsWith("response 2 101")));
    EXPECT_THAT(log.lines("upgraded"), ElementsAre(StartsWith("upgraded 2")));
}

TEST(Http1, NothingIsDecodedBeforeTheAnswerIsSeen) {
    const EventLog log = run_whole(http(), {client(kAskSpdy + kGet)});
    EXPECT_THAT(log.lines("request"), SizeIs(1));
}

TEST(Http1, UpgradeToWebSocket) {
    const std::string ask =
        "GET /exec/Jz4iRdTX HTTP/1.1\r\nSec-WebSocket-Version: 13\r\nConnection: Upgrade\r\nUpgrade: "
        "websocket\r\nSec-WebSocket-Protocol: v4.channel.k8s.io\r\n\r\n";
    const std::string given =
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Protocol: "
        "v4.channel.k8s.io\r\n\r\n";
    const EventLog log =
        expect_cut_anywhere(http(), {client(ask), server(given), server(ws_server("\x01")),
                                     client(ws_client(std::string("\0hi", 3))), server(ws_server("\x01hi\n"))});
    EXPECT_THAT(log.lines("upgraded"), ElementsAre("upgraded 0 carrier=1 \"v4.channel.k8s.io\""));
    EXPECT_THAT(log.lines("opened"), ElementsAre("opened 1 stdout decoded", "opened 0 stdin decoded"));
    EXPECT_EQ(log.data(0, Direction::to_server), "hi");
    EXPECT_EQ(log.data(1, Direction::to_client), "hi\n");
}

TEST(Http1, AnUpgradeToSomethingElseIsTheEnd) {
    const EventLog log = run_whole(http(), {client("GET / HTTP/1.1\r\nUpgrade: h2c\r\n\r\n"),
                                            server("HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n\0")});
    EXPECT_THAT(log.lines("problem"), ElementsAre(StartsWith("problem http.upgrade")));
}

// --- Docker's Engine API takes connections over

const std::string kStart =
    "POST /v1.43/exec/0123abc/start HTTP/1.1\r\nHost: docker\r\nContent-Length: 28\r\nContent-Type: "
    "application/json\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
    "{\"Detach\":false,\"Tty\":false}";

class Told final : public decode::Decoder {
public:
    explicit Told(bool multiplexed) : multiplexed_(multiplexed) {}
    decode::Step decode(Direction direction, std::uint64_t offset, Bytes unread, EventSink& sink) override {
        sink.on(Problem{multiplexed_ ? "test.multiplexed" : "test.raw", as_text(unread), direction, offset, 0});
        return decode::Step::took(unread.size());
    }
    bool gap(Direction, std::uint64_t, std::uint64_t, std::size_t, EventSink&) override { return true; }
    void end(Direction, EventSink&) override {}
    [[nodiscard]] std::size_t unread_bytes_max() const override { return 0; }

private:
    bool multiplexed_;
};

MakeDecoder docker() {
    return [] {
        return make_http1(
            {[](bool multiplexed) -> std::unique_ptr<decode::Decoder> { return std::make_unique<Told>(multiplexed); }});
    };
}

std::string taken_over(int status, std::string_view content_type) {
    const std::string upgrade = status == 101 ? "Connection: Upgrade\r\nUpgrade: tcp\r\n" : "";
    return "HTTP/1.1 " + std::to_string(status) + (status == 101 ? " UPGRADED" : " OK") +
           "\r\nContent-Type: application/vnd.docker." + std::string(content_type) + "\r\n" + upgrade + "\r\n";
}

TEST(Http1Docker, MultiplexedContentTypeSaysIt) {
    const EventLog log = run_whole(
        docker(), {client(kStart), server(taken_over(101, "multiplexed-stream")), client("in"), server("out")});
    EXPECT_THAT(log.lines("upgraded"), ElementsAre("upgraded 0 carrier=2 \"\""));
    EXPECT_THAT(log.lines("problem"),
                ElementsAre(HasSubstr("test.multiplexed c>s"), HasSubstr("test.multiplexed s>c")));
}

TEST(Http1Docker, RawContentTypeIsDecidedByTheFirstBytes) {
    const std::string header = from_hex("01000000 00000003") + "abc";
    EXPECT_THAT(run_whole(docker(), {client(kStart), server(taken_over(101, "raw-stream")), server(header.substr(0, 2)),
                                     server(header.substr(2))})
                    .lines("problem"),
                Contains(HasSubstr("test.multiplexed s>c")));
    EXPECT_THAT(
        run_whole(docker(), {client(kStart), server(taken_over(101, "raw-stream")), server("# ")}).lines("problem"),
        Contains(HasSubstr("test.raw s>c")));
}

TEST(Http1Docker, OldClientsAreTakenOverWith200) {
    const std::string attach = "POST /containers/abc/attach?stream=1 HTTP/1.1\r\n\r\n";
    const EventLog log =
        run_whole(docker(), {client(attach + "stdin"), server(taken_over(200, "raw-stream")), server("# ")});
    EXPECT_THAT(log.lines("upgraded"), SizeIs(1));
    EXPECT_THAT(log.lines("problem"), ElementsAre(HasSubstr("\"stdin\""), HasSubstr("\"# \"")));
}

TEST(Http1Docker, AnOrdinaryAnswerIsAnAnswer) {
    const EventLog log = expect_cut_anywhere(
        docker(), {client(kStart), server("HTTP/1.1 409 Conflict\r\nContent-Length: 2\r\n\r\n{}"), client(kGet)});
    EXPECT_THAT(log.lines("request"), SizeIs(2));
    EXPECT_THAT(log.lines("upgraded"), IsEmpty());
}

TEST(Http1Docker, WithoutADecoderBothDirectionsAreStream0) {
    const EventLog log = expect_cut_anywhere(http(), {client(kStart), server(taken_over(101, "raw-stream")),
                                                      client("in"), server("out"), client_end(), server_end()});
    EXPECT_THAT(log.lines("opened"), ElementsAre("opened 0 unknown decoded"));
    EXPECT_EQ(log.data(0, Direction::to_client), "out");
    EXPECT_EQ(log.data(0, Direction::to_server), "in");
}

// --- holes

TEST(Http1Gap, InsideABodyWithALengthIsPassedOver) {
    const EventLog log =
        run_whole(http(), {client(kGet + kGet), server("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nab"),
                           server_gap(5), server("hijHTTP/1.1 204 No Content\r\n\r\n")});
    EXPECT_THAT(log.lines("http-end"),
                ElementsAre("http-end 0 c>s 0", "http-end 1 c>s 0", "http-end 0 s>c 5 incomplete", "http-end 1 s>c 0"));
}

TEST(Http1Gap, ExactlyToTheEndOfABody) {
    const EventLog log = run_whole(http(), {client(kGet), server("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nab"),
                                            server_gap(8), client(kGet), server("HTTP/1.1 204 No Content\r\n\r\n")});
    EXPECT_THAT(log.lines("response"), ElementsAre(StartsWith("response 0 200"), StartsWith("response 1 204")));
}

TEST(Http1Gap, InsideAChunkIsPassedOver) {
    const EventLog log =
        run_whole(http(), {client(kGet), server("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\nab"),
                           server_gap(6), server("\r\n1\r\nx\r\n0\r\n\r\n")});
    EXPECT_THAT(log.lines("http-end 0 s"), ElementsAre("http-end 0 s>c 3 incomplete"));
    EXPECT_THAT(log.lines("problem"), IsEmpty());
}

TEST(Http1Gap, BehindItTheNextAnswerIsFound) {
    const EventLog log =
        run_whole(http(), {client(kGet), server("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\nab"),
                           server_gap(100), server("garbage HTTP/1.1 x\r\n"), client(kGet),
                           server("}HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")});
    EXPECT_THAT(log.lines("http-end 0 s"), ElementsAre("http-end 0 s>c 2 incomplete"));
    EXPECT_THAT(log.lines("response"), ElementsAre(StartsWith("response 0 200"), StartsWith("response 1 201")));
    EXPECT_THAT(
        log.lines("problem"),
        ElementsAre(
            "problem http.resync s>c at 152 skipped=21 \"passed over until something begins that can be read\""));
}

TEST(Http1Gap, InsideAnAnswersHeadTheStatusIsTold) {
    const EventLog log = run_whole(http(), {client(kGet), server("HTTP/1.1 404 Not Fou"), server_gap(50), server("}"),
                                            client(kGet), server("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")});
    EXPECT_THAT(log.lines("response"), ElementsAre(StartsWith("response 0 404 \"\""), StartsWith("response 1 200")));
}

TEST(Http1Gap, InsideARequestsHeadTheRequestIsTold) {
    const EventLog log = run_whole(http(), {client("GET /metrics HTTP/1.1\r\nHost: node\r\nAccept: tex"),
                                            client_gap(50), server("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
                                            client("xxPOST /next HTTP/1.1\r\nA: b\r\n\r\n")});
    EXPECT_THAT(log.lines("request"), ElementsAre("request 0 \"GET\" \"/metrics\" \"HTTP/1.1\" | Host: \"node\"",
                                                  StartsWith("request 1 \"POST\" \"/next\"")));
}

TEST(Http1Gap, ACutRequestLineIsNotToldAsARequest) {
    EXPECT_THAT(run_whole(http(), {client("GET /exec/toke"), client_gap(50)}).lines("request"), IsEmpty());
}

TEST(Http1Gap, SnaplenCutsBothHeadsOfAnUpgrade) {
    // As in a capture of 96 bytes per packet: the token is inside, the headers are not, the frames are.
    SpdyWriter c, s;
    const std::string error = c.stream(1, "error");
    const EventLog log = expect_cut_anywhere(
        http(), {client("POST /exec/AN2T4988 HTTP/1.1\r\n"), client_gap(297), server("HTTP/1.1 101 Switching Protoco"),
                 server_gap(92), client(error.substr(0, error.size() - 1)), client_gap(1), server(s.syn_reply(1)),
                 client(c.stream(3, "stdout")), server(s.syn_reply(3)), server(s.data(3, "out1\n")), server(s.fin(3)),
                 server(s.data(1, std::string(264, 'x')).substr(0, 38)), server_gap(234), server(s.rst(1)),
                 server(s.goaway(3))});
    EXPECT_THAT(log.lines("request"), ElementsAre("request 0 \"POST\" \"/exec/AN2T4988\" \"HTTP/1.1\""));
    EXPECT_THAT(log.lines("response"), ElementsAre(StartsWith("response 0 101")));
    EXPECT_THAT(log.lines("upgraded"), ElementsAre("upgraded 0 carrier=0 \"\""));
    EXPECT_THAT(log.lines("opened"), ElementsAre("opened 1 error decoded", "opened 3 stdout decoded"));
    EXPECT_EQ(log.data(3, Direction::to_client), "out1\n");
    EXPECT_THAT(log.lines("closed"), ElementsAre("closed 3 s>c fin status=0", "closed 1 s>c reset status=5"));
    EXPECT_THAT(log.lines("exit"), IsEmpty()) << "its status has a hole";
    EXPECT_THAT(log.lines("problem"), IsEmpty()) << "no byte that was captured was given up";
}

TEST(Http1Gap, OnlyTheRequestIsCut) {
    SpdyWriter c;
    const EventLog log =
        run_whole(http(), {client("POST /exec/AN2T4988 HTTP/1.1\r\nHost: x\r\nUpg"), client_gap(100),
                           client(c.stream(1, "error")), server(kSpdyGiven), client(c.stream(3, "stdin"))});
    EXPECT_THAT(log.lines("upgraded"), ElementsAre("upgraded 0 carrier=0 \"v4.channel.k8s.io\""));
    EXPECT_THAT(log.lines("opened"), ElementsAre("opened 1 error decoded", "opened 3 stdin decoded"));
}

TEST(Http1Gap, TheAnswerToAnUpgradeIsMissing) {
    SpdyWriter c, s;
    const std::string first = c.stream(1, "error");
    const EventLog log = run_whole(http(), {client(kAskSpdy), client(first), server_gap(122), server(s.syn_reply(1)),
                                            client(c.stream(3, "stdout")), server(s.data(3, "abc"))});
    EXPECT_THAT(log.lines("upgraded"), ElementsAre("upgraded 0 carrier=0 \"\""));
    EXPECT_THAT(log.lines("opened"), ElementsAre("opened 1 error decoded", "opened 3 stdout decoded"));
    EXPECT_EQ(log.data(3, Direction::to_client), "abc");
}

TEST(Http1Gap, TheAnswerToAWebSocketUpgradeIsCut) {
    const std::string ask = "GET /exec/Jz4iRdTX HTTP/1.1\r\nUpgrade: websocket\r\nSec-WebSocket-Pro";
    const EventLog log =
        run_whole(http(), {client(ask), client_gap(100), server("HTTP/1.1 101 Switching Protocols\r\n"), server_gap(90),
                           server(ws_server("\x01")), client(ws_client(std::string("\0echo\n", 6))),
                           client(ws_client(std::string("\0echo\n", 6))), server(ws_server("\x01hi"))});
    EXPECT_THAT(log.lines("upgraded"), ElementsAre("upgraded 0 carrier=1 \"\""));
    EXPECT_EQ(log.data(0, Direction::to_server), "echo\necho\n");
    EXPECT_EQ(log.data(1, Direction::to_client), "hi");
}

// What is left of `whole` when bytes are missing.
bool is_part_of(std::string_view part, std::string_view whole) {
    for (const char c : whole)
        if (!part.empty() && part.front() == c) part.remove_prefix(1);
    return part.empty();
}

TEST(Http1Gap, EverywhereInAnExecNothingIsInvented) {
    // Every stretch of bytes of either side may be missing: what is told of the rest must be true.
    const Conversation talk = spdy_exec();
    std::string sides[2];
    for (const Turn& turn : talk) sides[index_of(turn.direction)] += turn.bytes;
    for (const std::size_t length : {1, 4, 30, 150, 400}) {
        for (std::size_t at = 0; at + length < sides[0].size() + sides[1].size(); ++at) {
            Conversation lossy;
            std::size_t seen = 0;
            for (const Turn& turn : talk) {
                if (turn.kind != Turn::Kind::bytes) {
                    lossy.push_back(turn);
                    continue;
                }
                Turn part = turn;
                part.bytes.clear();
                for (const char byte : turn.bytes) {
                    if (seen >= at && seen < at + length) {
                        if (!part.bytes.empty()) lossy.push_back(part);
                        part.bytes.clear();
                        if (!lossy.empty() && lossy.back().kind == Turn::Kind::gap &&
                            lossy.back().direction == turn.direction)
                            ++lossy.back().missing;
                        else
                            lossy.push_back({Turn::Kind::gap, turn.direction, {}, 1});
                    } else {
                        part.bytes += byte;
                    }
                    ++seen;
                }
                if (!part.bytes.empty()) lossy.push_back(part);
            }
            const EventLog log = run_whole(http(), lossy);
            const std::string where = "missing " + std::to_string(length) + " at " + std::to_string(at);
            for (const std::string& line : log.lines("opened")) {
                const bool right = line.starts_with("opened 1 error") || line.starts_with("opened 3 stdout") ||
                                   line.find(" unknown ") != std::string::npos;
                ASSERT_TRUE(right) << where << ": " << line;
            }
            for (const std::string& line : log.lines("named"))
                ASSERT_TRUE(line.starts_with("named 1 error") || line.starts_with("named 3 stdout"))
                    << where << ": " << line;
            for (const std::string& line : log.lines("exit"))
                ASSERT_EQ(line, "exit 1 success code=0 \"\" \"\"") << where;
            ASSERT_LE(log.lines("exit").size(), 1U) << where;
            ASSERT_TRUE(is_part_of(log.data(3, Direction::to_client), "out\n")) << where;
        }
    }
}

TEST(Http1Late, TheFirstWholeMessageIsFound) {
    const EventLog log =
        expect_cut_anywhere([] { return make_http1_late(); },
                            {server("rest of a body}HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
                             client("st of it"), client(kGet), server("HTTP/1.1 204 No Content\r\n\r\n")});
    EXPECT_THAT(log.lines("response"), ElementsAre(StartsWith("response 0 200"), StartsWith("response 1 204")));
    EXPECT_THAT(log.lines("request"), ElementsAre(StartsWith("request 1 \"GET\"")));
}

struct PurposeRow {
    const char* target;
    Purpose purpose;
};
class PurposeOf : public ::testing::TestWithParam<PurposeRow> {};
TEST_P(PurposeOf, IsReadFromThePath) {
    EXPECT_EQ(purpose_of(GetParam().target), GetParam().purpose) << GetParam().target;
}
INSTANTIATE_TEST_SUITE_P(
    Table, PurposeOf,
    ::testing::Values(PurposeRow{"/exec/6NLIxyz0", Purpose::remote_command},
                      PurposeRow{"/attach/6NLIxyz0", Purpose::remote_command},
                      PurposeRow{"/portforward/6NLIxyz0", Purpose::port_forward},
                      PurposeRow{"/cri/exec/6NLIxyz0", Purpose::remote_command},
                      PurposeRow{"/portForward/default/web?port=80", Purpose::port_forward},
                      PurposeRow{"/exec/default/web/main?command=sh", Purpose::remote_command},
                      PurposeRow{"/api/v1/namespaces/default/pods/p/exec?command=sh", Purpose::remote_command},
                      PurposeRow{"/api/v1/namespaces/exec/pods/attach/portforward", Purpose::port_forward},
                      PurposeRow{"/api/v1/namespaces/exec/pods/p/log", Purpose::unknown},
                      PurposeRow{"/k8s/clusters/c-1/api/v1/namespaces/d/pods/p/attach", Purpose::remote_command},
                      PurposeRow{"/execute/x", Purpose::unknown}, PurposeRow{"/", Purpose::unknown},
                      PurposeRow{"", Purpose::unknown}, PurposeRow{"/exec", Purpose::unknown},
                      PurposeRow{"/?x=/exec/", Purpose::unknown}));

}  // namespace
}  // namespace hopscope::tests
