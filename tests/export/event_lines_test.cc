// Lines of events for people: what is shown, what is masked, what is summed up.
#include "export/event_lines.h"

#include <gtest/gtest.h>

#include <sstream>

namespace hopscope::exports {
namespace {

constexpr Timestamp kBegin{1'763'744'503'000'000'000};  // 2025-11-21 17:01:43 UTC

Timestamp after_ms(std::int64_t ms) { return kBegin + Duration{ms * 1'000'000}; }

Bytes bytes_of(std::string_view text) { return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}; }

struct Story {
    explicit Story(EventLineOptions options = {}) : lines(out, std::move(options)) {
        session.number = 7;
        session.op = chain::Op::exec;
        session.proto = chain::Proto::spdy31;
        session.hop = chain::HopKind::runtime;
        session.target = Untrusted("/exec/6NLIabcd");
        session.subprotocol = Untrusted("v4.channel.k8s.io");
        session.client = {*IpAddress::parse("127.0.0.1"), 54766};
        session.server = {*IpAddress::parse("127.0.0.1"), 42313};
        session.start = kBegin;
        session.state = chain::SessionState::closed;
        session.complete = true;
        stream.id = 3;
        stream.kind = StreamKind::out;
    }
    std::vector<std::string> told() {
        std::vector<std::string> all;
        std::istringstream text(out.text());
        for (std::string line; std::getline(text, line);) all.push_back(line);
        return all;
    }
    chain::Place at(std::int64_t ms) const { return {.flow = 1, .slot = 4, .at = after_ms(ms), .frame = 1}; }

