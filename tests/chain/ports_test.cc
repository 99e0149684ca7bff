// Which servers traffic shows, and how sure that is.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "story.h"

namespace hopscope::chain::test {
namespace {

std::string described(const PortFact& fact) {
    return to_string(fact.local) + " " + fact.role + " " + fact.confidence + " " + std::to_string(fact.seen);
}

struct Case {
    const char* what;
    const char* target;
    std::uint16_t status;
    const char* body;
    const char* want;
};
class Ports : public testing::TestWithParam<Case> {};
TEST_P(Ports, follow_from_what_was_answered) {
    Story story;
    auto c = story.connect("127.0.0.1:50000", "127.0.0.1:42313");
    story.request(c, "POST", GetParam().target, spdy_upgrade());
    story.answer(c, GetParam().status, GetParam().body);
    Model& model = story.finish();
    ASSERT_EQ(model.ports.size(), 1U);
    EXPECT_EQ(described(model.ports[0]), std::string("127.0.0.1:42313 ") + GetParam().want) << GetParam().what;
    ASSERT_EQ(model.ports[0].evidence.size(), 1U);
    EXPECT_EQ(model.ports[0].evidence[0].frame, 3U) << "the answer";
}
INSTANTIATE_TEST_SUITE_P(
    Table, Ports,
    testing::Values(
        Case{"an accepted exec", "/exec/6NLIabcd", 101, "", "cri-streaming-server certain 1"},
        Case{"cri-dockerd", "/cri/attach/6NLIabcd", 101, "", "cri-streaming-server certain 1"},
        Case{"the kubelet", "/exec/d/p/c?command=x", 101, "", "kubelet-api certain 1"},
        Case{"the API server", "/api/v1/namespaces/d/pods/p/exec", 101, "", "apiserver certain 1"},
        Case{"words that only such a server says", "/exec/6NLIabcd", 400,
             "unable to upgrade: X-Stream-Protocol-Version is required", "cri-streaming-server medium 1"},
        Case{"the router's 405", "/exec/6NLIabcd", 405, "405: Method Not Allowed", "cri-streaming-server medium 1"},
        Case{"the kubelet's proxy", "/exec/d/p/c", 500, "Upgrade request required\n", "kubelet-api medium 1"},
        Case{"an unknown token", "/exec/6NLIabcd", 404, "404 page not found\n", "cri-streaming-server low 1"},
        Case{"any web server", "/exec/6NLIabcd", 404, "<html>", "unknown low 1"},
        Case{"a page", "/exec/6NLIabcd", 200, "hello", "unknown low 1"}));

TEST(Ports, gather_evidence_and_count) {
    Story story;
    for (int i = 0; i < 3; ++i) {
        auto c = story.connect("127.0.0.1:" + std::to_string(50000 + i), "127.0.0.1:42313");
        story.request(c, "POST", "/exec/6NLIabc" + std::to_string(i), spdy_upgrade());
        if (i == 0) {
            story.answer(c, 404, "404 page not found\n");
        } else {
            story.upgrade(c, Carrier::spdy31, "v4.channel.k8s.io");
            story.run_exec(c);
        }
    }
    Model& model = story.finish();
    ASSERT_EQ(model.ports.size(), 1U);
    EXPECT_EQ(described(model.ports[0]), "127.0.0.1:42313 cri-streaming-server certain 3");
    EXPECT_EQ(model.ports[0].evidence.at(0).says,
              "101 was answered 2 times to /exec, /attach or /portforward with a token");
}

TEST(Ports, a_cri_answer_names_the_server_and_its_runtime) {
    Story story;
    auto socket = story.connect("127.0.0.1:50000", "127.0.0.2:50051");
    CriMessage version;
    version.response = true;
    version.runtime_name = "cri-o";
    story.tell(socket, version);
    for (const char* url : {"http://[::1]:10010/exec/aBcDeFgH", "//[::]:33733/cri/exec/iJkLmNoP",
                            "http://node-1:10010/exec/iJkLmNoQ", "http://127.0.0.1:1/not/one"}) {
        CriMessage answer;
        answer.response = true;
        answer.method = "Exec";
        answer.url = url;
        story.tell(socket, answer);
    }
    Model& model = story.finish();
    ASSERT_EQ(model.ports.size(), 1U) << "neither a name nor 'all addresses' is an address";
    EXPECT_EQ(described(model.ports[0]), "[::1]:10010 cri-streaming-server certain 0");
    EXPECT_EQ(model.ports[0].component, "cri-o");
    EXPECT_EQ(model.ports[0].evidence.at(0).id, "cri");
}

TEST(Ports, are_bounded) {
    Story story;
    for (int i = 0; i < 5000; ++i) {
        auto c =
            story.connect("127.0.0.1:1", "10.0." + std::to_string(i / 250) + "." + std::to_string(i % 250) + ":80");
        story.request(c, "GET", "/exec/AAAAAAAA");
        story.answer(c, 404);
        story.over(c);
    }
    EXPECT_EQ(story.finish().ports.size(), 4096U);
}

}  // namespace
}  // namespace hopscope::chain::test
