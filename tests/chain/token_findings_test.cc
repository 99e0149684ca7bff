// What becomes of tokens and upgrades: refused, used twice, expired, left unused, repeated with another protocol.
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

constexpr const char* kClient = "127.0.0.1:54766";
constexpr const char* kServer = "127.0.0.1:42313";

// --- tokens

TEST(RefusedToken, that_was_used_before_names_the_session_that_used_it) {
    Story story;
    auto a = story.connect("127.0.0.1:1001", kServer);
    story.request(a, "POST", "/exec/H7gnNgZI", spdy_upgrade());
    story.upgrade(a, Carrier::spdy31, "v4.channel.k8s.io");
    auto b = story.connect("127.0.0.1:1002", kServer);
    story.request(b, "POST", "/exec/H7gnNgZI", spdy_upgrade());
    story.answer(b, 404, "404 page not found\n");
    ASSERT_THAT(story.codes(), ElementsAre("TOK-01"));
    EXPECT_THAT(story.finding("TOK-01")->says, HasSubstr("token t1 had been used before by s1"));
    EXPECT_EQ(story.session(1).token->number, 1U) << "the same token keeps its number";
}

struct Refused {
    const char* what;
    const char* first_target;
    std::uint16_t first_status;
    const char* second_target;
    const char* words;
};
class RefusedTokens : public testing::TestWithParam<Refused> {};
TEST_P(RefusedTokens, say_why_as_far_as_it_can_be_known) {
    const Refused& given = GetParam();
    Story story;
    auto c = story.connect(kClient, kServer);
    if (given.first_target) {
        story.request(c, "GET", given.first_target);
        story.answer(c, given.first_status, "404 page not found\n");
    }
    story.request(c, "GET", given.second_target);
    story.answer(c, 404, "404 page not found\n");
    EXPECT_THAT(story.builder.model().findings.back().says, HasSubstr(given.words)) << given.what;
}
INSTANTIATE_TEST_SUITE_P(
    Table, RefusedTokens,
    testing::Values(
        Refused{"never seen", nullptr, 0, "/exec/AAAAAAAA", "is unknown: never issued, older than 60 s"},
        Refused{"no token at all", nullptr, 0, "/exec/short", "has not the form of a token"},
        Refused{"a bad request uses it up", "/exec/AAAAAAAA", 400, "/exec/AAAAAAAA", "used before by s1"},
        Refused{"two 404 of one kind: it was never good", "/exec/AAAAAAAA", 404, "/exec/AAAAAAAA", "is unknown"},
        Refused{"a 404 of another kind has used it up", "/attach/AAAAAAAA", 404, "/exec/AAAAAAAA", "used before by s1"},
        Refused{"405 comes before the handler", "/exec/AAAAAAAA", 405, "/exec/AAAAAAAA", "is unknown"}));

TEST(RefusedToken, below_a_wrong_prefix_is_no_tokens_fault) {
    Story story;
    auto c = story.connect(kClient, kServer);
    story.request(c, "GET", "/exec/AAAAAAAA");
    story.answer(c, 404, "404: Page Not Found");
    EXPECT_THAT(story.finding("TOK-01")->says, HasSubstr("prefix"));
}

// A CRI socket as synthetic TCP.
Story::Connection cri(Story& story) { return story.connect("127.0.0.1:50000", "127.0.0.2:50051"); }

void issue(Story& story, const Story::Connection& c, std::uint32_t stream, std::string_view method,
           std::string_view url, std::string_view container = "34ad62") {
    const std::string_view words[] = {"sh", "-c", "id"};
    CriMessage ask;
    ask.stream = stream;
    ask.method = method;
    ask.message_bytes = 100;
    if (method == "PortForward") {
        ask.sandbox_id = "5a4d";
    } else {
        ask.container_id = container;
    }
    if (method == "Exec") ask.command = words;
    ask.tty = true;
    story.tell(c, ask);
    CriMessage answer;
    answer.stream = stream;
    answer.response = true;
    answer.method = method;
    answer.url = url;
    answer.message_bytes = 40;
    story.tell(c, answer);
    story.tell(c, CriDone{stream, method, 0, {}});
}

TEST(RefusedToken, that_expired_says_how_late_it_came) {
    Story story;
    auto socket = cri(story);
    issue(story, socket, 1, "Exec", "http://127.0.0.1:42313/exec/BEIx6xrC");
    story.later_ms(65000);
    auto c = story.connect(kClient, kServer);
    story.request(c, "POST", "/exec/BEIx6xrC", spdy_upgrade());
    story.answer(c, 404, "404 page not found\n");
    EXPECT_THAT(story.finding("TOK-01")->says, HasSubstr("had expired: it was used 65.0 s after it was issued"));
}

