// What becomes a session, and what a session becomes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "chain/evidence.h"
#include "story.h"

namespace hopscope::chain::test {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr auto kIn = Direction::to_server;
constexpr auto kOut = Direction::to_client;
constexpr const char* kClient = "127.0.0.1:54766";
constexpr const char* kServer = "127.0.0.1:42313";

TEST(Session, an_exec_over_spdy_from_request_to_exit_code) {
    Recorder recorder;
    Story story({}, &recorder);
    auto c = story.connect(kClient, kServer);
    story.later_ms(1);
    story.request(
        c, "POST", "/exec/6NLIabcd",
        spdy_upgrade(
            {{"Host", "127.0.0.1:8001"}, {"User-Agent", "kubectl/v1.27"}, {"X-Forwarded-For", "10.0.0.1, 10.0.0.2"}}));
    story.later_ms(1);
    story.upgrade(c, Carrier::spdy31, "v4.channel.k8s.io");
    story.stream(c, 1, StreamKind::error);
    story.stream(c, 3, StreamKind::in);
    story.stream(c, 5, StreamKind::out);
    story.data(c, 3, kIn, "abc");
    story.data(c, 5, kOut, "hello");
    story.data(c, 5, kOut, "you");
    story.data(c, 1, kOut, "{\"status\":\"Failure\"}");
    story.exit_status(c, 1, 3);
    story.tell(c, StreamClosed{5, kOut, CloseKind::fin, 0});
    story.tell(c, StreamClosed{3, kIn, CloseKind::fin, 0});
    story.tell(c, StreamClosed{3, kOut, CloseKind::fin, 0});
    story.tell(c, StreamClosed{1, kOut, CloseKind::reset, 5});
    story.close(c);
    Model& model = story.finish();

    ASSERT_EQ(model.sessions.size(), 1U);
    const Session& s = *model.sessions[0];
    EXPECT_EQ(s.id(), "s1");
    EXPECT_EQ(s.op, Op::exec);
    EXPECT_EQ(s.hop, HopKind::runtime);
    EXPECT_EQ(s.state, SessionState::closed);
    EXPECT_EQ(s.proto, Proto::spdy31);
    EXPECT_EQ(s.subprotocol, "v4.channel.k8s.io");
    EXPECT_EQ(s.status, 101);
    EXPECT_EQ(s.method, "POST");
    EXPECT_EQ(s.token->value, "6NLIabcd");
    EXPECT_EQ(s.token->number, 1U);
    EXPECT_EQ(s.exit_code, std::optional(3));
    EXPECT_EQ(s.outcome, Session::Outcome::failure);
    EXPECT_EQ(s.bytes.in, 3U);
    EXPECT_EQ(s.bytes.out, 8U) << "the error stream is no payload";
    EXPECT_EQ(s.tty, std::optional(false)) << "v4 without a resize stream";
    EXPECT_TRUE(s.complete);
    EXPECT_TRUE(s.over);
    EXPECT_EQ(s.host, "127.0.0.1:8001");
    ASSERT_EQ(s.forwarded_for.size(), 2U);
    EXPECT_EQ(s.forwarded_for[1], "10.0.0.2");
    EXPECT_EQ((s.answered - s.start).ns, 1'000'000);
    EXPECT_EQ((s.start - s.connected).ns, 1'000'000);
    ASSERT_EQ(s.streams.size(), 3U);
    EXPECT_EQ(s.streams[2].frames, 2U);
    EXPECT_EQ(s.streams[2].bytes.out, 8U);
    EXPECT_EQ(s.streams[2].state, Stream::State::half_closed);
    EXPECT_EQ(s.streams[1].state, Stream::State::closed);
    EXPECT_EQ(s.streams[0].state, Stream::State::reset);
    EXPECT_THAT(story.codes(), IsEmpty());
    EXPECT_THAT(recorder.told,
                ElementsAre("opened s1", "stream s1 1", "stream s1 3", "stream s1 5", "data s1 3 in abc",
                            "data s1 5 out hello", "data s1 5 out you", "data s1 1 out {\"status\":\"Failure\"}",
                            "stream closed s1 3", "stream closed s1 1", "ended s1 closed"));
    EXPECT_EQ(model.sessions_by_op[static_cast<std::size_t>(Op::exec)], 1U);
    EXPECT_EQ(model.sessions_by_proto[static_cast<std::size_t>(Proto::spdy31)], 1U);
}

// --- states

struct Ending {
    const char* what;
    void (*end)(Story&, const Story::Connection&);
    SessionState want;
};
class States : public testing::TestWithParam<Ending> {};

TEST_P(States, follow_from_how_the_connection_ends) {
    Story story;
    auto c = story.connect(kClient, kServer);
    story.request(c, "POST", "/attach/6NLIabcd", spdy_upgrade());
    story.upgrade(c, Carrier::spdy31, "v4.channel.k8s.io");
    story.stream(c, 1, StreamKind::error);
    GetParam().end(story, c);
    EXPECT_EQ(story.finish().sessions.at(0)->state, GetParam().want) << GetParam().what;
}

INSTANTIATE_TEST_SUITE_P(
    Table, States,
    testing::Values(
        Ending{"nothing more", [](Story&, const Story::Connection&) {}, SessionState::open},
        Ending{"the capture ends", [](Story& s, const Story::Connection& c) { s.over(c, true); }, SessionState::open},
        Ending{"both close", [](Story& s, const Story::Connection& c) { s.close(c); }, SessionState::closed},
        Ending{"one FIN is enough",
               [](Story& s, const Story::Connection& c) {
                   s.fin(c, kIn);
                   s.over(c, true);
               },
               SessionState::closed},
        Ending{"RST only",
               [](Story& s, const Story::Connection& c) {
                   s.rst(c, kOut);
                   s.over(c);
               },
               SessionState::reset},
        Ending{"FIN, then RST",
               [](Story& s, const Story::Connection& c) {
                   s.fin(c, kIn);
                   s.rst(c, kOut);
                   s.over(c);
               },
               SessionState::closed},
        Ending{"RST, then FIN",
               [](Story& s, const Story::Connection& c) {
                   s.rst(c, kOut);
                   s.fin(c, kIn);
                   s.over(c);
               },
               SessionState::closed},
        Ending{"evicted without a word", [](Story& s, const Story::Connection& c) { s.over(c, false); },
               SessionState::open}));

TEST(Session, a_refused_one_stays_refused_and_its_connection_goes_on) {
    Recorder recorder;
    Story story({}, &recorder);
    auto c = story.connect(kClient, kServer);
    story.request(c, "GET", "/exec/AAAAAAAA");
    story.answer(c, 404, "404 page not found\n");
    EXPECT_EQ(story.session(0).state, SessionState::refused) << "at once, not when the connection ends";
    EXPECT_TRUE(story.session(0).over);
    story.request(c, "GET", "/healthz");
    story.answer(c, 404, "404: Page Not Found");
    story.request(c, "POST", "/exec/BBBBBBBB", spdy_upgrade());
    story.answer(c, 403, "\r\nunable to upgrade: unable to negotiate protocol: client supports [v9]\r\nsecond line\n");
    story.close(c);
    Model& model = story.finish();
    ASSERT_EQ(model.sessions.size(), 2U) << "/healthz is no session";
    EXPECT_EQ(model.sessions[0]->refusal, "404 page not found");
    EXPECT_EQ(model.sessions[0]->proto, Proto::http11);
    EXPECT_EQ(model.sessions[0]->status, 404);
    EXPECT_TRUE(model.sessions[0]->complete);
    EXPECT_EQ(model.sessions[1]->refusal, "unable to upgrade: unable to negotiate protocol: client supports [v9]");
    EXPECT_EQ(model.sessions[1]->proto, Proto::spdy31) << "what was asked for";
    ASSERT_EQ(model.sessions[1]->offered.size(), 1U);
    EXPECT_EQ(model.sessions[1]->connected.ns, 0) << "its connection was there before it";
    EXPECT_NE(model.sessions[0]->connected.ns, 0);
    EXPECT_EQ(model.capture.http_requests, 3U);
    EXPECT_THAT(recorder.told, testing::Contains("ended s1 refused"));
}

TEST(Session, a_refusal_comes_in_pieces_and_is_bounded) {
    Story story;
    auto c = story.connect(kClient, kServer);
    story.request(c, "GET", "/exec/AAAAAAAA");
    story.tell(c, HttpResponse{0, 400, "Bad Request", "HTTP/1.1", {}});
    for (const char* piece : {"una", "ble to", " upgrade\nmore", " and more"})
        story.tell(c, HttpBody{0, kOut, as_bytes(piece)});
    story.tell(c, HttpEnd{0, kOut, 30, true});
    EXPECT_EQ(story.session(0).refusal, "unable to upgrade");
    story.request(c, "GET", "/exec/AAAAAAAB");
    story.answer(c, 500, std::string(100000, 'x'));
    EXPECT_EQ(story.session(1).refusal.size(), 512U);
}

TEST(Session, a_request_that_is_never_answered_stays_open_or_closes_with_its_connection) {
    Story story;
    auto open = story.connect("127.0.0.1:1001", kServer);
    story.request(open, "POST", "/exec/AAAAAAAA", spdy_upgrade());
    auto closed = story.connect("127.0.0.1:1002", kServer);
    story.request(closed, "POST", "/exec/BBBBBBBB", spdy_upgrade());
    story.close(closed);
    auto reset = story.connect("127.0.0.1:1003", kServer);
    story.request(reset, "POST", "/exec/CCCCCCCC", spdy_upgrade());
    story.rst(reset, kOut);
    story.over(reset);
    Model& model = story.finish();
    EXPECT_EQ(model.sessions[0]->state, SessionState::open);
    EXPECT_EQ(model.sessions[1]->state, SessionState::closed);
    EXPECT_EQ(model.sessions[2]->state, SessionState::reset);
    EXPECT_EQ(model.sessions[0]->status, 0);
    EXPECT_THAT(story.codes(), IsEmpty());
}

TEST(Session, a_hundred_continue_is_no_answer) {
    Story story;
    auto c = story.connect(kClient, kServer);
    story.request(c, "POST", "/exec/AAAAAAAA", spdy_upgrade());
    story.tell(c, HttpResponse{0, 100, "Continue", "HTTP/1.1", {}});
    EXPECT_EQ(story.session(0).state, SessionState::open);
    EXPECT_EQ(story.session(0).status, 0);
    story.upgrade(c, Carrier::spdy31, "v4.channel.k8s.io");
    EXPECT_EQ(story.session(0).status, 101);
}

TEST(Session, pipelined_requests_are_sessions_of_their_own) {
    Story story;
    auto c = story.connect(kClient, kServer);
    story.request(c, "GET", "/exec/AAAAAAAA");
    story.request(c, "GET", "/exec/BBBBBBBB");
    story.tell(c, HttpResponse{0, 404, "", "HTTP/1.1", {}});
    story.tell(c, HttpEnd{0, kOut, 0, true});
    story.tell(c, HttpResponse{1, 405, "", "HTTP/1.1", {}});
    story.tell(c, HttpEnd{1, kOut, 0, true});
    EXPECT_EQ(story.session(0).status, 404);
    EXPECT_EQ(story.session(1).status, 405);
}

TEST(Session, of_more_unanswered_requests_than_are_followed_the_oldest_ends) {
    Story story;
    auto c = story.connect(kClient, kServer);
    for (int i = 0; i < 100; ++i) story.request(c, "GET", "/exec/AAAAAAAA");
    EXPECT_TRUE(story.session(0).over);
    EXPECT_FALSE(story.session(99).over);
    EXPECT_EQ(story.finish().sessions.size(), 100U);
}

// --- joined late

TEST(Session, a_connection_joined_late_becomes_one_only_when_frames_were_decoded) {
    Recorder recorder;
    Story story({}, &recorder);
    auto c = story.connect(kClient, kServer, false);
    story.later_ms(5);
    story.tell(c, NetNote{kIn, NetNoteKind::keep_alive, 0, 0});
    EXPECT_EQ(story.builder.model().sessions.size(), 0U);
    StreamOpened inferred;
    inferred.id = 3;
    inferred.kind = StreamKind::out;
    inferred.grade = Grade::inferred;
    inferred.why = "an even gap";
    story.tell(c, inferred);
    story.data(c, 3, kOut, "tick\n");
    story.close(c);
    Model& model = story.finish();
    ASSERT_EQ(model.sessions.size(), 1U);
    const Session& s = *model.sessions[0];
    EXPECT_EQ(s.state, SessionState::cut) << "a FIN does not change that";
    EXPECT_EQ(s.proto, Proto::spdy31);
    EXPECT_EQ(s.op, Op::unknown);
    EXPECT_EQ(s.hop, HopKind::unknown);
    EXPECT_FALSE(s.complete);
    EXPECT_EQ(s.gaps, 0U);
    EXPECT_EQ(s.first_frame, 1U) << "its first packet";
    EXPECT_EQ(s.bytes.out, 5U);
    EXPECT_THAT(story.codes(), ElementsAre("NET-03"));
    const auto evidence = evidence_of(s);
    ASSERT_EQ(evidence.size(), 2U);
    EXPECT_EQ(evidence[0].grade, Grade::seen);
    EXPECT_EQ(evidence[1].says, "stream 3 is stdout: an even gap");
    EXPECT_THAT(recorder.told, Contains("ended s1 cut"));
}

TEST(Session, a_late_data_stream_tells_port_forward_and_an_exit_code_tells_exec) {
    Story story;
    auto pf = story.connect("127.0.0.1:1001", kServer, false);
    story.tell(pf, StreamOpened{3, StreamKind::data, Grade::inferred, {}, {}, "why"});
    story.over(pf);
    auto ex = story.connect("127.0.0.1:1002", kServer, false);
    story.tell(ex, SpdyFrame{kOut, 0, 0, 1, 10, 0, false});
    story.exit_status(ex, 1, 6);
    story.over(ex);
    auto ws = story.connect("127.0.0.1:1003", kServer, false);
    story.tell(ws, WsMessage{kOut, 2, 10, 1, -1, 0});
    EXPECT_EQ(story.builder.model().sessions.size(), 2U) << "any web page may use WebSocket";
    story.tell(ws, StreamOpened{1, StreamKind::out, Grade::inferred, {}, {}, "why"});
    story.tell(ws, WsMessage{kOut, 2, 10, 1, 1, 0});
    story.over(ws);
    Model& model = story.finish();
    EXPECT_EQ(model.sessions[0]->op, Op::portforward);
    EXPECT_EQ(model.sessions[1]->op, Op::exec);
    EXPECT_EQ(model.sessions[2]->proto, Proto::websocket);
}

TEST(Session, frames_after_a_lost_answer_belong_to_the_request) {
    Story story;
    auto c = story.connect(kClient, kServer);
    story.request(c, "POST", "/exec/AAAAAAAA", spdy_upgrade());
    story.tell(c, Gap{kOut, 0, 122});
    story.tell(c, SpdyFrame{kOut, 2, 0, 1, 10, 0, false});
    story.close(c);
    Model& model = story.finish();
    ASSERT_EQ(model.sessions.size(), 1U);
    EXPECT_EQ(model.sessions[0]->state, SessionState::closed);
    EXPECT_EQ(model.sessions[0]->gaps, 1U);
    EXPECT_EQ(model.sessions[0]->missing_bytes, 122U);
    EXPECT_FALSE(model.sessions[0]->complete);
}

TEST(Session, a_head_that_is_cut_off_keeps_its_hole) {
    // The pipeline declares the hole and then the decoder tells what there is of the request: one frame.
    Story story;
    auto c = story.connect(kClient, kServer);
    story.tell(c, NetNote{kIn, NetNoteKind::keep_alive, 0, 0});
    story.same_frame(true);
    story.tell(c, Gap{kIn, 30, 131});
    story.request(c, "POST", "/exec/AN2T4988");
    story.same_frame(false);
    story.tell(c, HttpResponse{0, 101, "", "HTTP/1.1", {}});
    story.close(c);
    const Session& s = *story.finish().sessions.at(0);
    EXPECT_EQ(s.gaps, 1U);
    EXPECT_EQ(s.missing_bytes, 131U);
    EXPECT_EQ(s.status, 101);
    EXPECT_EQ(s.state, SessionState::closed);
    EXPECT_EQ(s.proto, Proto::unknown) << "the Upgrade header may be in the hole";
    EXPECT_FALSE(s.complete);
    EXPECT_THAT(story.codes(), ElementsAre("NET-01"));
}

TEST(Session, an_older_hole_is_not_the_next_requests_fault) {
    Story story;
    auto c = story.connect(kClient, kServer);
    story.tell(c, Gap{kIn, 0, 100});
    story.request(c, "POST", "/exec/AN2T4988", spdy_upgrade());
    EXPECT_EQ(story.session(0).gaps, 0U);
}

TEST(Session, upgrades_to_something_else_make_no_session) {
    Story story;
    auto c = story.connect(kClient, "127.0.0.1:80");
    story.request(c, "GET", "/chat", ws_upgrade());
    story.upgrade(c, Carrier::websocket, "chat");
    story.tell(c, StreamOpened{1, StreamKind::out, Grade::inferred, {}, {}, "why"});
    story.data(c, 1, kOut, "hello");
    story.close(c);
    auto docker = story.connect(kClient, "127.0.0.1:2375");
    story.request(docker, "POST", "/v1.43/exec/0123456789abcdef/start", {{"Upgrade", "tcp"}});
    story.upgrade(docker, Carrier::raw, "");
    story.data(docker, 1, kOut, "hello");
    story.close(docker);
    EXPECT_TRUE(story.finish().sessions.empty());
}

// --- headers and names

TEST(Session, of_the_api_server_knows_pod_container_and_command) {
    Story story;
    auto c = story.connect("10.0.0.9:50000", "10.0.0.1:6443");
    story.tell(c, TlsClientHello{});
    story.request(
        c, "GET",
        "/api/v1/namespaces/default/pods/web-0/exec?command=cat&command=%2Fetc%2Fhosts&container=nginx&stdout=true",
        ws_upgrade({{"Kubectl-Session", "5cf1cf1d-aaaa"},
                    {"KUBECTL-COMMAND", "kubectl exec"},
                    {"Sec-WebSocket-Protocol", "v4.channel.k8s.io, channel.k8s.io"}}));
    const Session& s = story.session(0);
    EXPECT_EQ(s.hop, HopKind::apiserver);
    EXPECT_EQ(s.k8s.namespace_, "default");
    EXPECT_EQ(s.k8s.pod, "web-0");
    EXPECT_EQ(s.k8s.container, "nginx");
    ASSERT_EQ(s.command.size(), 2U);
    EXPECT_EQ(s.command[1], "/etc/hosts");
    EXPECT_EQ(s.kubectl_session, "5cf1cf1d-aaaa");
    EXPECT_EQ(s.kubectl_command, "kubectl exec");
    EXPECT_EQ(s.offered.size(), 3U);
    EXPECT_EQ(s.proto, Proto::websocket);
    EXPECT_TRUE(s.tls);
    EXPECT_FALSE(s.token);
    EXPECT_EQ(story.builder.model().capture.tls_connections, 1U);
    const auto evidence = evidence_of(s);
    ASSERT_GE(evidence.size(), 3U);
    EXPECT_EQ(evidence[0].id, "tls");
    EXPECT_EQ(evidence[1].says, "the request line names namespace, pod and container");
}

struct Upgrade {
    const char* header;
    Proto want;
};
class AskedProto : public testing::TestWithParam<Upgrade> {};
TEST_P(AskedProto, is_what_the_upgrade_header_names) {
    Story story;
    auto c = story.connect(kClient, kServer);
    story.request(c, "POST", "/exec/6NLIabcd", {{"Upgrade", GetParam().header}});
    EXPECT_EQ(story.session(0).proto, GetParam().want) << GetParam().header;
}
INSTANTIATE_TEST_SUITE_P(Table, AskedProto,
                         testing::Values(Upgrade{"SPDY/3.1", Proto::spdy31}, Upgrade{"spdy/3.1", Proto::spdy31},
                                         Upgrade{"SPDY/3.1, websocket", Proto::spdy31},
                                         Upgrade{"websocket, SPDY/3.1", Proto::spdy31},
                                         Upgrade{"WebSocket", Proto::websocket}, Upgrade{"h2c", Proto::http11},
                                         Upgrade{"", Proto::http11}));

TEST(Session, long_texts_from_the_wire_are_cut) {
    Story story;
    auto c = story.connect(kClient, kServer);
    HeaderList many;
    for (int i = 0; i < 200; ++i) many.push_back({"X-Forwarded-For", "10.0.0.1, 10.0.0.2"});
    for (int i = 0; i < 200; ++i) many.push_back({"X-Stream-Protocol-Version", "v" + std::to_string(i)});
    many.push_back({"User-Agent", std::string(60000, 'u')});
    story.request(c, "POST", "/exec/" + std::string(60000, 'x'), many);
    const Session& s = story.session(0);
    EXPECT_EQ(s.target.size(), 8192U);
    EXPECT_EQ(s.token->value.size(), 4096U);
    EXPECT_EQ(s.user_agent.size(), 4096U);
    EXPECT_EQ(s.forwarded_for.size(), 16U);
    EXPECT_EQ(s.offered.size(), 16U);
}

// --- gaps, problems, slots

TEST(Session, a_hole_or_undecoded_bytes_make_it_incomplete) {
    Story story;
    auto hole = story.connect("127.0.0.1:1001", kServer);
    story.request(hole, "POST", "/exec/AAAAAAAA", spdy_upgrade());
    story.upgrade(hole, Carrier::spdy31, "v4.channel.k8s.io");
    story.tell(hole, Gap{kOut, 200, 16});
    story.tell(hole, Gap{kOut, 300, 4});
    story.close(hole);
    auto lost = story.connect("127.0.0.1:1002", kServer);
    story.request(lost, "POST", "/exec/BBBBBBBB", spdy_upgrade());
    story.upgrade(lost, Carrier::spdy31, "v4.channel.k8s.io");
    story.tell(lost, Problem{"spdy.length", "nonsense", kOut, 100, 50});
    story.close(lost);
    Model& model = story.finish();
    EXPECT_EQ(model.sessions[0]->gaps, 2U);
    EXPECT_EQ(model.sessions[0]->missing_bytes, 20U);
    EXPECT_FALSE(model.sessions[0]->complete);
    EXPECT_EQ(model.sessions[1]->gaps, 0U);
    EXPECT_FALSE(model.sessions[1]->complete);
    EXPECT_EQ(model.loss[LossPlace::decoder], 50U);
    EXPECT_EQ(model.capture.gaps, 2U);
}

TEST(Builder, slots_are_used_again_without_mixing_connections) {
    Story story;
    for (int i = 0; i < 50; ++i) {
        auto c = story.connect("127.0.0.1:" + std::to_string(2000 + i), kServer);
        ASSERT_EQ(c.slot, 0U);
        story.request(c, "POST", "/exec/AAAAAAA" + std::string(1, static_cast<char>('a' + i % 26)), spdy_upgrade());
        story.upgrade(c, Carrier::spdy31, "v4.channel.k8s.io");
        story.run_exec(c, i % 3);
    }
    Model& model = story.finish();
    ASSERT_EQ(model.sessions.size(), 50U);
    for (int i = 0; i < 50; ++i)
        EXPECT_EQ(model.sessions[static_cast<std::size_t>(i)]->exit_code, std::optional(i % 3));
}

TEST(Builder, events_of_unknown_connections_are_ignored) {
    Story story;
    Story::Connection stranger{99, 7, 0};
    story.request(stranger, "POST", "/exec/AAAAAAAA", spdy_upgrade());
    story.data(stranger, 1, kOut, "x");
    story.tell(stranger, Gap{kIn, 0, 1});
    story.tell(stranger, FlowEnded{false});
    EXPECT_TRUE(story.finish().sessions.empty());
}

TEST(Builder, a_slot_given_away_too_early_ends_its_session) {
    Story story;
    auto c = story.connect(kClient, kServer);
    story.request(c, "POST", "/exec/AAAAAAAA", spdy_upgrade());
    story.builder.flow({.id = 77, .slot = c.slot, .client = endpoint(kClient), .server = endpoint(kServer)});
    EXPECT_TRUE(story.session(0).over);
}

TEST(Builder, tells_sessions_that_are_open_at_the_end_of_the_capture) {
    Recorder recorder;
    Story story({}, &recorder);
    auto c = story.connect(kClient, kServer);
    story.request(c, "POST", "/portforward/AAAAAAAA", spdy_upgrade());
    story.upgrade(c, Carrier::spdy31, "portforward.k8s.io");
    story.finish();
    EXPECT_THAT(recorder.told, ElementsAre("opened s1", "ended s1 open"));
    EXPECT_TRUE(story.session(0).complete) << "nothing of it is missing so far";
}

}  // namespace
}  // namespace hopscope::chain::test
