// SPDY with holes and joined late: the boundary is found again, and no name is ever wrong.
#include <gmock/gmock.h>

#include "decode/stream/upgraded.h"
#include "support/cut_anywhere.h"
#include "support/spdy_writer.h"

namespace hopscope::tests {
namespace {

using ::testing::AnyOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;
using namespace decode::stream;

const std::string kSuccess = R"({"metadata":{},"status":"Success"})";

MakeDecoder exec() {
    return [] { return make_spdy("v4.channel.k8s.io", Purpose::remote_command); };
}
MakeDecoder forward() {
    return [] { return make_spdy("portforward.k8s.io", Purpose::port_forward); };
}
MakeDecoder late() {
    return [] { return make_spdy_late(); };
}

// --- holes where the length of the frame is known

TEST(SpdyGap, InsideADataFrameFramingIsKept) {
    SpdyWriter c;
    const std::string frame = SpdyWriter::data(3, "0123456789");
    const EventLog log = expect_cut_anywhere(
        exec(), {client(c.stream(1, "error")), client(c.stream(3, "stdout")), server(frame.substr(0, 10)),
                 server_gap(5), server(frame.substr(15)), server(SpdyWriter::data(3, "next"))});
    EXPECT_EQ(log.data(3, Direction::to_client), "01789next");
    EXPECT_THAT(log.lines("spdy s>c"), SizeIs(2)) << "the frame is counted past its hole";
    EXPECT_THAT(log.lines("problem"), IsEmpty());
}

TEST(SpdyGap, TheWholePayloadOrItsEndMayBeMissing) {
    SpdyWriter c;
    for (const std::size_t seen : {8U, 9U, 17U}) {
        const std::string frame = SpdyWriter::data(3, "0123456789", 1);
        const EventLog log =
            run_whole(exec(), {client(c.stream(1, "error")), client(c.stream(3, "stdout")),
                               server(frame.substr(0, seen)), server_gap(18 - seen), server(SpdyWriter::ping(1))});
        EXPECT_THAT(log.lines("spdy s>c"),
                    ElementsAre(StartsWith("spdy s>c type=0 flags=1"), StartsWith("spdy s>c type=6")))
            << seen;
        EXPECT_THAT(log.lines("closed"), ElementsAre("closed 3 s>c fin status=0")) << seen;
    }
}

TEST(SpdyGap, AControlFrameWithAHoleKeepsWhatIsThere) {
    SpdyWriter c;
    const std::string error = c.stream(1, "error"), out = c.stream(3, "stdout"), err = c.stream(5, "stderr");
    // The number of the stream is there, its header block is not; the next one depends on it.
    const EventLog log =
        run_whole(exec(), {client(error), client(out.substr(0, 20)), client_gap(out.size() - 20), client(err),
                           server(SpdyWriter::data(3, "x")), server(SpdyWriter::data(5, "y"))});
    EXPECT_THAT(log.lines("opened"), ElementsAre("opened 1 error decoded", StartsWith("opened 3 unknown inferred"),
                                                 StartsWith("opened 5 stderr inferred")));
    EXPECT_THAT(log.lines("spdy c>s"), ElementsAre(StartsWith("spdy c>s type=1 flags=0 stream=1 "),
                                                   HasSubstr("stream=3"), HasSubstr("stream=5")));
    EXPECT_THAT(log.lines("named"), ElementsAre(StartsWith("named 3 stdout inferred")));
}

TEST(SpdyGap, OnlyTheFlushOfABlockIsMissing) {
    SpdyWriter c;
    const std::string error = c.stream(1, "error");
    for (std::size_t lost = 1; lost <= 4; ++lost) {
        SpdyWriter again;
        const std::string first = again.stream(1, "error"), second = again.stream(3, "stdout");
        const EventLog log =
            run_whole(exec(), {client(first.substr(0, first.size() - lost)), client_gap(lost), client(second)});
        EXPECT_THAT(log.lines("opened"), ElementsAre("opened 1 error decoded", "opened 3 stdout decoded")) << lost;
    }
}

// --- holes that swallow a boundary

TEST(SpdyGap, BehindItTheBoundaryIsFoundAgain) {
    SpdyWriter c;
    Conversation talk = {client(in_order({c.stream(1, "error"), c.stream(3, "stdout")})),
                         server(SpdyWriter::data(3, "before")), server_gap(1000)};
    talk.push_back(server("rest of a payload" + SpdyWriter::data(3, "one\n") + SpdyWriter::data(3, "two\n") +
                          SpdyWriter::data(3, "three\n") + SpdyWriter::fin(3)));
    const EventLog log = expect_cut_anywhere(exec(), talk);
    EXPECT_EQ(log.data(3, Direction::to_client), "beforeone\ntwo\nthree\n");
    EXPECT_THAT(log.lines("problem"),
                ElementsAre("problem spdy.resync s>c at 1014 skipped=17 \"passed over until a frame begins\""));
}

TEST(SpdyGap, OneControlFrameIsEnough) {
    SpdyWriter c;
    for (const std::string& anchor : {SpdyWriter::ping(7), SpdyWriter::rst(1), SpdyWriter::goaway(3)}) {
        const EventLog log = expect_cut_anywhere(
            exec(),
            {client(in_order({c.stream(1, "error"), c.stream(3, "stdout")})), server_gap(100), server("rest" + anchor)},
            6);
        EXPECT_THAT(log.lines("spdy s>c"), SizeIs(1));
    }
}

TEST(SpdyGap, WhereASegmentBeginsTwoDataFramesAreEnough) {
    SpdyWriter c;
    const EventLog log =
        run_whole(exec(), {client(in_order({c.stream(1, "error"), c.stream(3, "stdout")})), server_gap(100),
                           server(SpdyWriter::data(3, "abc") + SpdyWriter::data(3, "def"))});
    EXPECT_EQ(log.data(3, Direction::to_client), "abcdef");
}

TEST(SpdyGap, APayloadThatLooksLikeFramesDoesNotFoolForLong) {
    SpdyWriter c;
    // Behind the hole comes the rest of a payload that itself holds two likely heads, then the truth.
    const std::string decoy =
        SpdyWriter::data(5, "abcd") + SpdyWriter::data(5, "efgh") + "and then text that is no frame at all .......";
    const EventLog log =
        expect_cut_anywhere(exec(), {client(in_order({c.stream(1, "error"), c.stream(3, "stdout")})), server_gap(100),
                                     server(decoy + SpdyWriter::data(3, "one\n") + SpdyWriter::data(3, "two\n") +
                                            SpdyWriter::data(3, "three\n") + SpdyWriter::ping(1))});
    EXPECT_THAT(log.data(3, Direction::to_client), ::testing::EndsWith("three\n"));
    EXPECT_THAT(log.lines("spdy s>c type=6"), SizeIs(1));
    EXPECT_THAT(log.lines("problem"), Contains(StartsWith("problem spdy.resync")));
}

TEST(SpdyGap, NothingFoundUntilTheEndIsCounted) {
    SpdyWriter c;
    const EventLog log =
        run_whole(exec(), {client(c.stream(1, "error")), server_gap(100), server(std::string(300, 'x')), server_end()});
    EXPECT_THAT(log.lines("problem"),
                ElementsAre("problem spdy.resync s>c at 100 skipped=300 \"passed over until a frame begins\""));
}

TEST(SpdyGap, NoSearchHoldsMoreThanItsLimit) {
    decode::Road road(make_spdy_late());
    EventLog log;
    // Every ninth byte begins what may be a long frame.
    std::string bytes;
    while (bytes.size() < (1 << 20)) bytes += big_endian(1, 4) + big_endian(0x00f000, 4) + "x";
    std::size_t most = 0;
    for (std::size_t at = 0; at < bytes.size(); at += 1000) {
        road.feed(Direction::to_client, as_bytes(bytes).subspan(at, std::min<std::size_t>(1000, bytes.size() - at)),
                  log);
        most = std::max(most, road.held_bytes());
    }
    EXPECT_FALSE(road.dead());
    EXPECT_LT(most, 600U * 1024);
}

// --- every hole and every late start: what is told is true

struct Truth {
    StreamKind kind;
    std::string port, request;  // as in the event's text; empty: none
};

// `invented` counts streams that never were.
void expect_true_names(const EventLog& log, const std::map<std::uint32_t, Truth>& truth, const std::string& where,
                       int& invented) {
    for (const char* event : {"opened ", "named "}) {
        for (const std::string& line : log.lines(event)) {
            const std::uint32_t id = static_cast<std::uint32_t>(std::stoul(line.substr(line.find(' ') + 1)));
            if (!truth.contains(id)) {
                ASSERT_NE(line.find(" inferred"), std::string::npos) << where << ": " << line;
                invented += line.starts_with("opened ");
                continue;
            }
            const Truth& stream = truth.at(id);
            const std::string kind(to_string(stream.kind));
            const bool right =
                line.find(" unknown ") != std::string::npos || line.find(' ' + kind + ' ') != std::string::npos;
            ASSERT_TRUE(right) << where << ": " << line;
            if (line.find(" port=") != std::string::npos) {
                ASSERT_NE(line.find(" port=" + stream.port), std::string::npos) << where << ": " << line;
            }
            if (line.find(" request=") != std::string::npos) {
                ASSERT_NE((line + ' ').find(" request=" + stream.request + ' '), std::string::npos)
                    << where << ": " << line;
            }
        }
    }
}

struct Scene {
    const char* what;
    bool forwards;
    Conversation talk;
    std::map<std::uint32_t, Truth> truth;
};

Scene exec_scene(bool in, bool out, bool err, bool tty) {
    SpdyWriter c, s;
    Scene scene{"exec", false, {}, {}};
    std::uint32_t next = 1;
    std::map<StreamKind, std::uint32_t> ids;
    const auto open = [&](StreamKind kind) {
        scene.talk.push_back(client(c.stream(next, to_string(kind))));
        scene.talk.push_back(server(s.syn_reply(next)));
        scene.truth[next] = {kind, "", ""};
        ids[kind] = next;
        next += 2;
    };
    open(StreamKind::error);
    if (in) open(StreamKind::in);
    if (out) open(StreamKind::out);
    if (err) open(StreamKind::err);
    if (tty) open(StreamKind::resize);
    for (int i = 0; i < 3; ++i) {
        if (in)
            scene.talk.push_back(client(SpdyWriter::data(ids[StreamKind::in], "command " + std::to_string(i) + "\n")));
        if (tty)
            scene.talk.push_back(client(
                SpdyWriter::data(ids[StreamKind::resize], "{\"Width\":80,\"Height\":2" + std::to_string(i) + "}\n")));
        scene.talk.push_back(client(SpdyWriter::ping(2 * static_cast<std::uint32_t>(i) + 1)));
        if (out) scene.talk.push_back(server(SpdyWriter::data(ids[StreamKind::out], "output\n")));
        if (err) scene.talk.push_back(server(SpdyWriter::data(ids[StreamKind::err], "complaint\n")));
        scene.talk.push_back(server(SpdyWriter::ping(2 * static_cast<std::uint32_t>(i) + 1)));
    }
    if (in) scene.talk.push_back(client(SpdyWriter::fin(ids[StreamKind::in])));
    if (out) scene.talk.push_back(server(SpdyWriter::fin(ids[StreamKind::out])));
    if (err) scene.talk.push_back(server(SpdyWriter::fin(ids[StreamKind::err])));
    scene.talk.push_back(server(SpdyWriter::data(1, kSuccess)));
    scene.talk.push_back(server(SpdyWriter::rst(1)));
    scene.talk.push_back(server(SpdyWriter::goaway(next - 2)));
    scene.talk.push_back(server_end());
    scene.talk.push_back(client_end());
    return scene;
}

// Serial connections; some refused, some silent, in random pair orders.
Scene forward_scene(std::uint32_t seed) {
    SpdyWriter c, s;
    std::mt19937 random(seed);
    Scene scene{"port-forward", true, {}, {}};
    for (std::uint32_t n = 0; n < 5; ++n) {
        const std::uint32_t error = 4 * n + 1, data = 4 * n + 3;
        const int port = n % 2 == 0 ? 18080 : 9999, request = static_cast<int>(8 + n);
        for (const bool is_error : {true, false}) {
            const std::uint32_t id = is_error ? error : data;
            scene.truth[id] = {is_error ? StreamKind::error : StreamKind::data, std::to_string(port),
                               std::to_string(request)};
            scene.talk.push_back(
                client(c.forward(id, is_error ? "error" : "data", port, request, static_cast<unsigned>(random()))));
            scene.talk.push_back(server(s.syn_reply(id)));
            if (is_error) scene.talk.push_back(client(SpdyWriter::fin(id)));
        }
        const auto behaviour = random() % 4;
        if (behaviour == 0) {
            scene.talk.push_back(server(SpdyWriter::data(
                error, "error forwarding port " + std::to_string(port) + " to pod x, uid : refused ")));
        } else if (behaviour == 1) {
            // Nobody says anything.
        } else {
            scene.talk.push_back(client(SpdyWriter::data(data, "GET / HTTP/1.1\r\n\r\n")));
            scene.talk.push_back(server(SpdyWriter::data(data, "HTTP/1.1 200 OK\r\n\r\nhello")));
        }
        scene.talk.push_back(client(SpdyWriter::fin(data)));
        scene.talk.push_back(server(SpdyWriter::fin(data)));
        scene.talk.push_back(server(SpdyWriter::fin(error)));
        scene.talk.push_back(client(SpdyWriter::ping(2 * n + 1)));
        scene.talk.push_back(server(SpdyWriter::ping(2 * n + 1)));
    }
    scene.talk.push_back(client(SpdyWriter::goaway(0)));
    return scene;
}

std::vector<Scene> scenes() {
    std::vector<Scene> out = {exec_scene(false, true, true, false), exec_scene(true, true, true, false),
                              exec_scene(true, true, false, true), exec_scene(false, true, false, false),
                              exec_scene(false, true, false, true)};
    for (std::uint32_t seed = 1; seed <= 6; ++seed) out.push_back(forward_scene(seed));
    return out;
}

std::size_t total_bytes(const Conversation& talk) {
    std::size_t total = 0;
    for (const Turn& turn : talk) total += turn.bytes.size();
    return total;
}

// The same conversation without the bytes [from, from + length) of all that is said.
Conversation without(const Conversation& talk, std::size_t from, std::size_t length) {
    Conversation out;
    std::size_t said = 0;
    for (const Turn& turn : talk) {
        if (turn.kind != Turn::Kind::bytes) {
            out.push_back(turn);
            continue;
        }
        const std::size_t size = turn.bytes.size();
        const std::size_t cut_begin = std::clamp(from, said, said + size) - said,
                          cut_end = std::clamp(from + length, said, said + size) - said;
        if (cut_begin > 0) out.push_back({Turn::Kind::bytes, turn.direction, turn.bytes.substr(0, cut_begin), 0});
        if (cut_end > cut_begin) out.push_back({Turn::Kind::gap, turn.direction, {}, cut_end - cut_begin});
        if (cut_end < size) out.push_back({Turn::Kind::bytes, turn.direction, turn.bytes.substr(cut_end), 0});
        said += size;
    }
    return out;
}

// Header blocks are compressed: where the cut falls, chance may look like frames (less than one place in a hundred).
TEST(SpdyGap, NoNameIsEverWrongBehindAnyHole) {
    int places = 0, invented = 0;
    for (const Scene& scene : scenes()) {
        const std::size_t total = total_bytes(scene.talk);
        for (const std::size_t length : {1U, 2U, 4U, 8U, 37U, 120U}) {
            for (std::size_t from = length % 5; from + length < total; from += 5) {
                const EventLog log = run_whole(scene.forwards ? forward() : exec(), without(scene.talk, from, length));
                ASSERT_NO_FATAL_FAILURE(expect_true_names(
                    log, scene.truth,
                    std::string(scene.what) + " without " + std::to_string(length) + " at " + std::to_string(from),
                    invented));
                ++places;
            }
        }
    }
    EXPECT_LE(invented, places / 100);
}

TEST(SpdyGap, TheCutOfTheBytesDoesNotMatterBehindHolesEither) {
    const Scene scene = exec_scene(true, true, true, false);
    const std::size_t total = total_bytes(scene.talk);
    for (std::size_t from = 0; from + 9 < total; from += 13)
        expect_cut_anywhere(exec(), without(scene.talk, from, 9), 3, 1, 8);
}

TEST(SpdyLate, NoNameIsEverWrongWhereverTheCaptureBegins) {
    int places = 0, invented = 0;
    for (const Scene& scene : scenes()) {
        const std::size_t total = total_bytes(scene.talk);
        for (std::size_t from = 1; from < total; from += 2) {
            // The first bytes were never captured: no hole, just nothing before.
            Conversation talk;
            for (Turn& turn : without(scene.talk, 0, from))
                if (turn.kind != Turn::Kind::gap) talk.push_back(turn);
            const EventLog log = run_whole(late(), talk);
            ASSERT_NO_FATAL_FAILURE(expect_true_names(
                log, scene.truth, std::string(scene.what) + " from " + std::to_string(from), invented));
            ++places;
        }
    }
    EXPECT_LE(invented, places / 100);
}

TEST(SpdyLate, TheCutOfTheBytesDoesNotMatter) {
    for (const Scene& scene : scenes()) {
        for (const std::size_t from : {3U, 30U, 70U, 111U, 200U, 311U}) {
            Conversation talk;
            for (Turn& turn : without(scene.talk, 0, from))
                if (turn.kind != Turn::Kind::gap) talk.push_back(turn);
            expect_cut_anywhere(late(), talk, 3, 1, 6);
        }
    }
}

// --- names that are found

TEST(SpdyLate, TheEndOfAnExecNamesItsStreams) {
    std::string output;
    for (int i = 7; i <= 15; ++i) output += SpdyWriter::data(3, "tick " + std::to_string(i) + "\n");
    const EventLog log = expect_cut_anywhere(
        late(),
        {server(output), server(SpdyWriter::fin(5)), server(SpdyWriter::fin(3)),
         server(SpdyWriter::data(
             1,
             R"({"metadata":{},"status":"Failure","message":"m","reason":"NonZeroExitCode","details":{"causes":[{"reason":"ExitCode","message":"6"}]}})")),
         server(SpdyWriter::rst(1)), server(SpdyWriter::goaway(5)), server_end()});
    EXPECT_THAT(log.lines("named"),
                ElementsAre(StartsWith("named 1 error inferred"), StartsWith("named 3 stdout inferred"),
                            StartsWith("named 5 stderr inferred")));
    EXPECT_THAT(log.lines("exit"), ElementsAre("exit 1 failure code=6 \"NonZeroExitCode\" \"m\""));
    EXPECT_THAT(log.lines("problem"), IsEmpty());
}

TEST(SpdyLate, HeaderBlocksAreReadAfterGuessingTheEarlierOnes) {
    for (const bool in : {false, true}) {
        for (const bool err : {false, true}) {
            SpdyWriter c;
            std::vector<std::string> types = {"error"};
            if (in) types.push_back("stdin");
            types.push_back("stdout");
            if (err) types.push_back("stderr");
            types.push_back("resize");
            std::vector<std::string> frames;
            for (std::size_t i = 0; i < types.size(); ++i)
                frames.push_back(c.stream(static_cast<std::uint32_t>(2 * i + 1), types[i]));
            for (std::size_t from = 1; from < frames.size(); ++from) {
                Conversation talk;
                for (std::size_t i = from; i < frames.size(); ++i) talk.push_back(client(frames[i]));
                const EventLog log = run_whole(late(), talk);
                const auto opened = log.lines("opened");
                ASSERT_EQ(opened.size(), frames.size() - from);
                for (std::size_t i = from; i < frames.size(); ++i)
                    EXPECT_THAT(opened[i - from],
                                StartsWith("opened " + std::to_string(2 * i + 1) + ' ' + types[i] + " inferred"))
                        << from;
            }
        }
    }
}

TEST(SpdyLate, ABlockThatBeginsTheCompressionIsExact) {
    SpdyWriter c;
    const EventLog log = run_whole(late(), {client(in_order({c.stream(1, "error"), c.stream(3, "stdout")}))});
    EXPECT_THAT(log.lines("opened"), ElementsAre("opened 1 error decoded", "opened 3 stdout decoded"));
}

TEST(SpdyGap, ALostHeaderBlockOfAForwardIsGuessedWithItsPortAndRequest) {
    int found = 0;
    for (unsigned orders = 0; orders < 216; orders += 5) {
        SpdyWriter c;
        std::vector<std::string> frames;
        for (std::uint32_t n = 0; n < 6; ++n)
            frames.push_back(c.forward(2 * n + 1, n % 2 == 0 ? "error" : "data", 8080, static_cast<int>(n / 2),
                                       orders / (n % 3 == 0   ? 1
                                                 : n % 3 == 1 ? 6
                                                              : 36)));
        const EventLog log = run_whole(forward(), {client(frames[0]), client(frames[1]), client_gap(frames[2].size()),
                                                   client(frames[3]), client(frames[4]), client(frames[5])});
        for (const std::string& line : log.lines("opened"))
            found += line.starts_with("opened 7 data inferred port=8080 request=1") ||
                     line.starts_with("opened 9 error inferred port=8080 request=2") ||
                     line.starts_with("opened 11 data inferred port=8080 request=2");
    }
    EXPECT_GT(found, 100) << "of 132";
}

TEST(SpdyGap, ASynStreamInOrderAfterAHoleIsStillExact) {
    SpdyWriter c;
    const std::string error = c.stream(1, "error"), out = c.stream(3, "stdout");
    const EventLog log = run_whole(exec(), {client(error), client(SpdyWriter::ping(1)), client_gap(12), client(out)});
    EXPECT_THAT(log.lines("opened"), ElementsAre("opened 1 error decoded", "opened 3 stdout decoded"))
        << "the numbers say that no stream was opened in the hole";
}

TEST(SpdyLate, ForwardedStreamsAreNamedByWhatTravels) {
    const EventLog log = run_whole(
        late(), {client(SpdyWriter::ping(9)), server(SpdyWriter::ping(9)),
                 client(SpdyWriter::data(7, "GET / HTTP/1.1\r\n")), server(SpdyWriter::data(7, "HTTP/1.1 200 OK\r\n")),
                 server(SpdyWriter::data(9, "error forwarding port 99 to pod x")), server(SpdyWriter::fin(9))});
    EXPECT_THAT(log.lines("named"),
                ElementsAre(StartsWith("named 7 data inferred"), StartsWith("named 9 error inferred")));
    EXPECT_THAT(log.lines("forward-error"), ElementsAre("forward-error 9 \"error forwarding port 99 to pod x\""));
}

TEST(SpdyLate, ATerminalSizeNamesTheResizeStream) {
    const EventLog log = run_whole(late(), {client(SpdyWriter::data(7, "{\"Width\":80,\"Height\":24}\n") +
                                                   SpdyWriter::data(3, "ls\n") + SpdyWriter::ping(1)),
                                            server(SpdyWriter::data(5, "file\n") + SpdyWriter::ping(1))});
    EXPECT_THAT(log.lines("named"),
                ElementsAre(StartsWith("named 7 resize"), StartsWith("named 3 stdin"), StartsWith("named 5 stdout")));
    EXPECT_THAT(log.lines("resized"), ElementsAre("resized 7 80x24"));
}

}  // namespace
}  // namespace hopscope::tests