    StringOutput out;
    EventLines lines;
    chain::Session session;
    chain::Stream stream;
};

TEST(EventLines, tell_a_session_from_its_beginning_to_its_end) {
    Story story;
    story.lines.session_opened(story.session, story.at(1));
    story.lines.stream_data(story.session, story.stream, Direction::to_client, bytes_of("bye\n"), story.at(20));
    story.session.exit_code = 3;
    story.session.bytes.out = 4;
    story.session.end = after_ms(420);
    story.lines.session_ended(story.session, story.at(420));
    EXPECT_EQ(story.told(),
              (std::vector<std::string>{"17:01:43.001000 i s7  runtime   session.open  exec /exec/6NLI···· SPDY/3.1 "
                                        "v4.channel.k8s.io  127.0.0.1:54766 → 127.0.0.1:42313",
                                        "17:01:43.020000 i s7  runtime   data          stdout out 4 B",
                                        "17:01:43.420000 i s7  runtime   session.close exit 3, 420ms, in 0 out 4"}));
    EXPECT_EQ(story.lines.lines(), 3U);
}

TEST(EventLines, name_processes_and_pods_instead_of_addresses_and_paths) {
    Story story({.style = {.glyphs = Glyphs::ascii}});
    story.session.ends = std::make_unique<chain::Ends>();
    story.session.ends->from = chain::Process{.pid = 5714, .comm = Untrusted("kubelet"), .exe = {}};
    story.session.ends->to = chain::Process{.pid = 2685, .comm = Untrusted("conta\x1b[2Jinerd"), .exe = {}};
    story.session.k8s = {
        .namespace_ = Untrusted("default"), .pod = Untrusted("web-0"), .container = Untrusted("nginx"), .uid = {}};
    story.lines.session_opened(story.session, story.at(1));
    ASSERT_EQ(story.told().size(), 1U);
    const std::string line = story.told()[0];
    EXPECT_NE(line.find("exec default/web-0 nginx SPDY/3.1 v4.channel.k8s.io  kubelet[5714] -> conta"),
              std::string::npos)
        << line;
    EXPECT_NE(line.find("[2685]"), std::string::npos) << line;
    EXPECT_EQ(line.find('\x1b'), std::string::npos);
    EXPECT_EQ(line.find("6NLI"), std::string::npos);
}

TEST(EventLines, sum_up_payload_and_never_show_it_unasked) {
    for (const bool revealed : {false, true}) {
        EventLineOptions options;
        if (revealed) options.reveal.add(chain::Secret::payload);
        Story story(options);
        story.lines.session_opened(story.session, story.at(0));
        const auto data = [&](std::int64_t ms) {
            story.lines.stream_data(story.session, story.stream, Direction::to_client, bytes_of("secret\n"),
                                    story.at(ms));
            story.lines.tell_data(after_ms(ms), false);
        };
        for (std::int64_t ms = 0; ms < 3000; ms += 10) data(ms);
        story.lines.tell_data(after_ms(3000), true);
        const auto told = story.told();
        // At once for the first piece, then once a second, and the rest.
        ASSERT_EQ(told.size(), 5U) << story.out.text();
        EXPECT_NE(told[1].find("stdout out 7 B"), std::string::npos) << told[1];
        EXPECT_NE(told[2].find("stdout out 700 B in 100 pieces"), std::string::npos) << told[2];
        EXPECT_EQ(story.out.text().find("secret") != std::string::npos, revealed);
    }
}

TEST(EventLines, typed_input_needs_a_name_of_its_own) {
    EventLineOptions options;
    options.reveal.add(chain::Secret::payload);
    Story story(options);
    story.stream.kind = StreamKind::in;
    story.lines.session_opened(story.session, story.at(0));
    story.lines.stream_data(story.session, story.stream, Direction::to_server, bytes_of("hunter2\n"), story.at(5));
    story.lines.tell_data(after_ms(5), true);
    EXPECT_EQ(story.out.text().find("hunter2"), std::string::npos);
    EXPECT_NE(story.out.text().find("stdin in 8 B"), std::string::npos);
}

TEST(EventLines, losses_pass_the_filter_once_a_second) {
    Story story({.filter = [](const chain::Session*, const chain::Finding*) { return false; }});
    story.lines.session_opened(story.session, story.at(0));
    LossCounters loss;
    loss.add(LossPlace::kernel, 1200);
    story.lines.loss(loss, after_ms(100));
    loss.add(LossPlace::kernel, 3);
    story.lines.loss(loss, after_ms(300));
    story.lines.loss(loss, after_ms(1200));
    story.lines.loss(loss, after_ms(2400));
    loss.add(LossPlace::reassembly, 5);
    story.lines.loss(loss, after_ms(2500), true);
    EXPECT_EQ(story.told(), (std::vector<std::string>{"17:01:43.100000 w -   -         loss          kernel 1,200",
                                                      "17:01:44.200000 w -   -         loss          kernel 3",
                                                      "17:01:45.500000 w -   -         loss          reassembly 5"}));
}

TEST(EventLines, a_gap_is_told_for_its_session_and_at_its_end) {
    Story story;
    story.lines.session_opened(story.session, story.at(0));
    story.lines.event(Gap{Direction::to_client, 88, 1448}, story.at(3));
    story.lines.event(Gap{Direction::to_client, 1, 1}, {.flow = 2, .slot = 9, .at = after_ms(4)});  // no session
    story.session.gaps = 1;
    story.session.missing_bytes = 1448;
    story.session.end = after_ms(9);
    story.lines.session_ended(story.session, story.at(9));
    const auto told = story.told();
    ASSERT_EQ(told.size(), 3U);
    EXPECT_EQ(told[1], "17:01:43.003000 w s7  -         gap           1,448 B were not captured, out after 88 B");
    EXPECT_NE(told[2].find(" w s7 "), std::string::npos);
    EXPECT_NE(told[2].find("1 gap of 1,448 B"), std::string::npos);
}

TEST(EventLines, fit_the_terminal) {
    Story story({.style = {.columns = 60}});
    story.lines.session_opened(story.session, story.at(1));
    ASSERT_EQ(story.told().size(), 1U);
    EXPECT_EQ(display_width(story.told()[0]), 60U);
}

}  // namespace
}  // namespace hopscope::exports
