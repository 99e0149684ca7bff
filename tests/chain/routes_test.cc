#include "chain/routes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "chain/url.h"

namespace hopscope::chain {
namespace {

std::string described(std::string_view target) {
    const auto route = parse_route(target);
    if (!route) return "none";
    std::string text = std::string(to_string(route->hop)) + " " + std::string(to_string(route->op));
    for (const std::string* part : {&route->token, &route->namespace_, &route->pod, &route->uid, &route->container}) {
        if (!part->empty()) text += " " + *part;
    }
    return text;
}

struct Case {
    const char* what;
    const char* target;
    const char* want;
};

class Routes : public testing::TestWithParam<Case> {};
TEST_P(Routes, are_told_from_the_form_of_the_path) {
    EXPECT_EQ(described(GetParam().target), GetParam().want) << GetParam().what;
}

INSTANTIATE_TEST_SUITE_P(
    Table, Routes,
    testing::Values(
        Case{"containerd", "/exec/6cBPriL6", "runtime exec 6cBPriL6"},
        Case{"containerd attach", "/attach/-HBttDk7", "runtime attach -HBttDk7"},
        Case{"containerd port-forward", "/portforward/q_1Yba0P", "runtime portforward q_1Yba0P"},
        Case{"cri-dockerd", "/cri/exec/6cBPriL6", "runtime exec 6cBPriL6"},
        Case{"any word is a token at the runtime's own path", "/exec/short", "runtime exec short"},
        Case{"and below /cri/", "/cri/attach/x", "runtime attach x"},
        Case{"a base URL of its own", "/some/where/exec/6cBPriL6", "runtime exec 6cBPriL6"},
        Case{"below a strange prefix it must look like a token", "/static/exec/main.js", "none"},
        Case{"absolute form", "http://127.0.0.1:42313/exec/6cBPriL6", "runtime exec 6cBPriL6"},
        Case{"a query does not matter at the runtime", "/exec/6cBPriL6?command=x", "runtime exec 6cBPriL6"},
        Case{"a trailing slash does not, either", "/exec/6cBPriL6/", "runtime exec 6cBPriL6"},
        Case{"escaped keyword", "/%65xec/6cBPriL6", "runtime exec 6cBPriL6"}, Case{"no token", "/exec/", "none"},
        Case{"no token, no slash", "/exec", "none"}, Case{"root", "/", "none"}, Case{"health", "/healthz", "none"},
        Case{"empty", "", "none"}, Case{"star", "*", "none"},
        Case{"kubelet exec", "/exec/default/web/main?command=id&output=1", "kubelet exec default web main"},
        Case{"kubelet exec with uid", "/exec/default/web/5cf1-uid/main?command=id",
             "kubelet exec default web 5cf1-uid main"},
        Case{"kubelet attach", "/attach/default/web/main?input=1", "kubelet attach default web main"},
        Case{"kubelet port-forward", "/portForward/default/web", "kubelet portforward default web"},
        Case{"kubelet port-forward with uid", "/portForward/default/web/5cf1", "kubelet portforward default web 5cf1"},
        Case{"the kubelet writes a capital F", "/portforward/default/web", "none"},
        Case{"the runtime does not", "/portForward/6cBPriL6", "none"},
        Case{"too many segments", "/exec/a/b/c/d/e", "none"},
        Case{"run is no stream", "/run/default/web/main?cmd=id", "none"},
        Case{"logs are none", "/containerLogs/default/web/main", "none"},
        Case{"API server exec", "/api/v1/namespaces/default/pods/web/exec?container=main",
             "apiserver exec default web main"},
        Case{"API server attach", "/api/v1/namespaces/default/pods/web/attach", "apiserver attach default web"},
        Case{"API server port-forward", "/api/v1/namespaces/default/pods/web/portforward",
             "apiserver portforward default web"},
        Case{"behind a proxy with a prefix", "/k8s/clusters/c-1/api/v1/namespaces/default/pods/web/exec",
             "apiserver exec default web"},
        Case{"the pod itself", "/api/v1/namespaces/default/pods/web", "none"},
        Case{"its log", "/api/v1/namespaces/default/pods/web/log", "none"},
        Case{"node proxy", "/api/v1/nodes/n1/proxy/exec/default/web/main?command=id",
             "apiserver exec default web main"},
        Case{"node proxy with uid", "/api/v1/nodes/n1/proxy/exec/default/web/5cf1/main",
             "apiserver exec default web 5cf1 main"},
        Case{"node proxy port-forward", "/api/v1/nodes/https:n1:10250/proxy/portForward/default/web",
             "apiserver portforward default web"},
        Case{"node proxy metrics", "/api/v1/nodes/n1/proxy/metrics", "none"},
        Case{"a namespace named exec", "/api/v1/namespaces/exec/aBcD1234", "none"},
        Case{"Docker exec start", "/v1.43/exec/0123456789abcdef/start", "none"},
        Case{"Docker exec start without version", "/exec/0123456789abcdef/start", "none"},
        Case{"Docker exec create", "/containers/abc/exec", "none"},
        Case{"Docker attach", "/v1.43/containers/abc/attach?stream=1", "none"},
        Case{"names with escapes", "/exec/default/we%2Fb/main", "kubelet exec default we/b main"}));

TEST(Routes, command_and_terminal_are_in_the_query) {
    const auto route = parse_route(
        "/api/v1/namespaces/d/pods/p/"
        "exec?command=sh&command=-c&command=echo+out%3B+exit+3&container=c&stdin=true&tty=true");
    ASSERT_TRUE(route);
    EXPECT_THAT(route->command, testing::ElementsAre("sh", "-c", "echo out; exit 3"));
    EXPECT_EQ(route->tty, std::optional(true));
    EXPECT_EQ(parse_route("/exec/d/p/c?command=id&tty=1")->tty, std::optional(true));
    EXPECT_EQ(parse_route("/exec/d/p/c?command=id")->tty, std::optional(false));
    EXPECT_EQ(parse_route("/exec/d/p/c?command=id&tty=0")->tty, std::optional(false));
    EXPECT_EQ(parse_route("/exec/6cBPriL6?tty=1")->tty, std::nullopt) << "the runtime's URL says nothing";
    EXPECT_EQ(parse_route("/portForward/d/p")->tty, std::nullopt);
}

TEST(Routes, hostile_targets_stay_bounded) {
    std::string many = "/exec/d/p/c?";
    for (int i = 0; i < 10000; ++i) many += "command=x&";
    EXPECT_EQ(parse_route(many)->command.size(), 256U);
    EXPECT_EQ(described(std::string(60000, '/')), "none");
    std::string deep;
    for (int i = 0; i < 20000; ++i) deep += "/a";
    EXPECT_EQ(described(deep + "/exec/6cBPriL6"), "runtime exec 6cBPriL6");
    EXPECT_EQ(described("/exec/%"), "runtime exec %");
    EXPECT_EQ(described("/exec/%4"), "runtime exec %4");
}

TEST(TokenForm, is_eight_characters_of_base64url) {
    EXPECT_TRUE(has_token_form("ClO1NnpJ"));
    EXPECT_TRUE(has_token_form("-HBtt_k7"));
    EXPECT_FALSE(has_token_form("ClO1Nnp"));
    EXPECT_FALSE(has_token_form("ClO1NnpJx"));
    EXPECT_FALSE(has_token_form("ClO1Nn+/"));
}

TEST(Url, parts_of_what_a_runtime_answers) {
    const UrlParts containerd = split_url("http://127.0.0.1:34771/exec/EnIsu7EZ");
    EXPECT_EQ(containerd.authority, "127.0.0.1:34771");
    EXPECT_EQ(containerd.path, "/exec/EnIsu7EZ");
    const UrlParts docker = split_url("//[::]:33733/cri/exec/EnIsu7EZ?a=b#c");
    EXPECT_EQ(docker.authority, "[::]:33733");
    EXPECT_EQ(docker.path, "/cri/exec/EnIsu7EZ");
    EXPECT_EQ(docker.query, "a=b");
    EXPECT_EQ(split_url("/cri/exec/EnIsu7EZ").path, "/cri/exec/EnIsu7EZ");
    EXPECT_EQ(endpoint_of("127.0.0.1:34771")->port, 34771);
    EXPECT_EQ(to_string(*endpoint_of("[::1]:10010")), "[::1]:10010");
    EXPECT_FALSE(endpoint_of("node-1:10250"));
    EXPECT_FALSE(endpoint_of("127.0.0.1"));
    EXPECT_FALSE(endpoint_of("127.0.0.1:99999"));
}

}  // namespace
}  // namespace hopscope::chain
