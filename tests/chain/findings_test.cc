// Findings of sessions and of the network: when they are told, when not, and in which words.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "story.h"

namespace hopscope::chain::test {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr auto kIn = Direction::to_server;
constexpr auto kOut = Direction::to_client;
constexpr const char* kClient = "127.0.0.1:54766";
constexpr const char* kServer = "127.0.0.1:42313";

// An exec that was upgraded and has its streams.
Story::Connection running(Story& story, const char* target = "/exec/6NLIabcd",
                          const char* subprotocol = "v4.channel.k8s.io") {
    auto c = story.connect(kClient, kServer);
    story.request(c, "POST", target, spdy_upgrade());
    story.upgrade(c, Carrier::spdy31, subprotocol);
    story.stream(c, 1, StreamKind::error);
    story.stream(c, 3, StreamKind::out);
    return c;
}

// --- STR-01

TEST(ExecWithoutStatus, is_a_warning_and_says_who_closed_first) {
    Story story;
    auto c = running(story);
    story.fin(c, kIn);
    const std::uint64_t fin_frame = story.frame();
    story.later_ms(1).fin(c, kOut);
    story.over(c);
    ASSERT_THAT(story.codes(), ElementsAre("STR-01"));
    const Finding& f = *story.finding("STR-01");
    EXPECT_EQ(f.severity, Severity::warning);
    EXPECT_EQ(f.session, 1U);
    EXPECT_EQ(f.frame, fin_frame);
    EXPECT_THAT(f.says, HasSubstr("the client closed first"));
    EXPECT_FALSE(f.remedy.empty());
}

TEST(ExecWithoutStatus, after_the_runtime_went_away) {
    Story story;
    auto c = running(story);
    story.fin(c, kOut);
    story.later_ms(2).fin(c, kIn);
    story.over(c);
    EXPECT_THAT(story.finding("STR-01")->says, HasSubstr("the server closed first"));
    EXPECT_THAT(story.codes(), Not(Contains("STR-03")));
}

struct Quiet {
    const char* what;
    void (*tell)(Story&);
};
class NoStatusNeeded : public testing::TestWithParam<Quiet> {};
TEST_P(NoStatusNeeded, gives_no_finding) {
    Story story;
    GetParam().tell(story);
    story.finish();
    EXPECT_EQ(story.finding("STR-01"), nullptr) << GetParam().what;
}
INSTANTIATE_TEST_SUITE_P(
    Table, NoStatusNeeded,
    testing::Values(Quiet{"success",
                          [](Story& s) {
                              auto c = running(s);
                              s.exit_status(c, 1, 0);
                              s.close(c);
                          }},
                    Quiet{"failure without exit code",
                          [](Story& s) {
                              auto c = running(s);
                              ExitStatus status;
                              status.id = 1;
                              status.reason = "InternalError";
                              s.tell(c, status);
                              s.close(c);
                          }},
                    Quiet{"attach never has one", [](Story& s) { s.close(running(s, "/attach/6NLIabcd")); }},
                    Quiet{"v1 says nothing on success",
                          [](Story& s) { s.close(running(s, "/exec/6NLIabcd", "channel.k8s.io")); }},
                    Quiet{"nor does v3", [](Story& s) { s.close(running(s, "/exec/6NLIabcd", "v3.channel.k8s.io")); }},
                    Quiet{"still running when the capture ends", [](Story& s) { s.over(running(s), true); }},
                    Quiet{"the status may be in the hole",
                          [](Story& s) {
                              auto c = running(s);
                              s.tell(c, Gap{kOut, 100, 50});
                              s.close(c);
                          }},
                    Quiet{"or among what could not be decoded", [](Story& s) {
                              auto c = running(s);
                              s.tell(c, Problem{"spdy.length", "x", kOut, 0, 10});
                              s.close(c);
                          }}));

// --- STR-02

TEST(UpgradeWithoutStreams, is_a_warning_for_exec_and_attach) {
    for (const char* target : {"/exec/6NLIabcd", "/attach/6NLIabcd"}) {
        Story story;
        auto c = story.connect(kClient, kServer);
        story.request(c, "POST", target, spdy_upgrade());
        story.upgrade(c, Carrier::spdy31, "v4.channel.k8s.io");
        story.later_ms(36000).close(c);
        ASSERT_THAT(story.codes(), ElementsAre("STR-02")) << target;
        EXPECT_THAT(story.finding("STR-02")->says, HasSubstr("36.0 s"));
    }
}

TEST(UpgradeWithoutStreams, is_normal_for_an_idle_port_forward) {
    Story story;
    auto c = story.connect(kClient, kServer);
    story.request(c, "POST", "/portforward/6NLIabcd", spdy_upgrade());
    story.upgrade(c, Carrier::spdy31, "portforward.k8s.io");
    story.tell(c, SpdyFrame{kIn, 6, 0, 1, 4, 0, true});
    story.later_ms(8000).close(c);
    EXPECT_THAT(story.codes(), IsEmpty());
}

TEST(UpgradeWithoutStreams, is_told_of_an_open_session_only_after_the_servers_thirty_seconds) {
    for (const double seconds : {29.0, 31.0}) {
        Story story;
        auto c = story.connect(kClient, kServer);
        story.request(c, "POST", "/exec/6NLIabcd", spdy_upgrade());
        story.upgrade(c, Carrier::spdy31, "v4.channel.k8s.io");
        story.later_ms(seconds * 1000).over(c, true);
        EXPECT_EQ(story.finding("STR-02") != nullptr, seconds > 30) << seconds;
    }
}

TEST(UpgradeWithoutStreams, means_nothing_on_websocket) {
    Story story;
    auto c = story.connect(kClient, kServer);
    story.request(c, "GET", "/attach/6NLIabcd", ws_upgrade());
    story.upgrade(c, Carrier::websocket, "v4.channel.k8s.io");
    story.close(c);
    EXPECT_THAT(story.codes(), IsEmpty());
}

// --- STR-03

TEST(ClientGone, is_a_warning_when_the_server_stays) {
    Story story;
    auto c = running(story);
    story.data(c, 3, kOut, "tick");
    story.later_ms(100).fin(c, kIn);
    const std::uint64_t fin_frame = story.frame();
    story.later_ms(43).over(c, true);
    ASSERT_THAT(story.codes(), ElementsAre("STR-01", "STR-03"));
    EXPECT_EQ(story.finding("STR-03")->frame, fin_frame);
    EXPECT_THAT(story.finding("STR-03")->says, HasSubstr("0.043 s"));
}

struct Leaving {
    const char* what;
    double silence_ms;
    bool goodbye, server_closes, server_sends, want;
};
class ClientGoneTable : public testing::TestWithParam<Leaving> {};
TEST_P(ClientGoneTable, is_judged_by_what_follows) {
    const Leaving& given = GetParam();
    Story story;
    auto c = running(story, "/attach/6NLIabcd");
    if (given.goodbye) story.tell(c, SpdyFrame{kIn, 7, 0, 0, 8, 0, true});
    story.fin(c, kIn);
    if (given.server_sends) {
        story.later_ms(1);
        story.data(c, 3, kOut, "tick");
    }
    if (given.server_closes) story.fin(c, kOut);
    story.later_ms(given.silence_ms).over(c, true);
    EXPECT_EQ(story.finding("STR-03") != nullptr, given.want) << given.what;
}
INSTANTIATE_TEST_SUITE_P(Table, ClientGoneTable,
                         testing::Values(Leaving{"only the kernel answers", 43, false, false, false, true},
                                         Leaving{"the capture ends at once", 5, false, false, false, false},
                                         Leaving{"the server closes, too", 43, false, true, false, false},
                                         Leaving{"the server goes on sending", 2, false, false, true, true},
                                         Leaving{"after a goodbye it may take a moment", 43, true, false, false, false},
                                         Leaving{"but not that long", 5000, true, false, false, true}));

// --- port-forward

Story::Connection forwarding(Story& story) {
    auto c = story.connect(kClient, kServer);
    story.request(c, "POST", "/portforward/6NLIabcd", spdy_upgrade());
    story.upgrade(c, Carrier::spdy31, "portforward.k8s.io");
    return c;
}

TEST(RefusedPort, is_told_once_for_each_port_with_its_remedy) {
    Story story;
    auto c = forwarding(story);
    for (std::uint32_t i = 0; i < 3; ++i) {
        story.stream(c, 4 * i + 1, StreamKind::error, 18999, i);
        story.stream(c, 4 * i + 3, StreamKind::data, 18999, i);
        story.tell(c,
                   ForwardError{4 * i + 1,
                                "error forwarding port 18999: dial tcp4 127.0.0.1:18999: connect: connection refused"});
    }
    story.close(c);
    ASSERT_THAT(story.codes(), ElementsAre("PF-01"));
    EXPECT_THAT(story.finding("PF-01")->says, HasSubstr("port 18999"));
    EXPECT_FALSE(story.finding("PF-01")->remedy.empty());
    ASSERT_TRUE(story.session(0).streams[0].error);
    EXPECT_THAT(story.session(0).streams[0].error->raw(), HasSubstr("connection refused"));
}

TEST(RefusedPort, of_another_kind_quotes_the_server) {
    Story story;
    auto c = forwarding(story);
    story.stream(c, 1, StreamKind::error, 80, 0);
    story.tell(c, ForwardError{1, "unable to do port forwarding: socat not found\x1b[31m\n"});
    EXPECT_THAT(story.finding("PF-01")->says, HasSubstr("socat not found"));
    EXPECT_THAT(story.finding("PF-01")->says, Not(HasSubstr("\x1b"))) << "made printable";
}

struct GivingUp {
    const char* what;
    bool other_port;
    double after_ms;
    bool client_first;
    bool want;
};
class OthersEnded : public testing::TestWithParam<GivingUp> {};
TEST_P(OthersEnded, when_the_client_gives_up_after_one_refused_port) {
    const GivingUp& given = GetParam();
    Story story;
    auto c = forwarding(story);
    if (given.other_port) story.stream(c, 1, StreamKind::error, 18080, 0);
    story.stream(c, 5, StreamKind::error, 18999, 1);
    story.tell(c, ForwardError{5, "connection refused"});
    story.later_ms(given.after_ms);
    if (!given.client_first) story.fin(c, kOut);
    story.later_ms(0.1).fin(c, kIn);
    if (given.client_first) story.fin(c, kOut);
    story.over(c);
    EXPECT_EQ(story.finding("PF-02") != nullptr, given.want) << given.what;
}
INSTANTIATE_TEST_SUITE_P(Table, OthersEnded,
                         testing::Values(GivingUp{"as kubectl does", true, 5, true, true},
                                         GivingUp{"there was no other port", false, 5, true, false},
                                         GivingUp{"much later", true, 1600, true, false},
                                         GivingUp{"the server closed first", true, 5, false, false}));

// --- network

TEST(MissingBytes, are_told_once_with_their_sum) {
    Story story;
    auto c = running(story, "/attach/6NLIabcd");
    story.tell(c, Gap{kOut, 100, 16});
    story.tell(c, Gap{kIn, 100, 4});
    story.close(c);
    ASSERT_THAT(story.codes(), ElementsAre("NET-01"));
    EXPECT_THAT(story.finding("NET-01")->says,
                HasSubstr("20 bytes are missing in 2 holes: packets were sent but not captured"));
    EXPECT_THAT(story.finding("NET-01")->remedy, HasSubstr("-B"));
}

TEST(MissingBytes, of_a_capture_with_a_snap_length_name_it) {
    Story story;
    auto c = running(story, "/attach/6NLIabcd");
    story.builder.model().loss.add(LossPlace::cut_packets, 7);
    story.tell(c, Gap{kOut, 100, 1});
    story.close(c);
    EXPECT_THAT(story.finding("NET-01")->says,
                HasSubstr("1 byte is missing in 1 hole: packets were captured only in part"));
    EXPECT_THAT(story.finding("NET-01")->remedy, HasSubstr("-s 0"));
}

TEST(Disorder, is_a_notice_on_loopback_only) {
    for (const char* client : {kClient, "10.0.0.2:54766"}) {
        Story story;
        auto c = story.connect(client, kServer);
        story.request(c, "POST", "/attach/6NLIabcd", spdy_upgrade());
        story.upgrade(c, Carrier::spdy31, "v4.channel.k8s.io");
        story.stream(c, 1, StreamKind::error);
        story.tell(c, NetNote{kOut, NetNoteKind::retransmission, 0, 10});
        story.tell(c, NetNote{kOut, NetNoteKind::retransmission, 0, 10});
        story.tell(c, NetNote{kOut, NetNoteKind::reordering, 0, 10});
        story.tell(c, NetNote{kOut, NetNoteKind::keep_alive, 0, 0});
        story.close(c);
        if (client == kClient) {
            ASSERT_THAT(story.codes(), ElementsAre("NET-02"));
            EXPECT_EQ(story.finding("NET-02")->severity, Severity::notice);
            EXPECT_THAT(story.finding("NET-02")->says, HasSubstr("2 segments were sent again and 1 came out of order"));
        } else {
            EXPECT_THAT(story.codes(), IsEmpty());
        }
    }
}

// --- bounds

TEST(Findings, are_bounded_and_counted) {
    Recorder recorder;
    Story story({.findings_max = 5}, &recorder);
    auto c = story.connect(kClient, kServer);
    for (int i = 0; i < 20; ++i) {
        story.request(c, "GET", "/exec/AAAAAAAA");
        story.answer(c, 404);
    }
    EXPECT_EQ(story.builder.model().findings.size(), 5U);
    EXPECT_EQ(story.builder.model().findings_seen, 20U);
    EXPECT_EQ(std::count(recorder.told.begin(), recorder.told.end(), "finding TOK-01"), 20)
        << "the observer hears of all";
}

}  // namespace
}  // namespace hopscope::chain::test
