// One user action, hop by hop: what is joined, on which evidence, and what is left apart.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "story.h"

namespace hopscope::chain::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* kApi = "127.0.0.1:8001";
constexpr const char* kKubelet = "127.0.0.1:10250";
constexpr const char* kRuntime = "127.0.0.1:34771";
constexpr const char* kApiTarget = "/api/v1/namespaces/default/pods/web-0/exec?command=sh&container=main";
constexpr const char* kKubeletTarget = "/exec/default/web-0/main?command=sh&error=1&output=1";

std::vector<std::string> described(const Model& model) {
    std::vector<std::string> all;
    for (const Chain& chain : model.chains) {
        std::string text = chain.id() + ":";
        for (const std::uint32_t number : chain.sessions) text += " s" + std::to_string(number);
        text += " |";
        for (const Hop& hop : chain.hops) text += " " + std::string(to_string(hop.kind));
        all.push_back(std::move(text));
    }
    return all;
}

struct UserRun {
    HeaderList headers;       // at the API server
    bool kubelet = true;      // its hop is readable
    bool plain_proxy = true;  // headers travel along
    Carrier outer = Carrier::spdy31;
    int port = 50000;
    std::string token = "AAAAAAAA";
    std::string output = "out\n";
    int code = 3;
    std::string command = "sh";
};

// kubectl → API server → kubelet → runtime, each asking inwards before it answers outwards (a translating API server:
// after).
struct Hops {
    Story::Connection api, kubelet, runtime;
};

Hops open(Story& story, const UserRun& run) {
    Hops hops;
    HeaderList inner = run.plain_proxy ? run.headers : HeaderList{{"User-Agent", "Go-http-client/1.1"}};
    const auto upgrade = [](Carrier carrier, const HeaderList& more) {
        return carrier == Carrier::websocket ? ws_upgrade(more) : spdy_upgrade(more);
    };
    hops.api = story.connect("127.0.0.1:" + std::to_string(run.port), kApi);
    story.later_ms(0.1).request(hops.api, "POST",
                                "/api/v1/namespaces/default/pods/web-0/exec?command=" + run.command + "&container=main",
                                upgrade(run.outer, run.headers));
    if (!run.plain_proxy) story.later_ms(0.1).upgrade(hops.api, run.outer, "v5.channel.k8s.io");
    if (run.plain_proxy) inner.push_back({"X-Forwarded-For", "127.0.0.1"});
    const Carrier carrier = run.plain_proxy ? run.outer : Carrier::spdy31;
    if (run.kubelet) {
        hops.kubelet = story.connect("127.0.0.1:" + std::to_string(run.port + 1), kKubelet);
        story.later_ms(0.1).request(hops.kubelet, "POST",
                                    "/exec/default/web-0/main?command=" + run.command + "&error=1&output=1",
                                    upgrade(carrier, inner));
    }
    inner.push_back({"X-Forwarded-For", "127.0.0.1"});
    hops.runtime = story.connect("127.0.0.1:" + std::to_string(run.port + 2), kRuntime);
    story.later_ms(0.1).request(hops.runtime, "POST", "/exec/" + run.token, upgrade(carrier, inner));
    return hops;
}

void answer(Story& story, const UserRun& run, Hops& hops, std::uint16_t status) {
    const Carrier carrier = run.plain_proxy ? run.outer : Carrier::spdy31;
    const auto one = [&](const Story::Connection& c, Carrier by) {
        story.later_ms(0.1);
        if (status == 101) {
            story.upgrade(c, by, "v4.channel.k8s.io");
        } else {
            story.answer(c, status, "refused\n");
        }
    };
    one(hops.runtime, carrier);
    if (run.kubelet) one(hops.kubelet, carrier);
    if (run.plain_proxy) one(hops.api, run.outer);
}

void finish(Story& story, const UserRun& run, Hops& hops) {
    story.later_ms(40);
    story.run_exec(hops.runtime, run.code, run.output);
    if (run.kubelet) story.run_exec(hops.kubelet, run.code, run.output);
    story.run_exec(hops.api, run.code, run.output);
}