TEST(RefusedToken, of_another_kind_names_the_kind) {
    Story story;
    auto socket = cri(story);
    issue(story, socket, 1, "Exec", "http://127.0.0.1:42313/exec/BEIx6xrC");
    auto c = story.connect(kClient, kServer);
    story.request(c, "POST", "/attach/BEIx6xrC", spdy_upgrade());
    story.answer(c, 404, "404 page not found\n");
    EXPECT_THAT(story.finding("TOK-01")->says, HasSubstr("was issued for exec, not for attach"));
}

TEST(UnusedToken, is_told_when_the_streaming_port_was_captured_long_enough) {
    Story story;
    auto socket = cri(story);
    auto other = story.connect(kClient, kServer);
    story.request(other, "POST", "/exec/OTHERone", spdy_upgrade());
    story.upgrade(other, Carrier::spdy31, "v4.channel.k8s.io");
    story.later_ms(10);
    issue(story, socket, 1, "Exec", "http://127.0.0.1:42313/exec/BEIx6xrC");
    issue(story, socket, 3, "Exec", "http://127.0.0.1:9999/exec/aBcDeFgH");
    story.later_ms(20000);
    story.run_exec(other);
    story.finish();
    ASSERT_THAT(story.codes(), ElementsAre("TOK-02")) << "nobody watched port 9999";
    EXPECT_EQ(story.finding("TOK-02")->severity, Severity::info);
    EXPECT_THAT(story.finding("TOK-02")->says,
                HasSubstr("token t2 was issued for exec and never used in the 20.0 s until the capture ended"));
}

TEST(UnusedToken, is_not_told_of_a_capture_that_ends_at_once_or_of_another_time) {
    for (const bool at_once : {true, false}) {
        Story story;
        auto socket = cri(story);
        if (!at_once) {
            issue(story, socket, 1, "Exec", "http://127.0.0.1:42313/exec/BEIx6xrC");
            story.later_ms(30000);
        }
        story.file(1);  // the streaming port is in a file of its own, which may begin later
        auto other = story.connect(kClient, kServer);
        story.request(other, "POST", "/exec/OTHERone", spdy_upgrade());
        story.upgrade(other, Carrier::spdy31, "v4.channel.k8s.io");
        if (at_once) {
            story.file(0);
            issue(story, socket, 1, "Exec", "http://127.0.0.1:42313/exec/BEIx6xrC");
            story.file(1);
        }
        story.later_ms(at_once ? 100 : 30000);
        story.run_exec(other);
        story.finish();
        EXPECT_THAT(story.codes(), IsEmpty()) << at_once;
    }
}

TEST(UnusedToken, follows_from_the_kubelets_own_refusal) {
    Story story;
    auto c = story.connect(kClient, "127.0.0.1:10250");
    story.request(c, "GET", "/exec/default/web/main?command=id&output=1");
    story.answer(c, 500, "Upgrade request required\n");
    EXPECT_THAT(story.codes(), ElementsAre("TOK-02", "UPG-02"));
    auto d = story.connect(kClient, "127.0.0.1:6443");
    story.request(d, "GET", "/api/v1/namespaces/default/pods/web/exec?command=id");
    story.answer(d, 400, "Upgrade request required\n");
    EXPECT_THAT(story.codes(), ElementsAre("TOK-02", "UPG-02", "UPG-02")) << "the API server has asked nobody yet";
}

TEST(Tokens, are_numbered_by_first_appearance_in_url_or_cri_answer) {
    Story story;
    auto socket = cri(story);
    issue(story, socket, 1, "Exec", "http://127.0.0.1:42313/exec/AAAAAAAA");
    auto c = story.connect(kClient, kServer);
    story.request(c, "GET", "/exec/BBBBBBBB");
    story.answer(c, 404);
    story.request(c, "GET", "/exec/AAAAAAAA");
    story.answer(c, 400, "x");
    story.request(c, "GET", "/exec/odd%20one");
    story.answer(c, 404);
    story.request(c, "GET", "/exec/odd%20one");
    story.answer(c, 404);
    EXPECT_EQ(story.session(0).token->number, 2U);
    EXPECT_EQ(story.session(1).token->number, 1U);
    EXPECT_EQ(story.session(2).token->number, 3U);
    EXPECT_EQ(story.session(3).token->number, 3U);
}

// --- upgrades

