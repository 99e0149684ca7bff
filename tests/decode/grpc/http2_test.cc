// HTTP/2 connections: frames, header blocks, requests and answers that are not CRI.
#include "decode/grpc/http2.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "decode/grpc/grpc.h"
#include "support/cut_anywhere.h"
#include "wire.h"

namespace hopscope::tests {
namespace {

using decode::grpc::Http2;
using decode::grpc::make_http2;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::StartsWith;

EventLog from_start(const Conversation& talk) {
    return expect_cut_anywhere([] { return make_http2(false); }, talk);
}
EventLog joined_late(const Conversation& talk) {
    return expect_cut_anywhere([] { return make_http2(true); }, talk);
}

const Fields kGetPods = {{":method", "GET"},
                         {":scheme", "https"},
                         {":authority", "127.0.0.1:10250"},
                         {":path", "/pods"},
                         {"accept", "application/json"}};

TEST(Http2, TellsRequestsAndAnswersLikeHttp1WithTheStreamAsExchange) {
    Deflater up, down;
    const EventLog log = from_start(
        {client(preface() + up.headers(1, kGetPods, true)),
         server(frame(4, 0, 0, "") + down.headers(1, {{":status", "200"}, {"content-type", "application/json"}}) +
                data(1, "{\"kind\":") + data(1, "\"PodList\"}", true))});
    EXPECT_THAT(
        log.lines(),
        ElementsAre(R"(request 1 "GET" "/pods" "HTTP/2" | host: "127.0.0.1:10250" | accept: "application/json")",
                    "http-end 1 c>s 0", R"(response 1 200 "" "HTTP/2" | content-type: "application/json")",
                    R"(body 1 s>c 18 "{\"kind\":\"PodList\"}")", "http-end 1 s>c 18"));
}

TEST(Http2, ReadsPaddingPriorityAndContinuation) {
    Deflater up;
    const std::string block = up.block(kGetPods);
    const std::string priority = from_hex("80000000 10");
    const std::string padded = std::string(1, '\x03') + priority + block.substr(0, 5) + std::string(3, '\0');
    const EventLog log =
        from_start({client(preface() + frame(1, 0x08 | 0x20 | 0x01, 1, padded) + frame(9, 0, 1, block.substr(5, 7)) +
                           frame(9, 4, 1, block.substr(12)) + up.headers(3, {{":method", "POST"}, {":path", "/run"}}) +
                           frame(0, 0x09, 3, std::string(1, '\x04') + "body" + std::string(4, 'p')))});
    EXPECT_THAT(log.lines("request 1"), ElementsAre(HasSubstr("\"/pods\"")));
    EXPECT_THAT(log.lines("body"), ElementsAre(R"(body 3 c>s 4 "body")"));
    EXPECT_THAT(log.lines("http-end"), ElementsAre("http-end 1 c>s 0", "http-end 3 c>s 4"));
    EXPECT_THAT(log.lines("problem"), IsEmpty());
}

TEST(Http2, KeepsInterimAnswersAndTrailersApart) {
    Deflater up, down;
    const EventLog log = from_start(
        {client(preface() + up.headers(1, kGetPods, true)),
         server(seq({down.headers(1, {{":status", "103"}, {"link", "x"}}), down.headers(1, {{":status", "200"}}),
                     data(1, "b"), down.headers(1, {{"checksum", "9"}}, true)}))});
    EXPECT_THAT(log.lines("response"),
                ElementsAre(R"(response 1 103 "" "HTTP/2" | link: "x")", R"(response 1 200 "" "HTTP/2")"));
    EXPECT_THAT(log.lines("http-end 1 s>c"), ElementsAre("http-end 1 s>c 1"));
}

TEST(Http2, TellsPushedRequests) {
    Deflater up, down;
    const EventLog log = from_start(
        {client(preface() + up.headers(1, kGetPods, true)),
         server(seq({frame(5, 4, 1, be32(2) + down.block({{":method", "GET"}, {":path", "/style.css"}})),
                     down.headers(2, {{":status", "200"}}, true), down.headers(1, {{":status", "204"}}, true)}))});
    EXPECT_THAT(log.lines("request 2"), ElementsAre(StartsWith(R"(request 2 "GET" "/style.css")")));
    EXPECT_THAT(log.lines("response"), SizeIs(2));
}

TEST(Http2, FollowsTheHeaderTableSizeThatTheOtherSideAnnounced) {
    Deflater up(1U << 16), down;
    const std::string settings = frame(4, 0, 0, from_hex("0001 0000ffff"));
    const std::string ack = frame(4, 1, 0, "");
    std::string requests = preface() + up.headers(1, kGetPods, true);
    up.table_size(65535);
    // More than 4096 bytes of entries, all of them used again.
    std::string more = ack;
    for (int round = 0; round < 2; ++round)
        for (std::uint32_t i = 0; i < 60; ++i)
            more +=
                up.headers(3 + 2 * (i + 60 * round),
                           {{":method", "GET"}, {":path", "/" + std::string(100, static_cast<char>('A' + i))}}, true);
    const EventLog log = expect_cut_anywhere(
        [] { return make_http2(false); },
        {client(requests), server(frame(4, 0, 0, "") + settings), client(frame(4, 1, 0, "") + more)}, 6);
    EXPECT_THAT(log.lines("problem"), IsEmpty());
    EXPECT_THAT(log.lines("request"), SizeIs(121));
}

TEST(Http2, EndsWhatIsOpenWhenTheConnectionEnds) {
    Deflater up, down;
    const EventLog log =
        from_start({client(preface() + up.headers(1, kGetPods) + data(1, "abc")),
                    server(down.headers(1, {{":status", "200"}}) + data(1, "de")), server_end(), client_end()});
    EXPECT_THAT(log.lines("http-end"), ElementsAre("http-end 1 s>c 2 incomplete", "http-end 1 c>s 3 incomplete"));
}

TEST(Http2, EndsAStreamThatIsReset) {
    Deflater up, down;
    const EventLog log = from_start({client(preface() + up.headers(1, kGetPods)), server(reset_frame(1, 8)),
                                     client(data(1, "still on its way", true) + up.headers(3, kGetPods, true))});
    EXPECT_THAT(log.lines("http-end"), ElementsAre("http-end 1 c>s 0 incomplete", "http-end 3 c>s 0"));
    EXPECT_THAT(log.lines("body"), IsEmpty());
}

TEST(Http2, EndsStreamsThatTheServerWillNotAnswer) {
    Deflater up;
    const EventLog log = from_start({client(seq({preface(), up.headers(1, kGetPods), up.headers(3, kGetPods)})),
                                     server(frame(7, 0, 0, be32(1) + be32(0))), client(data(1, "x", true))});
    EXPECT_THAT(log.lines("http-end"), ElementsAre("http-end 3 c>s 0 incomplete", "http-end 1 c>s 1"));
}

TEST(Http2, IgnoresFrameTypesThatItDoesNotKnow) {
    Deflater up;
    const EventLog log = from_start(
        {client(preface() + frame(0xec, 0xff, 77, std::string(90'000, 'x')) + up.headers(1, kGetPods, true))});
    EXPECT_THAT(log.lines(), SizeIs(2));
    EXPECT_THAT(log.lines("problem"), IsEmpty());
}

// --- what is wrong

TEST(Http2, SaysWhatIsWrongAndFindsTheNextFrames) {
    Deflater up;
    const std::string before = preface() + up.headers(1, kGetPods, true);
    const std::string after = ping() + ping() + Deflater().headers(3, kGetPods, true);
    struct Case {
        std::string bytes, text;
    };
    for (const Case& c : {Case{frame(6, 0, 0, "short"), "PING is not 8 bytes long"},
                          Case{frame(0, 0, 0, "x"), "a frame that needs a stream is on stream 0"},
                          Case{frame(0, 8, 1, "\x09xx"), "DATA has more padding than payload"},
                          Case{frame(9, 4, 1, "x"), "CONTINUATION without a header block"},
                          Case{frame(1, 0, 1, "") + ping(), "a header block is not continued"},
                          Case{frame(1, 0x2c, 5, "x"), "a header frame is shorter than its fields"}}) {
        const EventLog log = from_start({client(before + c.bytes + after)});
        EXPECT_THAT(log.lines("problem"), ElementsAre(HasSubstr(c.text))) << c.text;
        EXPECT_THAT(log.lines("problem"), ElementsAre(StartsWith("problem http2.frame c>s at "))) << c.text;
        EXPECT_THAT(log.lines("request 3"), SizeIs(1)) << c.text;
    }
}

TEST(Http2, SaysThatTheConnectionDoesNotBeginAsItShould) {
    const EventLog log =
        from_start({client("PRI * HTTP/1.1\r\n\r\n" + ping() + ping() + Deflater().headers(1, kGetPods))});
    EXPECT_THAT(log.lines(), ElementsAre(HasSubstr("connection preface"), StartsWith("request 1")));
}

TEST(Http2, SaysThatAHeaderBlockIsDamaged) {
    const EventLog log = from_start({client(preface() + frame(1, 5, 1, from_hex("82 ff ff ff ff ff ff")))});
    EXPECT_THAT(log.lines("problem"), ElementsAre(StartsWith("problem http2.hpack c>s at 33 ")));
    EXPECT_THAT(log.lines("request"), ElementsAre(StartsWith(R"(request 1 "GET" "")")));
}

TEST(Http2, GivesUpHeaderBlocksWithoutEnd) {
    std::string flood = preface() + frame(1, 0, 1, "");
    for (int i = 0; i < 10; ++i) flood += frame(9, i == 9 ? 4 : 0, 1, std::string(10'000, '\x82'));
    flood += frame(1, 5, 3, std::string(70'000, '\x82')) + Deflater().headers(5, kGetPods, true);
    const EventLog log = run_whole([] { return make_http2(false); }, {client(flood)});
    EXPECT_THAT(log.lines("problem"), SizeIs(2));
    EXPECT_THAT(log.lines("problem"), Contains(HasSubstr("a header block is larger than can be held")).Times(2));
    EXPECT_THAT(log.lines("request 5"), ElementsAre(HasSubstr("\"/pods\"")));
    EXPECT_THAT(log.lines("http-end 3"), ElementsAre("http-end 3 c>s 0"));
}

// --- what was not captured

TEST(Http2, KeepsItsPlaceWhenAHoleLiesInsideOneFrame) {
    Deflater up, down;
    const std::string body = data(1, std::string(1000, 'b'));
    const EventLog log = from_start(
        {client(preface() + up.headers(1, kGetPods, true)),
         server(down.headers(1, {{":status", "200"}, {"x-first", "1"}}) + body.substr(0, 309)), server_gap(500),
         server(body.substr(809) + data(1, "end", true)), client(up.headers(3, kGetPods, true)),
         server(down.headers(3, {{":status", "200"}, {"x-first", "1"}}, true))});
    EXPECT_EQ(log.body(1, Direction::to_client), std::string(500, 'b') + "end");
    EXPECT_THAT(log.lines("http-end 1 s>c"), ElementsAre("http-end 1 s>c 503 incomplete"));
    // The header table was not lost.
    EXPECT_THAT(log.lines("response 3"), ElementsAre(HasSubstr("x-first: \"1\"")));
}

TEST(Http2, FindsTheNextFrameBehindAHole) {
    IndexingDeflater up;
    const std::string first = preface() + up.headers(1, kGetPods, true), lost = up.headers(3, kGetPods, true);
    const EventLog log =
        from_start({client(first), client_gap(lost.size()), client(ping() + ping() + up.headers(5, kGetPods, true))});
    // What is only an index into the table is unknown from here on.
    EXPECT_THAT(log.lines("request"),
                ElementsAre(StartsWith(R"(request 1 "GET" "/pods")"), R"(request 5 "" "" "HTTP/2")"));
    EXPECT_THAT(log.lines("problem"), IsEmpty());
}

TEST(Http2, ReadsWhatIsLiteralWhenItJoinsLate) {
    IndexingDeflater up;
    const std::string missed = preface() + up.headers(1, kGetPods, true);
    Fields fields = kGetPods;
    fields[3].second = "/stats/summary";
    const std::string seen = seq({up.headers(3, fields, true), up.headers(5, fields, true)});
    const EventLog log = joined_late({client(missed.substr(missed.size() - 7) + ping() + ping() + seen)});
    // The new path is known, also when it comes again; the rest stood in the table before.
    EXPECT_THAT(log.lines(), ElementsAre(R"(request 3 "" "/stats/summary" "HTTP/2")", "http-end 3 c>s 0",
                                         R"(request 5 "" "/stats/summary" "HTTP/2")", "http-end 5 c>s 0"));
}

TEST(Http2, KnowsThePrefaceEvenWhenItExpectsToBeLate) {
    Deflater up;
    const EventLog log =
        joined_late({client(seq({preface(), up.headers(1, kGetPods, true), up.headers(3, kGetPods, true)}))});
    EXPECT_THAT(log.lines("request"), ElementsAre(HasSubstr("\"/pods\""), HasSubstr("\"/pods\"")));
}

// --- memory

TEST(Http2, StaysFlatOverManyStreams) {
    Http2 decoder(false);
    Deflater up, down;
    struct Count final : EventSink {
        void on(const Event&) override { ++events; }
        std::size_t events = 0;
    } count;
    const auto feed = [&](Direction direction, const std::string& bytes) {
        const decode::Step step = decoder.decode(direction, 0, as_bytes(bytes), count);
        ASSERT_EQ(step.taken, bytes.size());
    };
    feed(Direction::to_server, preface());
    for (std::uint32_t stream = 1; stream < 200'000; stream += 2) {
        feed(Direction::to_server, up.headers(stream, kGetPods, true));
        feed(Direction::to_client, down.headers(stream, {{":status", "200"}}) + data(stream, "x", true));
        ASSERT_EQ(decoder.open_streams(), 0U);
    }
    EXPECT_EQ(count.events, 100'000U * 5);
}

TEST(Http2, HoldsABoundedNumberOfStreams) {
    Http2 decoder(false);
    Deflater up;
    EventLog log;
    std::string bytes = preface();
    for (std::uint32_t i = 0; i < 5000; ++i) bytes += up.headers(2 * i + 1, kGetPods);
    decoder.decode(Direction::to_server, 0, as_bytes(bytes), log);
    EXPECT_EQ(decoder.open_streams(), limits::kStreamsPerConnectionMax);
    EXPECT_THAT(log.lines("http-end"), SizeIs(5000 - limits::kStreamsPerConnectionMax));
    decoder.end(Direction::to_server, log);
    decoder.end(Direction::to_client, log);
    EXPECT_EQ(decoder.open_streams(), 0U);
}

}  // namespace
}  // namespace hopscope::tests