void whole(Story& story, const UserRun& run) {
    Hops hops = open(story, run);
    answer(story, run, hops, 101);
    finish(story, run, hops);
}

TEST(Chain, of_one_kubectl_session_over_three_hops) {
    Story story;
    whole(story,
          {.headers = {
               {"Kubectl-Session", "run-1"}, {"User-Agent", "kubectl/v1.27"}, {"Kubectl-Command", "kubectl exec"}}});
    Model& model = story.finish();
    ASSERT_THAT(described(model), ElementsAre("c1: s1 s2 s3 | apiserver kubelet runtime"));
    const Chain& chain = model.chains[0];
    EXPECT_EQ(chain.op, Op::exec);
    EXPECT_EQ(chain.kubectl_session, "run-1");
    EXPECT_EQ(chain.kubectl_command, "kubectl exec");
    EXPECT_EQ(chain.user_agent, "kubectl/v1.27");
    EXPECT_EQ(chain.k8s.pod, "web-0");
    EXPECT_EQ(chain.k8s.container, "main");
    EXPECT_EQ(chain.exit_code, std::optional(3));
    EXPECT_EQ(chain.command.size(), 1U);
    EXPECT_THAT(chain.attempts, IsEmpty());
    EXPECT_THAT(chain.candidates, IsEmpty());
    for (const Hop& hop : chain.hops) {
        EXPECT_GE(hop.evidence.size(), 2U);
        EXPECT_EQ(hop.grade, Grade::decoded);
        EXPECT_EQ(hop.proto, "spdy/3.1");
        EXPECT_GT(hop.took.ns, 0);
        EXPECT_EQ(hop.bytes.out, 4U);
    }
    EXPECT_EQ(chain.hops[2].session, 3U);
    EXPECT_EQ(chain.start, model.sessions[0]->start);
}

TEST(Chain, without_the_header_is_joined_by_containment_and_agreement) {
    Story story;
    whole(story, {.headers = {{"User-Agent", "kubectl/v1.27"}}});
    Model& model = story.finish();
    ASSERT_THAT(described(model), ElementsAre("c1: s1 s2 s3 | apiserver kubelet runtime"));
    EXPECT_THAT(model.chains[0].hops[1].evidence.at(1).says, HasSubstr("while s1 waited for its answer"));
    EXPECT_THAT(model.chains[0].hops[1].evidence.at(1).says, HasSubstr("the command, the byte counts, the exit code"));
    EXPECT_EQ(model.chains[0].hops[1].evidence.at(1).grade, Grade::inferred);
}

TEST(Chain, over_a_kubelet_that_cannot_be_read) {
    Story story;
    whole(story, {.headers = {{"User-Agent", "kubectl/v1.27"}}, .kubelet = false});
    EXPECT_THAT(described(story.finish()), ElementsAre("c1: s1 s2 | apiserver runtime"));
}

TEST(Chain, through_a_translating_api_server_where_headers_are_lost) {
    Story story;
    whole(story, {.headers = {{"Kubectl-Session", "run-1"}, {"User-Agent", "kubectl/v1.33"}},
                  .plain_proxy = false,
                  .outer = Carrier::websocket});
    EXPECT_THAT(described(story.finish()), ElementsAre("c1: s1 s2 s3 | apiserver kubelet runtime"));
}

TEST(Chain, holds_the_refused_attempt_and_sums_it_up) {
    Story story;
    const HeaderList headers{{"Kubectl-Session", "run-1"}};
    UserRun first{.headers = headers, .outer = Carrier::websocket, .port = 50000, .token = "AAAAAAAA"};
    Hops refused = open(story, first);
    answer(story, first, refused, 403);
    whole(story, {.headers = headers, .port = 50010, .token = "BBBBBBBB"});
    Model& model = story.finish();
    ASSERT_THAT(described(model),
                ElementsAre("c1: s1 s2 s3 s4 s5 s6 | apiserver apiserver kubelet kubelet runtime runtime"));
    ASSERT_EQ(model.chains[0].attempts.size(), 1U) << "one attempt of the user, whatever the number of hops";
    EXPECT_EQ(model.chains[0].attempts[0].proto, Proto::websocket);
    EXPECT_EQ(model.chains[0].attempts[0].status, 403);
    EXPECT_EQ(model.chains[0].exit_code, std::optional(3));
}

