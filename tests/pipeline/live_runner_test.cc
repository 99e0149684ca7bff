// The live loop over a real interface: what it sees while it happens is what the same capture says afterwards.
#include "pipeline/live_runner.h"

#include <gtest/gtest.h>
#include <sys/eventfd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <map>
#include <set>

#include "capture/live_source.h"
#include "capture/reader.h"
#include "core/stream_chunk.h"
#include "decode/net/packet_parser.h"
#include "pipeline/pipeline.h"
#include "support/play_capture.h"
#include "support/private_network.h"

namespace hopscope::pipeline {
namespace {

using namespace std::chrono_literals;
using test::in_private_network;

using test::capture_file;
using test::Script;

class Payloads final : public chain::Observer {
public:
    void stream_data(const chain::Session& session, const chain::Stream& stream, Direction direction, Bytes bytes,
                     const chain::Place&) override {
        all[{session.number, stream.id, direction}] += as_text(bytes);
    }
    void session_ended(const chain::Session&, const chain::Place&) override { ++ended; }
    std::map<std::tuple<std::uint32_t, std::uint32_t, Direction>, std::string> all;
    std::atomic<int> ended{0};
};

// What must not depend on the way a session was read.
std::string facts_of(const chain::Session& s) {
    std::string text = s.id() + " " + std::string(to_string(s.op)) + " " + std::string(to_string(s.state)) + " " +
                       std::string(to_string(s.hop)) + " " + std::string(to_string(s.proto)) + " " +
                       s.subprotocol.raw() + " " + s.target.raw() + " " + std::to_string(s.status) + " exit " +
                       (s.exit_code ? std::to_string(*s.exit_code) : "-") + " gaps " + std::to_string(s.gaps) +
                       (s.complete ? " complete" : "");
    for (const chain::Stream& stream : s.streams)
        text += " | " + std::to_string(stream.id) + " " + std::string(to_string(stream.kind)) + " " +
                std::to_string(stream.bytes.in) + " " + std::to_string(stream.bytes.out) + " " +
                std::to_string(stream.frames);
    return text;
}

std::vector<std::string> facts_of(chain::Model& model) {
    std::vector<std::string> all;
    for (const auto& session : model.sessions) all.push_back(facts_of(*session));
    return all;
}

struct Live {
    explicit Live(const std::string& filter, std::uint64_t ring_bytes = 8 << 20) : pipeline({.observer = &payloads}) {
        auto opened = capture::LiveSource::open({.filter = filter, .ring_bytes = ring_bytes});
        if (opened) source = std::move(*opened);
    }
    LiveInput input(LiveRunner& runner) {
        return {.name = "lo", .fd = source->fd(), .drain = [this, &runner] {
                    return source->drain(64, [&](const Packet& packet) { runner.packet(packet); });
                }};
    }
    Payloads payloads;
    Pipeline pipeline;
    std::unique_ptr<capture::LiveSource> source;
};

TEST(LiveRunner, a_session_seen_live_is_the_session_of_the_capture) {
    for (const char* name :
         {"runtime/exec_exit3.pcap", "runtime/exec_stdout_stderr.pcap", "runtime/exec_tty_resize.pcap",
          "runtime/ws_exec_stdin.pcap", "runtime/portforward_conc6.pcap"}) {
        const Script script(name);
        ASSERT_FALSE(script.flows.empty()) << name;
        Payloads offline;
        Pipeline reference({.observer = &offline});
        auto reader = capture::Reader::open({capture_file(name)}, [](const capture::FileNote&) {});
        ASSERT_TRUE(reader);
        Packet packet;
        while ((*reader)->next(packet)) reference.on(packet);
        reference.finish();

        const bool made = in_private_network([&] {
            Live live("tcp");
            ASSERT_TRUE(live.source);
            std::atomic<bool> played{false};
            int turns = 0;
            LiveRunner runner(
                live.pipeline,
                {.after_turn = [&] { ++turns; },
                 .enough = [&] { return played && live.payloads.ended >= static_cast<int>(script.flows.size()); }});
            ASSERT_TRUE(runner.add(live.input(runner)));
            std::thread traffic([&] {
                script.play();
                played = true;
            });
            const auto end = runner.run(Duration{20 * kNanosecondsPerSecond});
            traffic.join();
            ASSERT_TRUE(end);
            EXPECT_EQ(*end, LiveEnd::enough) << name;
            EXPECT_GT(turns, 0);
            live.pipeline.finish();
            EXPECT_EQ(facts_of(live.pipeline.model()), facts_of(reference.model())) << name;
            EXPECT_EQ(live.payloads.all, offline.all) << name;
            EXPECT_EQ(live.pipeline.model().capture.packets, runner.packets());
            EXPECT_EQ(live.source->counters().dropped, 0U);
        });
        if (!made) GTEST_SKIP() << "no network namespace of our own: CAP_SYS_ADMIN is missing";
    }
}

// The head of an exec, and then megabytes of its output while nobody reads the ring.
TEST(LiveRunner, a_ring_that_is_too_small_is_counted_and_its_session_says_so) {
    const Script script("runtime/exec_exit3.pcap");
    ASSERT_EQ(script.flows.size(), 1U);
    const bool made = in_private_network([&] {
        Live live("tcp", 256 * 1024);
        ASSERT_TRUE(live.source);
        test::TcpPair pair(script.port);
        const auto& pieces = script.flows.begin()->second;
        const auto pass = [&](const Script::Piece& piece) {
            const bool in = piece.direction == Direction::to_server;
            ASSERT_TRUE(test::pass_on(in ? pair.client.get() : pair.server.get(),
                                      in ? pair.server.get() : pair.client.get(), piece.bytes));
        };
        std::size_t next = 0;
        // Up to and with the four bytes of output, whose frame has an eight-byte head of its own: stream 3, SPDY DATA.
        const auto is_output = [](const Script::Piece& piece) {
            return as_text(piece.bytes).find("bye\n") != std::string_view::npos;
        };
        while (next < pieces.size() && !is_output(pieces[next])) pass(pieces[next++]);
        ASSERT_LT(next, pieces.size());
        std::vector<std::uint8_t> frame = {0, 0, 0, 3, 0, 0, 0x80, 0};  // stream 3, 32 KiB
        frame.resize(8 + 32768, 'x');
        pass(pieces[next++]);
        for (int i = 0; i < 400; ++i) pass({Direction::to_client, frame});
        // Now the loop reads what is left in the ring, and the rest of the connection.
        LiveRunner runner(live.pipeline, {.enough = [&] { return live.payloads.ended > 0; }});
        ASSERT_TRUE(runner.add(live.input(runner)));
        std::thread traffic([&] {
            std::this_thread::sleep_for(300ms);
            for (int i = 0; i < 40; ++i) {
                pass({Direction::to_client, frame});
                std::this_thread::sleep_for(10ms);  // slowly enough for the ring
            }
            while (next < pieces.size()) pass(pieces[next++]);
            pair.client.close();
            pair.server.close();
        });
        const auto end = runner.run(Duration{20 * kNanosecondsPerSecond});
        traffic.join();
        ASSERT_TRUE(end);
        live.pipeline.finish();
        EXPECT_EQ(*end, LiveEnd::enough);
        EXPECT_GT(live.source->counters().dropped, 0U);
        chain::Model& model = live.pipeline.model();
        ASSERT_EQ(model.sessions.size(), 1U);
        const chain::Session& session = *model.sessions.front();
        EXPECT_EQ(session.op, chain::Op::exec);
        EXPECT_GT(session.gaps, 0U);
        EXPECT_GT(session.missing_bytes, 1'000'000U);
        EXPECT_FALSE(session.complete);
        EXPECT_GE(model.loss[LossPlace::reassembly], session.missing_bytes);
    });
    if (!made) GTEST_SKIP() << "no network namespace of our own: CAP_SYS_ADMIN is missing";
}

TEST(LiveRunner, a_hole_is_declared_by_the_clock_alone) {
    // An exec of which one segment was acknowledged but never captured, and then silence.
    auto reader = capture::Reader::open({capture_file("runtime/exec_exit3.pcap")}, [](const capture::FileNote&) {});
    ASSERT_TRUE(reader);
    struct Tap final : EventTap {
        void on(const Event& event, const chain::Place& place) override {
            if (const auto* gap = std::get_if<Gap>(&event)) missing += gap->missing_bytes, at = place.at;
        }
        std::uint64_t missing = 0;
        Timestamp at;
    } tap;
    Pipeline pipeline({.tap = &tap});
    LossCounters loss;
    decode::net::PacketParser parser(loss);
    std::vector<std::vector<std::uint8_t>> kept;
    Packet packet, last;
    // Leaves out the last packet with payload; its acknowledgement comes all the same, the end of the connection not.
    std::vector<Packet> all;
    std::size_t victim = SIZE_MAX, after = 0;
    while ((*reader)->next(packet)) {
        kept.emplace_back(packet.bytes.begin(), packet.bytes.end());
        all.push_back(packet);
    }
    for (std::size_t i = 0; i < all.size(); ++i) all[i].bytes = kept[i], all[i].position = 0;
    decode::net::TcpSegment segment;
    std::vector<decode::net::TcpSegment> segments;
    for (std::size_t i = 0; i < all.size(); ++i) {
        ASSERT_TRUE(parser.parse(all[i], segment));
        if (segment.flags.fin || segment.flags.rst) break;
        segments.push_back(segment);
    }
    // The last bare acknowledgement, and the last payload before it that came the other way.
    std::size_t answer = segments.size();
    while (answer-- > 0 && !segments[answer].payload.empty()) {
    }
    for (std::size_t i = 0; i < answer && answer < segments.size(); ++i)
        if (!segments[i].payload.empty() && segments[i].source == segments[answer].destination) victim = i;
    ASSERT_NE(victim, SIZE_MAX);
    for (std::size_t i = 0; i < segments.size(); ++i) {
        if (i == victim) continue;
        pipeline.on(all[i]);
        last = all[i];
        after += i > victim ? 1 : 0;
    }
    ASSERT_GT(after, 0U) << "an acknowledgement of the missing bytes";
    EXPECT_EQ(tap.missing, 0U);
    pipeline.tick(last.at);  // no time has passed
    EXPECT_EQ(tap.missing, 0U);
    const Timestamp later = last.at + Duration{3 * kNanosecondsPerSecond};
    pipeline.tick(later);
    EXPECT_GT(tap.missing, 0U);
    EXPECT_EQ(tap.at, later);
    pipeline.finish();
    EXPECT_EQ(*pipeline.model().capture.last, last.at) << "time without packets is no part of the capture";
}

// The packets of its end were dropped: the system says that it is over.
TEST(Pipeline, a_connection_whose_end_was_missed_ends_incomplete_when_the_system_says_so) {
    auto reader = capture::Reader::open({capture_file("runtime/exec_exit3.pcap")}, [](const capture::FileNote&) {});
    ASSERT_TRUE(reader);
    Payloads payloads;
    Pipeline pipeline({.observer = &payloads});
    LossCounters loss;
    decode::net::PacketParser parser(loss);
    decode::net::TcpSegment segment;
    Packet packet;
    Endpoint one, other;
    Timestamp last;
    while ((*reader)->next(packet)) {
        ASSERT_TRUE(parser.parse(packet, segment));
        if (segment.flags.fin || segment.flags.rst) break;
        one = segment.source, other = segment.destination;
        last = packet.at;
        packet.position = 0;
        pipeline.on(packet);
    }
    EXPECT_EQ(payloads.ended, 0);
    pipeline.ended_unseen({one.address, 1}, other, last);  // another connection
    EXPECT_EQ(payloads.ended, 0);
    pipeline.ended_unseen(other, one, last + Duration{kNanosecondsPerSecond});  // either way round
    EXPECT_EQ(payloads.ended, 1);
    ASSERT_EQ(pipeline.model().sessions.size(), 1U);
    const chain::Session& session = *pipeline.model().sessions.front();
    EXPECT_TRUE(session.over);
    EXPECT_FALSE(session.complete);
    EXPECT_EQ(session.exit_code, 3);
    EXPECT_EQ(session.gaps, 0U);
    pipeline.ended_unseen(one, other, last + Duration{kNanosecondsPerSecond});
    pipeline.finish();
    EXPECT_EQ(payloads.ended, 1);
}

class Idle {
public:
    Idle() : fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
    test::Fd fd;
};

TEST(LiveRunner, an_idle_loop_takes_no_time_and_ends_by_the_clock) {
    Pipeline pipeline({});
    Idle idle;
    int ticks = 0, drains = 0;
    LiveRunner runner(pipeline, {.on_tick = [&](Timestamp) { ++ticks; }});
    ASSERT_TRUE(runner.add({.name = "silent", .fd = idle.fd.get(), .drain = [&]() -> Result<bool> {
                                ++drains;
                                return false;
                            }}));
    const auto began = std::chrono::steady_clock::now();
    const auto end = runner.run(Duration{2 * kNanosecondsPerSecond});
    const auto took = std::chrono::steady_clock::now() - began;
    ASSERT_TRUE(end);
    EXPECT_EQ(*end, LiveEnd::time_over);
    EXPECT_GE(took, 2s);
    EXPECT_GE(ticks, 1);
    EXPECT_LE(ticks, 9);
    EXPECT_LE(drains, 1);  // once at the end
}

TEST(LiveRunner, the_first_signal_ends_in_order_and_status_is_asked_for_by_another) {
    Pipeline pipeline({});
    Idle idle;
    int drains = 0;
    std::atomic<int> statuses{0};
    LiveRunner runner(pipeline, {.on_status = [&] { ++statuses; }});
    ASSERT_TRUE(runner.add({.name = "silent", .fd = idle.fd.get(), .drain = [&]() -> Result<bool> {
                                ++drains;
                                return drains < 3;
                            }}));
    const pthread_t self = ::pthread_self();
    std::thread other([&] {
        std::this_thread::sleep_for(100ms);
        ::pthread_kill(self, SIGUSR1);
        while (statuses == 0) std::this_thread::sleep_for(5ms);
        ::pthread_kill(self, SIGTERM);
    });
    const auto end = runner.run(Duration{10 * kNanosecondsPerSecond});
    other.join();
    ASSERT_TRUE(end);
    EXPECT_EQ(*end, LiveEnd::signal);
    EXPECT_EQ(statuses, 1);
    EXPECT_EQ(drains, 3) << "what lies in the ring is taken before the end";
}

TEST(LiveRunnerDeathTest, a_second_signal_ends_the_process_whatever_it_waits_for) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    EXPECT_EXIT(
        {
            Pipeline pipeline({});
            Idle idle;
            LiveRunner runner(pipeline, {.on_tick = [](Timestamp) {
                                  ::raise(SIGINT);
                                  ::raise(SIGINT);
                                  for (;;) ::pause();
                              }});
            (void)runner.add({.name = "silent", .fd = idle.fd.get(), .drain = []() -> Result<bool> { return false; }});
            (void)runner.run(Duration{10 * kNanosecondsPerSecond});
        },
        testing::ExitedWithCode(130), "");
}

TEST(LiveRunner, an_input_that_fails_is_told_and_the_others_go_on) {
    Pipeline pipeline({});
    Idle bad, good;
    const std::uint64_t one = 1;
    ASSERT_EQ(::write(bad.fd.get(), &one, sizeof one), 8);
    std::vector<std::string> over;
    int good_drains = 0;
    LiveRunner runner(pipeline, {.on_tick =
                                     [&](Timestamp) {
                                         if (over.size() == 1) ASSERT_EQ(::write(good.fd.get(), &one, sizeof one), 8);
                                     },
                                 .input_over = [&](const std::string& name,
                                                   const Error& error) { over.push_back(name + " " + error.code); }});
    ASSERT_TRUE(runner.add({.name = "eth0", .fd = bad.fd.get(), .drain = []() -> Result<bool> {
                                return unexpected(Error{.code = "CAP-24"});
                            }}));
    ASSERT_TRUE(runner.add({.name = "lo", .fd = good.fd.get(), .drain = [&]() -> Result<bool> {
                                ++good_drains;
                                std::uint64_t count = 0;
                                [[maybe_unused]] const ssize_t got = ::read(good.fd.get(), &count, sizeof count);
                                if (good_drains == 2) return unexpected(Error{.code = "CAP-24"});
                                return false;
                            }}));
    const auto end = runner.run(Duration{10 * kNanosecondsPerSecond});
    ASSERT_TRUE(end);
    EXPECT_EQ(*end, LiveEnd::no_input);
    EXPECT_EQ(over, (std::vector<std::string>{"eth0 CAP-24", "lo CAP-24"}));
    EXPECT_EQ(good_drains, 2);
}

// Unix-socket bytes come and go for as long as a run lasts: their places are used again.
TEST(Pipeline, connections_of_byte_streams_that_are_over_take_no_room) {
    struct Flows final : EventTap {
        void on(const Event&, const chain::Place& place) override { highest = std::max(highest, place.slot); }
        std::uint32_t highest = 0;
        std::uint64_t opened = 0;
        void flow(const chain::FlowInfo& info) override {
            ++opened;
            EXPECT_TRUE(ids.insert(info.id).second) << "an id is never used again";
        }
        std::set<FlowId> ids;
    } flows;
    Pipeline pipeline({.tap = &flows});
    const std::string request = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
                      answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    const auto chunk = [&](std::uint64_t connection, Direction direction, std::string_view text, bool end) {
        pipeline.on(StreamChunk{.connection = connection,
                                .direction = direction,
                                .at = {static_cast<std::int64_t>(connection) * 1000 + 1},
                                .frame = connection + 1,
                                .offset = 0,
                                .bytes = Bytes(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()),
                                .end = end,
                                .server = {}});
    };
    for (std::uint64_t i = 0; i < 1000; ++i) {
        chunk(i, Direction::to_server, request, true);
        chunk(i, Direction::to_client, answer, true);
        chunk(i, Direction::to_client, {}, true);  // told again
    }
    pipeline.finish();
    EXPECT_EQ(flows.opened, 1000U);
    EXPECT_LE(flows.highest, 1U);
}

}  // namespace
}  // namespace hopscope::pipeline
