// What is wrong with listeners, each with its remedy, and what is not.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "node_story.h"

namespace hopscope::chain::test {
namespace {

using R = ProcessRole;
using testing::HasSubstr;
using testing::Not;

struct Case {
    const char* what;
    R role;
    std::vector<std::pair<const char*, const char*>> settings;
    const char* local;
    const char* codes;
    const char* says;
};
class Findings : public testing::TestWithParam<Case> {};
TEST_P(Findings, of_one_listener) {
    const Case& c = GetParam();
    NodeStory story;
    story.process(50, c.role, std::string(to_string(c.role)), "1.19.0");
    for (const auto& [key, value] : c.settings) story.set(50, key, value, "/etc/x.yaml", 4);
    story.listen(c.local, 50);
    const Judgement judgement = story.judge();
    std::string codes;
    for (const Finding& each : judgement.findings) {
        codes += each.code + " " + std::string(to_string(each.severity)) + ";";
        EXPECT_FALSE(each.remedy.empty());
    }
    EXPECT_EQ(codes, c.codes) << c.what;
    if (*c.says) EXPECT_THAT(judgement.findings.at(0).says, HasSubstr(c.says));
    EXPECT_EQ(judgement.verdicts.at(0).findings.size(), judgement.findings.size());
}
INSTANTIATE_TEST_SUITE_P(
    Table, Findings,
    testing::Values(
        Case{"",
             R::kubelet,
             {{"readOnlyPort", "10255"}},
             "*:10255",
             "KUB-03 warning;",
             "kubelet serves pods, stats and metrics on *:10255 to anybody who can connect"},
        Case{"",
             R::kubelet,
             {{"healthzPort", "10248"}, {"healthzBindAddress", "0.0.0.0"}},
             "*:10248",
             "KUB-04 notice;",
             "healthz"},
        Case{"", R::kubelet, {{"healthzPort", "10248"}}, "127.0.0.1:10248", "", ""},
        Case{"",
             R::kubelet,
             {{"port", "10250"}, {"authentication.anonymous.enabled", "true"}, {"authorization.mode", "Webhook"}},
             "*:10250",
             "KUB-01 warning;",
             "authentication.anonymous.enabled = true (/etc/x.yaml:4)"},
        Case{"",
             R::kubelet,
             {{"port", "10250"}, {"authentication.anonymous.enabled", "true"}, {"authorization.mode", "AlwaysAllow"}},
             "*:10250",
             "KUB-01 error;KUB-02 warning;",
             "may do everything"},
        Case{"",
             R::kubelet,
             {{"port", "10250"}, {"authentication.anonymous.enabled", "false"}, {"authorization.mode", "AlwaysAllow"}},
             "*:10250",
             "KUB-02 warning;",
             "authorization.mode = AlwaysAllow (/etc/x.yaml:4)"},
        Case{"",
             R::kubelet,
             {{"port", "10250"}, {"authentication.anonymous.enabled", "false"}, {"authorization.mode", "Webhook"}},
             "*:10250",
             "",
             ""},
        Case{"", R::dockerd, {{"hosts", "tcp://0.0.0.0:2375"}}, "*:2375", "PRT-02 error;", "without TLS"},
        Case{"", R::dockerd, {{"hosts", "tcp://127.0.0.1:2375"}}, "127.0.0.1:2375", "PRT-02 warning;", "without TLS"},
        Case{"", R::dockerd, {{"hosts", "tcp://0.0.0.0:2376"}, {"tlsverify", "true"}}, "*:2376", "", ""},
        Case{"",
             R::dockerd,
             {{"hosts", "tcp://0.0.0.0:2376"}, {"tls", "true"}},
             "*:2376",
             "PRT-02 warning;",
             "no client certificate"},
        Case{"",
             R::containerd,
             {{"debug.address", "0.0.0.0:6000"}},
             "*:6000",
             "PRT-06 warning;",
             "containerd[50] serves diagnostics"},
        Case{"", R::containerd, {{"metrics.address", "0.0.0.0:1338"}}, "*:1338", "PRT-06 notice;", "metrics on *:1338"},
        Case{"", R::containerd, {{"metrics.address", "127.0.0.1:1338"}}, "127.0.0.1:1338", "", ""},
        Case{"", R::containerd, {{"grpc.tcp_address", "0.0.0.0:9000"}}, "*:9000", "PRT-10 error;", "root on this node"},
        Case{"", R::etcd, {{"listen-client-urls", "http://0.0.0.0:2379"}}, "*:2379", "PRT-07 error;", "without TLS"},
        Case{"", R::etcd, {{"listen-client-urls", "https://0.0.0.0:2379"}}, "*:2379", "", ""},
        Case{"", R::etcd, {{"listen-client-urls", "http://127.0.0.1:2379"}}, "127.0.0.1:2379", "", ""},
        Case{"",
             R::apiserver,
             {{"insecure-port", "8080"}, {"insecure-bind-address", "127.0.0.1"}},
             "127.0.0.1:8080",
             "PRT-09 error;",
             ""},
        Case{"",
             R::crio,
             {{"stream_port", "0"}, {"stream_address", "0.0.0.0"}},
             "*:38111",
             "PRT-01 warning;",
             "only a live token"}));

TEST(Findings, a_connection_in_close_wait_on_a_streaming_port) {
    NodeStory story;
    story.kubelet();
    story.containerd();
    story.listen("127.0.0.1:33821", 2685);
    story.end("127.0.0.1:33821", "127.0.0.1:54766", 2685, 21, SocketState::fin_wait);
    story.end("127.0.0.1:54766", "127.0.0.1:33821", 5714, 22, SocketState::close_wait);
    const Judgement judgement = story.judge();
    ASSERT_NE(finding(judgement, "PRT-03"), nullptr);
    EXPECT_EQ(
        finding(judgement, "PRT-03")->says,
        "1 connection to 127.0.0.1:33821 (kubelet[5714]) in CLOSE-WAIT: the server has closed, kubelet[5714] does "
        "not let go");
    EXPECT_EQ(finding(judgement, "PRT-03")->remedy, "restart kubelet[5714], which holds the connection");
    EXPECT_EQ(at(judgement, "127.0.0.1:33821").findings, std::vector<std::string>{"PRT-03"});
}

TEST(Findings, in_close_wait_it_is_told_which_side_does_not_let_go) {
    NodeStory story;
    story.containerd();
    story.listen("127.0.0.1:33821", 2685);
    // The client's process is gone; its end may be there still, nobody's, or not.
    story.end("127.0.0.1:33821", "127.0.0.1:54766", 2685, 21, SocketState::close_wait);
    story.end("127.0.0.1:54766", "127.0.0.1:33821", 0, 0, SocketState::fin_wait);
    story.end("127.0.0.1:33821", "127.0.0.1:54768", 2685, 22, SocketState::close_wait);
    const Judgement judgement = story.judge();
    const Verdict& verdict = at(judgement, "127.0.0.1:33821");
    ASSERT_EQ(verdict.peers.size(), 2U);
    for (const Peer& peer : verdict.peers) EXPECT_TRUE(peer.client_closed) << peer.state;
    ASSERT_NE(finding(judgement, "PRT-03"), nullptr);
    EXPECT_THAT(finding(judgement, "PRT-03")->says,
                HasSubstr("in CLOSE-WAIT: the client has closed, containerd[2685] does not let go"));
    EXPECT_THAT(finding(judgement, "PRT-03")->remedy, HasSubstr("hopscope why 33821 lists the execs"));
}

TEST(Findings, an_exec_that_outlived_its_client) {
    NodeStory story;
    story.kubelet();
    story.containerd();
    const std::string id(64, 'a');
    story.container(id, "main");
    story.node.execs.push_back(
        {.container_id = id, .exec_id = Untrusted("e1"), .holders = {{ProcessId{2685, 268500}, 40}}});
    EXPECT_EQ(finding(story.judge(), "PRT-04"), nullptr) << "no streaming server known: it cannot be told";
    story.listen("127.0.0.1:33821", 2685);
    const Judgement judgement = story.judge();
    ASSERT_NE(finding(judgement, "PRT-04"), nullptr);
    EXPECT_THAT(finding(judgement, "PRT-04")->says, HasSubstr("exec e1 in container aaaaaaaaaaaa (default/web-0 main) "
                                                              "still runs though no streaming connection of "
                                                              "containerd[2685] is open"));
    EXPECT_THAT(finding(judgement, "PRT-04")->says, HasSubstr("inferred"));
    story.end("127.0.0.1:33821", "127.0.0.1:54766", 2685, 21);
    story.end("127.0.0.1:54766", "127.0.0.1:33821", 5714, 22);
    EXPECT_EQ(finding(story.judge(), "PRT-04"), nullptr) << "its client may be this one";
}

// Execs of several runtimes: whether a client is there is asked of each runtime's own streaming server.
class LeftBehind : public testing::Test {
protected:
    LeftBehind() {
        story.containerd();
        story.containerd(3000);
        story.listen("127.0.0.1:33821", 2685);
        story.listen("127.0.0.1:33822", 3000);
    }
    void exec(std::string_view id, std::initializer_list<std::uint32_t> holders) {
        RunningExec exec{.container_id = std::string(64, 'a'), .exec_id = Untrusted(id), .holders = {}};
        for (const std::uint32_t pid : holders) exec.holders.push_back({ProcessId{pid, pid * 100ULL}, 40});
        story.node.execs.push_back(std::move(exec));
    }
    void connect(const char* local, std::uint32_t pid) {
        story.end(local, "127.0.0.1:54766", pid, 21);
        story.end("127.0.0.1:54766", local, 5714, 22);
    }
    void shim(std::uint32_t pid, const char* name_space, const char* address) {
        story.process(pid, R::containerd_shim, "containerd-shim-runc-v2", "",
                      {"/usr/bin/containerd-shim-runc-v2", "-namespace", name_space, "-id", "x", "-address", address});
    }
    std::string accused() const {
        std::string all;
        for (const Finding& each : story.judge().findings)
            if (each.code == "PRT-04") all += each.says.substr(5, 2) + " ";
        return all;
    }
    NodeStory story;
};

TEST_F(LeftBehind, each_runtime_has_its_own_clients) {
    exec("e1", {2685});
    exec("e2", {3000});
    EXPECT_EQ(accused(), "e1 e2 ");
    connect("127.0.0.1:33822", 3000);
    EXPECT_EQ(accused(), "e1 ") << "a client of another runtime is none of e1";
    connect("127.0.0.1:33821", 2685);
    EXPECT_EQ(accused(), "");
}

TEST_F(LeftBehind, nobody_is_accused_where_the_streaming_server_is_not_sure) {
    exec("e1", {2685});
    story.listen("127.0.0.1:41555", 2685);  // which of two is which is not known
    connect("127.0.0.1:41555", 2685);
    EXPECT_EQ(accused(), "") << "the other runtime's being certain tells nothing";
    story.probe_streaming("127.0.0.1:41555");
    EXPECT_EQ(accused(), "") << "it has a client";
    story.node.probes.clear();
    story.probe_streaming("127.0.0.1:33821");
    EXPECT_EQ(accused(), "e1 ");
}

TEST_F(LeftBehind, execs_of_docker_have_their_clients_elsewhere) {
    story.process(1186, R::dockerd, "dockerd", "24.0.2");
    shim(5000, "moby", "/run/containerd/containerd.sock");
    story.listen_unix("/run/containerd/containerd.sock", 2685);
    exec("e1", {1186, 5000});
    exec("e2", {5000});        // dockerd was started anew
    exec("e3", {1186, 2685});  // whatever that may be
    EXPECT_EQ(accused(), "");
}

TEST_F(LeftBehind, the_shim_tells_whose_an_exec_is_that_no_containerd_holds) {
    shim(5000, "k8s.io", "/run/containerd/containerd.sock");
    exec("e1", {5000});
    EXPECT_EQ(accused(), "") << "nobody listens at its address";
    story.listen_unix("/run/containerd/containerd.sock", 2685);
    EXPECT_EQ(accused(), "e1 ");
    connect("127.0.0.1:33822", 3000);
    EXPECT_EQ(accused(), "e1 ");
    connect("127.0.0.1:33821", 2685);
    EXPECT_EQ(accused(), "");
}

TEST_F(LeftBehind, where_more_are_connected_than_are_shown_nothing_is_said) {
    exec("e1", {2685});
    for (std::uint32_t i = 0; i < 2000; ++i)
        story.end("127.0.0.1:33821", "127.0.0.1:" + std::to_string(40000 + i), 2685, 100 + i, SocketState::close_wait);
    EXPECT_EQ(accused(), "");
}

TEST(Findings, running_execs_stand_at_the_streaming_server_of_the_runtime_that_holds_their_fifos) {
    NodeStory story;
    story.containerd();
    story.containerd(3000);
    story.listen("127.0.0.1:33821", 2685);
    story.listen("127.0.0.1:33822", 3000);
    const std::string id(64, 'a');
    story.container(id, "main");
    story.node.execs.push_back({.container_id = id,
                                .exec_id = Untrusted("e2"),
                                .holders = {{ProcessId{2685, 268500}, 40}, {ProcessId{2685, 268500}, 41}}});
    story.node.execs.push_back({.container_id = id, .exec_id = Untrusted("e1"), .holders = {{ProcessId{2685, 1}, 42}}});
    const Judgement judgement = story.judge();
    const std::vector<OpenExec>& execs = at(judgement, "127.0.0.1:33821").execs;
    ASSERT_EQ(execs.size(), 2U);
    EXPECT_EQ(execs[0].exec_id + " " + execs[1].exec_id, "e1 e2");
    EXPECT_EQ(execs[0].container_id, id);
    EXPECT_EQ(execs[0].k8s.pod.raw(), "web-0");
    EXPECT_TRUE(at(judgement, "127.0.0.1:33822").execs.empty()) << "another runtime's";
}

TEST(Findings, who_can_reach_the_kubelet_says_what_its_settings_say) {
    NodeStory story;
    story.kubelet();
    story.listen("*:10250", 5714);
    EXPECT_THAT(at(story.judge(), "*:10250").who_can_reach,
                HasSubstr("The kubelet asks for a client certificate or a bearer token: "
                          "authentication.anonymous.enabled = false"));
    NodeStory open;
    open.process(5714, R::kubelet, "kubelet", "1.26.3");
    open.set(5714, "port", "10250");
    open.set(5714, "authentication.anonymous.enabled", "true", "/var/lib/kubelet/config.yaml", 4);
    open.set(5714, "authorization.mode", "AlwaysAllow", "/var/lib/kubelet/config.yaml", 9);
    open.listen("*:10250", 5714);
    EXPECT_THAT(at(open.judge(), "*:10250").who_can_reach,
                HasSubstr("Nobody must say who he is: authentication.anonymous.enabled = true "
                          "(/var/lib/kubelet/config.yaml:4); what he may do is decided by authorization.mode = "
                          "AlwaysAllow (/var/lib/kubelet/config.yaml:9)."));
}

TEST(Findings, are_about_their_own_listener_only) {
    NodeStory story;
    story.process(900, R::unknown, "kubelet").role_doubt = "is named kubelet, but its executable holds no such program";
    story.process(901, R::unknown, "crio").role_doubt = "is named crio, but its executable holds no such program";
    story.listen("*:10250", 900);
    story.listen("127.0.0.1:10250", 900);
    story.listen_unix("/run/crio/crio.sock", 901);
    story.listen_unix("/run/crio/crio.sock", 901);
    const Judgement judgement = story.judge();
    ASSERT_EQ(judgement.verdicts.size(), 4U);
    ASSERT_EQ(judgement.findings.size(), 4U);
    for (const Verdict& verdict : judgement.verdicts) {
        const auto own = std::count_if(judgement.findings.begin(), judgement.findings.end(),
                                       [&](const Finding& each) { return is_about(each, verdict); });
        EXPECT_EQ(own, 1) << to_string(verdict.local) << verdict.unix_path << " " << verdict.inode;
    }
}

TEST(Findings, a_default_of_settings_that_could_not_be_read_is_assumed_and_no_fact) {
    for (const char* trouble : {"cannot read /var/lib/kubelet/config.yaml: No such file or directory",
                                "/var/lib/kubelet/config.yaml:7 is not YAML: bad indent"}) {
        NodeStory story;
        story.kubelet();
        std::erase_if(story.config(5714).values, [](const ConfigValue& value) { return !value.is_default; });
        story.set(5714, "healthzPort", "10248");
        story.listen("*:10250", 5714);
        story.listen("*:10255", 5714);
        story.listen("*:10300", 5714);
        const Judgement known = story.judge();
        EXPECT_EQ(summary(at(known, "*:10250")), "kubelet-api kubelet certain");
        EXPECT_THAT(ruled_out(at(known, "*:10250"), "kubelet-read-only"), HasSubstr("off by default"));
        story.config(5714).trouble = {trouble};
        const Judgement judgement = story.judge();
        const Verdict& api = at(judgement, "*:10250");
        EXPECT_EQ(summary(api), "kubelet-api kubelet high") << "owner, behaviour and version";
        EXPECT_THAT(api.who_can_reach,
                    HasSubstr("Whether requests without a certificate or token are let in is not known: " +
                              std::string(trouble)));
        EXPECT_THAT(api.who_can_reach, Not(HasSubstr("The kubelet asks for")));
        EXPECT_THAT(api.why_this_port, HasSubstr("port = 10250 (default, assumed: " + std::string(trouble)));
        EXPECT_THAT(api.remedy, HasSubstr("configz"));
        EXPECT_EQ(ruled_out(api, "kubelet-read-only"), "") << "whether it is off is not known";
        EXPECT_EQ(ruled_out(api, "kubelet-healthz"), "");
        EXPECT_NE(ruled_out(api, "cadvisor"), "") << "its version has none, whatever its settings say";
        for (const Evidence& each : api.evidence)
            EXPECT_TRUE(each.id != "config" || each.grade == Grade::inferred) << each.says;
        EXPECT_EQ(summary(at(judgement, "*:10255")), "kubelet-read-only kubelet high") << "its usual number";
        EXPECT_EQ(at(judgement, "*:10300").role, "unknown");
        story.process(5715, R::kubelet, "kubelet");  // its version is not known
        story.set(5715, "port", "10250");
        story.config(5715).trouble = {trouble};
        story.listen("10.0.0.9:10250", 5715);
        EXPECT_EQ(at(story.judge(), "10.0.0.9:10250").confidence, "medium") << "owner and behaviour";
        // An option of the command line wins over every file.
        story.config(5714).values.clear();
        story.set(5714, "port", "10250", "/proc/5714/cmdline");
        story.set(5714, "address", "0.0.0.0");
        story.set(5714, "authentication.anonymous.enabled", "false", "/proc/5714/cmdline");
        EXPECT_EQ(summary(at(story.judge(), "*:10250")), "kubelet-api kubelet certain");
        EXPECT_THAT(at(story.judge(), "*:10250").who_can_reach, HasSubstr("The kubelet asks for"));
    }
}

TEST(Findings, a_random_port_of_settings_that_could_not_be_read_is_assumed) {
    NodeStory story;
    story.containerd();
    story.config(2685).values.clear();
    story.set(2685, "stream_server_address", "127.0.0.1");
    story.set(2685, "stream_server_port", "0");
    story.set(2685, "grpc.address", "/run/own/own.sock");
    story.config(2685).trouble = {"/etc/containerd/config.toml:37 is not TOML"};
    story.listen("127.0.0.1:33821", 2685);
    story.listen_unix("/run/own/own.sock", 2685);
    const Judgement judgement = story.judge();
    const Verdict& verdict = at(judgement, "127.0.0.1:33821");
    EXPECT_THAT(verdict.why_this_port, testing::StartsWith("assumed, as another setting may be in force "
                                                           "(/etc/containerd/config.toml:37 is not TOML): "));
    EXPECT_THAT(verdict.short_why, HasSubstr("(assumed)"));
    EXPECT_THAT(words(verdict, "config"), HasSubstr("assumed, for not all of its settings could be read"));
    EXPECT_EQ(at(judgement, "/run/own/own.sock").confidence, "medium") << "its path is a default, assumed";
}

TEST(Findings, nothing_is_said_of_what_is_not_proven) {
    NodeStory story;
    story.process(50, R::unknown, "nginx");
    story.listen("*:10255", 50);
    story.listen("*:2375", 50);
    EXPECT_TRUE(story.judge().findings.empty());
}

}  // namespace
}  // namespace hopscope::chain::test