TEST(Chain, joins_a_repeated_attempt_without_the_header) {
    Story story;
    const HeaderList headers{{"User-Agent", "kubectl/v1.31"}};
    UserRun first{.headers = headers, .outer = Carrier::websocket, .port = 50000, .token = "AAAAAAAA"};
    Hops refused = open(story, first);
    answer(story, first, refused, 403);
    whole(story, {.headers = headers, .port = 50010, .token = "BBBBBBBB"});
    EXPECT_THAT(described(story.finish()),
                ElementsAre("c1: s1 s2 s3 s4 s5 s6 | apiserver apiserver kubelet kubelet runtime runtime"));
}

TEST(Chain, of_kubectl_cp_holds_both_execs) {
    Story story;
    const HeaderList headers{{"User-Agent", "kubectl/v1.31"}, {"Kubectl-Command", "kubectl cp"}};
    whole(story, {.headers = headers, .port = 50000, .token = "AAAAAAAA", .code = 1, .command = "test"});
    story.later_ms(20);
    whole(story, {.headers = headers, .port = 50010, .token = "BBBBBBBB", .code = 0, .command = "tar"});
    Model& model = story.finish();
    EXPECT_THAT(described(model),
                ElementsAre("c1: s1 s2 s3 s4 s5 s6 | apiserver apiserver kubelet kubelet runtime runtime"));
    EXPECT_EQ(model.chains[0].exit_code, std::optional(0)) << "the last one's";
}

TEST(Chain, two_runs_one_after_the_other_stay_two) {
    Story story;
    const HeaderList headers{{"User-Agent", "kubectl/v1.27"}};
    whole(story, {.headers = headers, .port = 50000, .token = "AAAAAAAA"});
    story.later_ms(20);
    whole(story, {.headers = headers, .port = 50010, .token = "BBBBBBBB"});
    EXPECT_THAT(described(story.finish()),
                ElementsAre("c1: s1 s2 s3 | apiserver kubelet runtime", "c2: s4 s5 s6 | apiserver kubelet runtime"));
}

// Two runs whose requests cross: a.api b.api, then a.runtime b.runtime, then the answers.
void crossing(Story& story, UserRun a, UserRun b) {
    a.kubelet = b.kubelet = false;
    Story::Connection outer[2], inner[2];
    UserRun* runs[2] = {&a, &b};
    for (int i = 0; i < 2; ++i) {
        outer[i] = story.connect("127.0.0.1:" + std::to_string(50000 + i), kApi);
        story.later_ms(0.1).request(outer[i], "POST", kApiTarget, spdy_upgrade(runs[i]->headers));
    }
    for (int i = 0; i < 2; ++i) {
        inner[i] = story.connect("127.0.0.1:" + std::to_string(50010 + i), kRuntime);
        story.later_ms(0.1).request(inner[i], "POST", "/exec/" + runs[i]->token, spdy_upgrade(runs[i]->headers));
    }
    for (int i = 0; i < 2; ++i) story.later_ms(0.1).upgrade(inner[i], Carrier::spdy31, "v4.channel.k8s.io");
    for (int i = 0; i < 2; ++i) story.later_ms(0.1).upgrade(outer[i], Carrier::spdy31, "v4.channel.k8s.io");
    for (int i = 0; i < 2; ++i) {
        story.later_ms(10);
        story.run_exec(inner[i], runs[i]->code, runs[i]->output);
        story.run_exec(outer[i], runs[i]->code, runs[i]->output);
    }
}

TEST(Chain, two_runs_at_once_that_nothing_tells_apart_are_not_joined_but_listed) {
    Story story;
    const HeaderList headers{{"User-Agent", "kubectl/v1.27"}};
    crossing(story, {.headers = headers, .token = "AAAAAAAA"}, {.headers = headers, .token = "BBBBBBBB"});
    EXPECT_THAT(described(story.finish()), IsEmpty());
}

