// ttrpc: frames, calls of the task service, what is lost and what is hostile; and what a real containerd said.
#include "decode/grpc/ttrpc.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "core/limits.h"
#include "decode/grpc/grpc.h"
#include "decode/stream/detect.h"
#include "support/cut_anywhere.h"
#include "wire.h"

namespace hopscope::decode::grpc {
namespace {

using namespace hopscope::tests;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;
using testing::StartsWith;

constexpr std::string_view kTask = "containerd.task.v2.Task";
const std::string kContainer(64, 'c'), kExec(64, 'e');

std::string be32(std::size_t n) {
    return {static_cast<char>(n >> 24), static_cast<char>(n >> 16), static_cast<char>(n >> 8), static_cast<char>(n)};
}
std::string frame(std::uint32_t stream, int type, std::string_view payload, int flags = 0) {
    return be32(payload.size()) + be32(stream) + static_cast<char>(type) + static_cast<char>(flags) +
           std::string(payload);
}
std::string request(std::uint32_t stream, std::string_view method, std::string_view body,
                    std::string_view service = kTask) {
    return frame(
        stream, 1,
        pb(1, service) + pb(2, method) + pb(3, body) + pb(5, pb(1, "containerd-namespace-ttrpc") + pb(2, "k8s.io")));
}
std::string answer(std::uint32_t stream, std::string_view body) { return frame(stream, 2, pb(1, "") + pb(2, body)); }
std::string named() { return pb(1, kContainer) + pb(2, kExec); }
std::string exec_body(std::string_view specification) {
    return named() + pb(3, 1) + pb(4, "/run/fifo-in") +
           pb(7, pb(1, "types.containerd.io/opencontainers/runtime-spec/1/Process") + pb(2, specification));
}

const MakeDecoder kFromStart = [] { return make_ttrpc(false); };
const MakeDecoder kLate = [] { return make_ttrpc(true); };

Conversation an_exec() {
    return {
        client(request(1, "Exec", exec_body(R"({"terminal":true,"args":["sh","-c","x"],"env":["SECRET=planted"]})"))),
        server(answer(1, "")),
        client(request(3, "Start", named()) + request(5, "Wait", named())),
        server(answer(3, pb(1, 4711))),
        client(request(7, "ResizePty", named() + pb(3, 97) + pb(4, 31))),
        server(answer(7, "")),
        server(answer(5, pb(1, 3) + pb(2, pb(1, std::uint64_t{1'700'000'000})))),
        client(request(9, "Kill", named() + pb(3, 9))),
        server(frame(9, 2, pb(1, pb(1, 5) + pb(2, "process already finished")))),
        client(request(11, "Delete", named())),
        server(answer(11, pb(1, 4711) + pb(2, 3)))};
}

TEST(Ttrpc, tells_every_call_of_an_exec_however_it_is_cut) {
    const EventLog log = expect_cut_anywhere(kFromStart, an_exec());
    const std::string ids = " container=\"" + kContainer + "\" exec=\"" + kExec + "\"";
    ASSERT_THAT(log.lines(), SizeIs(12));
    EXPECT_THAT(log.lines()[0], HasSubstr("task 1 request \"containerd.task.v2.Task\"/\"Exec\" in \"k8s.io\""));
    EXPECT_THAT(log.lines()[0], HasSubstr(ids));
    EXPECT_THAT(log.lines()[0], HasSubstr("tty"));
    EXPECT_THAT(log.lines(), Contains(HasSubstr("\"Start\" in \"\" bytes=")));
    EXPECT_THAT(log.lines(),
                Contains(testing::AllOf(StartsWith("task 3 response"), HasSubstr(ids), HasSubstr("4711"))));
    EXPECT_THAT(log.lines(),
                Contains(testing::AllOf(StartsWith("task 5 response"), HasSubstr("\"Wait\""), HasSubstr("3"))));
    EXPECT_THAT(log.lines(), Contains(HasSubstr("size=97x31")));
    EXPECT_THAT(log.lines(), Contains(HasSubstr("signal=9")));
    EXPECT_THAT(log.lines(), Contains(HasSubstr("status=5 \"process already finished\"")));
    for (const std::string& line : log.lines()) EXPECT_THAT(line, Not(HasSubstr("planted")));
}

TEST(Ttrpc, joined_late_it_is_read_from_the_next_frame_on) {
    Conversation talk = an_exec();
    talk[0].bytes = talk[0].bytes.substr(20);
    const EventLog log = expect_cut_anywhere(kLate, talk);
    EXPECT_THAT(log.lines(), Contains(StartsWith("task 3 request")));
    EXPECT_THAT(log.lines(), Contains(testing::AllOf(StartsWith("task 1 response"), HasSubstr("method-unknown"))));
    EXPECT_THAT(log.lines(), Not(Contains(StartsWith("problem"))));
}

TEST(Ttrpc, a_hole_in_one_frame_costs_this_frame_only) {
    const std::string start = request(3, "Start", named()), wait = request(5, "Wait", named());
    for (std::size_t at : {std::size_t{10}, std::size_t{60}, start.size() - 5}) {
        const EventLog log = expect_cut_anywhere(
            kFromStart, {client(start.substr(0, at)), client_gap(5), client(start.substr(at + 5) + wait)});
        EXPECT_THAT(log.lines(), ElementsAre(StartsWith("task 5 request"))) << at;
    }
}

TEST(Ttrpc, after_a_hole_over_frames_the_next_one_is_found_and_the_rest_counted) {
    const std::string start = request(3, "Start", named()), wait = request(5, "Wait", named());
    const EventLog log = expect_cut_anywhere(
        kFromStart, {client(start.substr(0, 4)), client_gap(start.size()), client(start.substr(100) + wait + start)});
    EXPECT_THAT(log.lines(), Contains(HasSubstr("skipped=" + std::to_string(start.size() - 100))));
    EXPECT_THAT(log.lines(), Contains(StartsWith("task 5 request")));
    EXPECT_THAT(log.lines(), Contains(StartsWith("task 3 request")));
}

TEST(Ttrpc, bytes_that_are_no_frames_are_passed_over_and_said) {
    const std::string start = request(3, "Start", named());
    const EventLog log = expect_cut_anywhere(kFromStart, {client(start + std::string(33, '\xff') + start)});
    EXPECT_THAT(log.lines(),
                ElementsAre(StartsWith("task 3 request"), HasSubstr("skipped=33"), StartsWith("task 3 request")));
}

TEST(Ttrpc, what_is_too_large_is_passed_over_in_pieces) {
    const std::string large(limits::kTtrpcMessageBytesMax + 1, 'x'), start = request(3, "Start", named());
    const EventLog log =
        run_cut(kFromStart, {client(frame(1, 1, large) + start)}, [](std::size_t) { return 100'000U; });
    EXPECT_THAT(log.lines(), ElementsAre(HasSubstr("ttrpc.size"), StartsWith("task 3 request")));
}

TEST(Ttrpc, what_its_frame_does_not_hold_is_a_problem_and_nothing_more) {
    const EventLog log = expect_cut_anywhere(
        kFromStart, {client(frame(1, 1, "\xff\xff\xff\xff") + request(3, "Start", "\x0a\x7f") +
                            request(5, "Exec", exec_body("{\"args\":")) + request(7, "Exec", exec_body("[1,[2,[3]]]"))),
                     server(frame(3, 2, "\x12\x7f"))});
    EXPECT_THAT(log.lines(), Contains(HasSubstr("ttrpc.message")));
    EXPECT_THAT(log.lines(), Contains(HasSubstr("ttrpc.body")));
    EXPECT_THAT(log.lines(), Contains(StartsWith("task 5 request")));
    EXPECT_THAT(log.lines(), Contains(StartsWith("task 7 request")));
}

TEST(Ttrpc, a_specification_of_very_many_objects_is_read_at_once) {
    std::string specification = R"({"args":["sh")";
    while (specification.size() + 512 < limits::kTtrpcMessageBytesMax) specification += ",{}";
    const EventLog log = run_cut(kFromStart, {client(request(1, "Exec", exec_body(specification + R"(,"x"]})")))},
                                 [](std::size_t) { return 100'000U; });
    EXPECT_THAT(log.lines(), ElementsAre(HasSubstr(R"( arg="sh" arg="x" )")));
}

TEST(Ttrpc, calls_without_an_answer_are_bounded) {
    Ttrpc decoder(false);
    EventLog log;
    for (std::uint32_t i = 0; i < limits::kTtrpcCallsMax + 10; ++i) {
        const std::string wait = request(2 * i + 1, "Wait", named());
        decoder.decode(Direction::to_server, 0, as_bytes(wait), log);
    }
    EXPECT_EQ(decoder.open_calls(), limits::kTtrpcCallsMax);
    decoder.end(Direction::to_client, log);
    EXPECT_EQ(decoder.open_calls(), 0U);
}

TEST(Ttrpc, is_recognised_by_its_first_request) {
    const std::string first = request(1, "Connect", pb(1, kContainer)), reply = answer(1, pb(1, 7));
    const auto detect = [](std::string_view a, std::string_view b, bool at_start) {
        return stream::detect(as_bytes(a), as_bytes(b), at_start, false);
    };
    EXPECT_EQ(detect(first, {}, true).protocol, stream::Protocol::ttrpc);
    EXPECT_EQ(detect(first.substr(0, 20), {}, true).protocol, stream::Protocol::undecided);
    EXPECT_EQ(detect(first, reply, false).protocol, stream::Protocol::ttrpc);
    EXPECT_TRUE(detect(reply, first, false).late);
    EXPECT_FALSE(detect(reply, first, false).first_is_client);
    std::string even = first;
    even[7] = 2;
    EXPECT_EQ(detect(even, {}, true).protocol, stream::Protocol::unknown);
    EXPECT_EQ(detect(std::string(64, '\0'), {}, true).protocol, stream::Protocol::unknown);
}

// What containerd 1.6.20 and its shim said about one container: created, an exec, one with a terminal, an attach, and
// one that could not be started.
Conversation recorded(const std::string& name) {
    std::ifstream file(HOPSCOPE_SOURCE_DIR "/testdata/fuzz/fuzz_ttrpc/" + name, std::ios::binary);
    const std::string all((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    Conversation talk;
    for (std::size_t at = 0; at + 2 <= all.size();) {
        const auto control = static_cast<std::uint8_t>(all[at]), low = static_cast<std::uint8_t>(all[at + 1]);
        const std::size_t size = std::size_t{control & 0xf8U} << 5 | low;
        const std::string bytes = all.substr(at + 2, size);
        talk.push_back((control & 1) == 0 ? client(bytes) : server(bytes));
        at += 2 + size;
    }
    return talk;
}

TEST(Ttrpc, what_a_real_containerd_said) {
    const EventLog log = expect_cut_anywhere(kFromStart, recorded("containerd-1.6.20"), 12, 1, 100);
    const auto& lines = log.lines();
    const auto count = [&](std::string_view start, std::string_view part) {
        return std::count_if(lines.begin(), lines.end(), [&](const std::string& line) {
            return line.starts_with(start) && line.find(part) != std::string::npos;
        });
    };
    EXPECT_EQ(count("problem", ""), 0);
    EXPECT_EQ(count("task", "request \"containerd.task.v2.Task\"/\"Exec\""), 3);
    EXPECT_EQ(count("task", "request \"containerd.task.v2.Task\"/\"Create\""), 1);
    EXPECT_EQ(count("task", "\"ResizePty\""), 2);
    EXPECT_EQ(count("task", "size=97x31"), 1);
    EXPECT_EQ(count("task", "echo out; exit 3"), 1);
    EXPECT_EQ(count("task", "OCI runtime exec failed"), 1);
    EXPECT_EQ(count("task", "HOSTNAME"), 0) << "the environment is not read";
    EXPECT_GE(count("task", "response \"containerd.task.v2.Task\"/\"Wait\""), 2);
}

}  // namespace
}  // namespace hopscope::decode::grpc