Story::Connection refused(Story& story, const char* client, const char* target, const HeaderList& headers,
                          std::uint16_t status = 403) {
    auto c = story.connect(client, kServer);
    story.request(c, "GET", target, headers);
    story.answer(c, status);
    return c;
}

TEST(SecondAttempt, of_the_same_kubectl_run_is_normal) {
    Story story;
    refused(story, "127.0.0.1:1001", "/exec/AAAAAAAA", ws_upgrade({{"Kubectl-Session", "run-1"}}));
    EXPECT_THAT(story.codes(), IsEmpty()) << "it may still be repeated";
    story.later_ms(5);
    auto c = story.connect("127.0.0.1:1002", kServer);
    story.request(c, "POST", "/exec/BBBBBBBB", spdy_upgrade({{"Kubectl-Session", "run-1"}}));
    story.upgrade(c, Carrier::spdy31, "v4.channel.k8s.io");
    story.run_exec(c);
    story.finish();
    ASSERT_THAT(story.codes(), ElementsAre("UPG-01"));
    EXPECT_EQ(story.finding("UPG-01")->severity, Severity::info);
    EXPECT_EQ(story.finding("UPG-01")->session, 1U);
    EXPECT_THAT(
        story.finding("UPG-01")->says,
        HasSubstr("the first attempt as websocket was refused with 403; the client repeated it as spdy/3.1 (s2)"));
}

struct Attempt2 {
    const char* what;
    const char* client;
    const char* target;
    HeaderList headers;
    double after_ms;
    bool normal;
};
class SecondAttempts : public testing::TestWithParam<Attempt2> {};
TEST_P(SecondAttempts, are_recognised_by_run_path_client_and_time) {
    const Attempt2& given = GetParam();
    Story story;
    refused(story, "127.0.0.1:1001", "/exec/d/p/c?command=x", ws_upgrade({{"User-Agent", "kubectl"}}));
    story.later_ms(given.after_ms);
    auto c = story.connect(given.client, kServer);
    story.request(c, "POST", given.target, given.headers);
    story.finish();
    EXPECT_THAT(story.codes(), ElementsAre(given.normal ? "UPG-01" : "UPG-02")) << given.what;
}
INSTANTIATE_TEST_SUITE_P(
    Table, SecondAttempts,
    testing::Values(Attempt2{"same client, path and program", "127.0.0.1:1002", "/exec/d/p/c?command=x",
                             spdy_upgrade({{"User-Agent", "kubectl"}}), 5, true},
                    Attempt2{"another path", "127.0.0.1:1002", "/exec/d/p/c?command=y",
                             spdy_upgrade({{"User-Agent", "kubectl"}}), 5, false},
                    Attempt2{"another client", "127.0.0.9:1002", "/exec/d/p/c?command=x",
                             spdy_upgrade({{"User-Agent", "kubectl"}}), 5, false},
                    Attempt2{"another program", "127.0.0.1:1002", "/exec/d/p/c?command=x",
                             spdy_upgrade({{"User-Agent", "curl"}}), 5, false},
                    Attempt2{"too late", "127.0.0.1:1002", "/exec/d/p/c?command=x",
                             spdy_upgrade({{"User-Agent", "kubectl"}}), 4000, false},
                    Attempt2{"of a run of its own", "127.0.0.1:1002", "/exec/d/p/c?command=x",
                             spdy_upgrade({{"User-Agent", "kubectl"}, {"Kubectl-Session", "r"}}), 5, false}));

TEST(SecondAttempt, with_the_same_protocol_is_none) {
    Story story;
    refused(story, "127.0.0.1:1001", "/exec/AAAAAAAA", spdy_upgrade({{"Kubectl-Session", "run-1"}}));
    refused(story, "127.0.0.1:1002", "/exec/BBBBBBBB", spdy_upgrade({{"Kubectl-Session", "run-1"}}));
    story.finish();
    EXPECT_THAT(story.codes(), ElementsAre("UPG-02", "UPG-02"));
}

TEST(SecondAttempt, is_waited_for_ten_seconds_of_the_capture) {
    Story story;
    refused(story, "127.0.0.1:1001", "/exec/AAAAAAAA", ws_upgrade());
    story.later_ms(11000);
    refused(story, "127.0.0.1:1002", "/exec/BBBBBBBB", {}, 200);
    EXPECT_THAT(story.codes(), ElementsAre("UPG-02"));
}

TEST(SecondAttempt, waits_in_a_bounded_queue) {
    Story story;
    for (int i = 0; i < 1100; ++i)
        refused(story, "127.0.0.1:1001", "/exec/AAAAAAAA", ws_upgrade({{"Kubectl-Session", std::to_string(i)}}));
    EXPECT_EQ(story.codes().size(), 1100U - 1024U);
    story.finish();
    EXPECT_EQ(story.codes().size(), 1100U);
}