TEST(Chain, candidates_are_listed_with_the_chain_that_they_may_belong_to) {
    Story story;
    const HeaderList with_run{{"User-Agent", "kubectl/v1.27"}, {"Kubectl-Session", "run-1"}};
    // The API server has the header, both inner requests have lost it.
    auto outer = story.connect("127.0.0.1:50000", kApi);
    story.later_ms(0.1).request(outer, "POST", kApiTarget, spdy_upgrade(with_run));
    for (int i = 0; i < 2; ++i) {
        auto inner = story.connect("127.0.0.1:" + std::to_string(50010 + i), kRuntime);
        story.later_ms(0.1).request(inner, "POST", i == 0 ? "/exec/AAAAAAAA" : "/exec/BBBBBBBB",
                                    spdy_upgrade({{"User-Agent", "kubectl/v1.27"}}));
    }
    story.later_ms(1).upgrade(outer, Carrier::spdy31, "v4.channel.k8s.io");
    Model& model = story.finish();
    ASSERT_THAT(described(model), ElementsAre("c1: s1 | apiserver"));
    ASSERT_EQ(model.chains[0].candidates.size(), 2U);
    EXPECT_THAT(model.chains[0].candidates[0].says, HasSubstr("s2 fits, too"));
}

struct Telling {
    const char* what;
    UserRun a, b;
};
class ToldApart : public testing::TestWithParam<Telling> {};
TEST_P(ToldApart, by_what_they_do_not_share) {
    Story story;
    crossing(story, GetParam().a, GetParam().b);
    EXPECT_THAT(described(story.finish()),
                ElementsAre("c1: s1 s3 | apiserver runtime", "c2: s2 s4 | apiserver runtime"))
        << GetParam().what;
}
INSTANTIATE_TEST_SUITE_P(Table, ToldApart,
                         testing::Values(Telling{"the kubectl run",
                                                 {.headers = {{"Kubectl-Session", "a"}}, .token = "AAAAAAAA"},
                                                 {.headers = {{"Kubectl-Session", "b"}}, .token = "BBBBBBBB"}},
                                         Telling{"the program",
                                                 {.headers = {{"User-Agent", "a"}}, .token = "AAAAAAAA"},
                                                 {.headers = {{"User-Agent", "b"}}, .token = "BBBBBBBB"}},
                                         Telling{"the bytes",
                                                 {.headers = {}, .token = "AAAAAAAA", .output = "one"},
                                                 {.headers = {}, .token = "BBBBBBBB", .output = "another"}},
                                         Telling{"the exit code",
                                                 {.headers = {}, .token = "AAAAAAAA", .code = 1},
                                                 {.headers = {}, .token = "BBBBBBBB", .code = 2}}));

struct Contradiction {
    const char* what;
    const char* outer_target;
    HeaderList outer_headers;
    const char* inner_target;
    HeaderList inner_headers;
    bool joined;
};
class Contradictions : public testing::TestWithParam<Contradiction> {};
TEST_P(Contradictions, keep_sessions_apart) {
    const Contradiction& given = GetParam();
    Story story;
    auto outer = story.connect("10.0.0.9:50000", kApi);
    story.request(outer, "POST", given.outer_target, given.outer_headers);
    auto inner = story.connect("127.0.0.1:50001", kKubelet);
    story.later_ms(1).request(inner, "POST", given.inner_target, given.inner_headers);
    story.later_ms(1).upgrade(inner, Carrier::spdy31, "v4.channel.k8s.io");
    story.later_ms(1).upgrade(outer, Carrier::spdy31, "v4.channel.k8s.io");
    story.run_exec(inner);
    story.run_exec(outer);
    EXPECT_EQ(story.finish().chains.size() == 1 && story.builder.model().chains[0].sessions.size() == 2, given.joined)
        << given.what;
}
INSTANTIATE_TEST_SUITE_P(
    Table, Contradictions,
    testing::Values(
        Contradiction{"nothing speaks against it", kApiTarget, spdy_upgrade(), kKubeletTarget, spdy_upgrade(), true},
        Contradiction{"another pod", kApiTarget, spdy_upgrade(), "/exec/default/web-1/main?command=sh", spdy_upgrade(),
                      false},
        Contradiction{"another namespace", kApiTarget, spdy_upgrade(), "/exec/tools/web-0/main?command=sh",
                      spdy_upgrade(), false},
        Contradiction{"another container", kApiTarget, spdy_upgrade(), "/exec/default/web-0/side?command=sh",
                      spdy_upgrade(), false},
        Contradiction{"another command", kApiTarget, spdy_upgrade(), "/exec/default/web-0/main?command=bash",
                      spdy_upgrade(), false},
        Contradiction{"another operation", kApiTarget, spdy_upgrade(), "/attach/default/web-0/main", spdy_upgrade(),
                      false},
        Contradiction{"nobody adds a kubectl session", kApiTarget, spdy_upgrade(), kKubeletTarget,
                      spdy_upgrade({{"Kubectl-Session", "x"}}), false},
        Contradiction{"another client was forwarded", kApiTarget, spdy_upgrade(), kKubeletTarget,
                      spdy_upgrade({{"X-Forwarded-For", "10.0.0.8"}}), false},
        Contradiction{"this client was forwarded", kApiTarget, spdy_upgrade(), kKubeletTarget,
                      spdy_upgrade({{"X-Forwarded-For", "10.0.0.9"}}), true},
        Contradiction{"behind further proxies", kApiTarget, spdy_upgrade({{"X-Forwarded-For", "1.2.3.4"}}),
                      kKubeletTarget, spdy_upgrade({{"X-Forwarded-For", "1.2.3.4, 10.0.0.9, 10.0.0.1"}}), true}));

TEST(Chain, a_request_after_the_answer_is_not_the_proxys) {
    Story story;
    auto outer = story.connect("10.0.0.9:50000", kApi);
    story.request(outer, "POST", kApiTarget, spdy_upgrade());
    story.later_ms(1).upgrade(outer, Carrier::spdy31, "v4.channel.k8s.io");
    auto inner = story.connect("127.0.0.1:50001", kKubelet);
    story.later_ms(1).request(inner, "POST", kKubeletTarget, spdy_upgrade());
    story.run_exec(inner);
    story.run_exec(outer);
    EXPECT_THAT(described(story.finish()), IsEmpty());
}

TEST(Chain, a_lone_runtime_session_makes_none) {
    Story story;
    auto c = story.connect("127.0.0.1:50001", kRuntime);
    story.request(c, "POST", "/exec/AAAAAAAA", spdy_upgrade());
    story.upgrade(c, Carrier::spdy31, "v4.channel.k8s.io");
    story.run_exec(c);
    EXPECT_THAT(story.finish().chains, IsEmpty());
}

TEST(Chain, a_lone_session_of_a_known_kubectl_run_makes_one) {
    Story story;
    auto c = story.connect("127.0.0.1:50001", kRuntime);
    story.request(c, "POST", "/exec/AAAAAAAA", spdy_upgrade({{"Kubectl-Session", "run-1"}}));
    EXPECT_THAT(described(story.finish()), ElementsAre("c1: s1 | runtime"));
}