struct Refusal {
    const char* what;
    const char* method;
    const char* target;
    HeaderList headers;
    std::uint16_t status;
    const char* body;
    const char* words;  // null: no finding
};
class Refusals : public testing::TestWithParam<Refusal> {};
TEST_P(Refusals, say_what_was_wrong_with_the_request) {
    const Refusal& given = GetParam();
    Story story;
    auto c = story.connect(kClient, kServer);
    story.request(c, given.method, given.target, given.headers);
    story.answer(c, given.status, given.body);
    story.finish();
    if (!given.words) {
        EXPECT_THAT(story.codes(), IsEmpty()) << given.what;
        return;
    }
    ASSERT_NE(story.finding("UPG-02"), nullptr) << given.what;
    EXPECT_EQ(story.finding("UPG-02")->severity, Severity::warning);
    EXPECT_THAT(story.finding("UPG-02")->says, HasSubstr(given.words)) << given.what;
}
INSTANTIATE_TEST_SUITE_P(
    Table, Refusals,
    testing::Values(
        Refusal{"protocol missing",
                "POST",
                "/exec/AAAAAAAA",
                {{"Upgrade", "SPDY/3.1"}},
                400,
                "unable to upgrade: X-Stream-Protocol-Version is required\n",
                "the stream protocol is missing"},
        Refusal{"not supported", "POST", "/exec/AAAAAAAA", spdy_upgrade(), 403,
                "unable to upgrade: unable to negotiate protocol", "supports none of the offered protocols"},
        Refusal{"method", "PUT", "/exec/AAAAAAAA", {}, 405, "405: Method Not Allowed", "the method PUT is not allowed"},
        Refusal{"no upgrade asked for",
                "GET",
                "/exec/AAAAAAAA",
                {},
                400,
                "unable to upgrade: missing upgrade headers",
                "asked for no upgrade"},
        Refusal{"not authenticated", "POST", "/exec/d/p/c?command=x", spdy_upgrade(), 401, "Unauthorized",
                "not authenticated"},
        Refusal{"not authorised", "POST", "/exec/d/p/c?command=x", spdy_upgrade(), 403,
                "Forbidden (user=x, verb=create, resource=nodes, subresource=proxy)", "may not do this"},
        Refusal{"the server's own words", "POST", "/exec/d/p/nope?command=x", spdy_upgrade(), 500,
                "container not found (\"nope\")", "500 \"container not found (\"nope\")\""},
        Refusal{"the command in its words is masked", "POST", "/exec/d/p/c?command=x", spdy_upgrade(), 500,
                "error executing command [cat hunter2], x", "[▒▒▒]"},
        Refusal{"a web page is no refusal", "GET", "/exec/AAAAAAAA", {}, 200, "<html>", nullptr}));

TEST(CriAnswer, tells_the_session_container_command_and_terminal) {
    for (const bool call_first : {true, false}) {
        Story story;
        auto socket = cri(story);
        const CriContainer containers[] = {{"34ad62", "5a4d", "main", "web-0", "default", "uid-1"}};
        CriMessage list;
        list.response = true;
        list.containers = containers;
        story.tell(socket, list);
        CriMessage version;
        version.response = true;
        version.runtime_name = "containerd";
        story.tell(socket, version);
        if (call_first) issue(story, socket, 1, "Exec", "http://127.0.0.1:42313/exec/BEIx6xrC");
        auto c = story.connect(kClient, kServer);
        story.request(c, "GET", "/exec/BEIx6xrC", ws_upgrade());
        if (!call_first) issue(story, socket, 1, "Exec", "http://127.0.0.1:42313/exec/BEIx6xrC");
        story.upgrade(c, Carrier::websocket, "v4.channel.k8s.io");
        story.close(c);
        const Session& s = *story.finish().sessions.at(0);
        EXPECT_EQ(s.container.id, "34ad62");
        EXPECT_EQ(s.container.name, "main");
        EXPECT_EQ(s.container.runtime, "containerd");
        EXPECT_EQ(s.container.sandbox_id, "5a4d");
        EXPECT_EQ(s.k8s.pod, "web-0");
        EXPECT_EQ(s.k8s.namespace_, "default");
        EXPECT_EQ(s.command.size(), 3U);
        EXPECT_EQ(s.tty, std::optional(true));
        EXPECT_THAT(story.codes(), Not(Contains("TOK-02")));
    }
}

}  // namespace
}  // namespace hopscope::chain::test