TEST(Chain, has_the_cri_call_that_issued_the_token_as_a_hop) {
    Story story;
    auto socket = story.connect("127.0.0.1:50000", "127.0.0.2:50051");
    const std::string_view words[] = {"id"};
    CriMessage ask;
    ask.stream = 1;
    ask.method = "Exec";
    ask.container_id = "34ad62";
    ask.command = words;
    ask.message_bytes = 86;
    story.tell(socket, ask);
    CriMessage reply;
    reply.stream = 1;
    reply.response = true;
    reply.method = "Exec";
    reply.url = "http://127.0.0.1:34771/exec/AAAAAAAA";
    reply.message_bytes = 42;
    story.later_ms(3).tell(socket, reply);
    const std::uint64_t reply_frame = story.frame();
    auto c = story.connect("127.0.0.1:50001", kRuntime);
    story.later_ms(1).request(c, "POST", "/exec/AAAAAAAA", spdy_upgrade());
    story.upgrade(c, Carrier::spdy31, "v4.channel.k8s.io");
    story.run_exec(c);
    Model& model = story.finish();
    ASSERT_THAT(described(model), ElementsAre("c1: s1 | cri runtime"));
    const Hop& cri = model.chains[0].hops[0];
    EXPECT_EQ(cri.proto, "grpc");
    EXPECT_EQ(cri.session, 0U);
    EXPECT_EQ(cri.took.ns, 3'000'000);
    EXPECT_EQ(cri.bytes.in, 86U);
    EXPECT_EQ(cri.bytes.out, 42U);
    EXPECT_EQ(to_string(cri.server), "127.0.0.2:50051");
    ASSERT_EQ(cri.evidence.size(), 1U);
    EXPECT_EQ(cri.evidence[0].says, "token t1 is in the CRI answer and in the URL");
    EXPECT_EQ(cri.evidence[0].frame, reply_frame);
    EXPECT_EQ(model.chains[0].container.id, "34ad62");
}

TEST(Chain, of_a_unix_socket_names_path_and_processes) {
    Story story;
    story.builder.flow({.id = 500,
                        .slot = 40,
                        .is_unix = true,
                        .unix_server = {"/run/containerd/containerd.sock", 157387},
                        .client_pid = 5714,
                        .server_pid = 2685});
    Story::Connection socket{500, 40, 0};
    CriMessage reply;
    reply.response = true;
    reply.method = "Exec";
    reply.url = "http://127.0.0.1:34771/exec/AAAAAAAA";
    story.tell(socket, reply);
    auto c = story.connect("127.0.0.1:50001", kRuntime);
    story.request(c, "POST", "/exec/AAAAAAAA", spdy_upgrade());
    Model& model = story.finish();
    ASSERT_THAT(described(model), ElementsAre("c1: s1 | cri runtime"));
    const Hop& cri = model.chains[0].hops[0];
    ASSERT_TRUE(cri.unix_socket);
    EXPECT_EQ(cri.unix_socket->path, "/run/containerd/containerd.sock");
    EXPECT_EQ(cri.from->pid, 5714U);
    EXPECT_EQ(cri.to->pid, 2685U);
}

TEST(Chain, names_what_does_not_fit_together) {
    Story story;
    for (const char* pod : {"web-0", "web-1"}) {
        auto c = story.connect("127.0.0.1:50000", kApi);
        story.request(c, "POST", std::string("/api/v1/namespaces/default/pods/") + pod + "/exec?command=x",
                      spdy_upgrade({{"Kubectl-Session", "same"}}));
    }
    Model& model = story.finish();
    ASSERT_EQ(model.chains.size(), 1U);
    ASSERT_EQ(model.chains[0].contradictions.size(), 1U);
    EXPECT_EQ(model.chains[0].contradictions[0].says, "s2 names another pod");
}

TEST(Chain, of_many_sessions_is_joined_in_reasonable_time) {
    Story story;
    for (int i = 0; i < 3000; ++i) {
        auto c = story.connect("127.0.0.1:50000", i % 2 == 0 ? kApi : kRuntime);
        story.request(c, "POST", i % 2 == 0 ? kApiTarget : "/exec/AAAAAAAA", spdy_upgrade({{"User-Agent", "same"}}));
    }
    for (int i = 0; i < 20000; ++i) {
        auto c = story.connect("127.0.0.1:50000", kApi);
        story.request(c, "POST", kApiTarget, spdy_upgrade({{"Kubectl-Session", "same"}}));
        story.over(c);
    }
    Model& model = story.finish();
    ASSERT_FALSE(model.chains.empty());
    EXPECT_EQ(model.chains.back().sessions.size(), 20000U);
}

}  // namespace
}  // namespace hopscope::chain::test
