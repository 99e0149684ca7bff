// Which listener is the CRI streaming server, and how sure that is.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "node_story.h"

namespace hopscope::chain::test {
namespace {

using R = ProcessRole;
using testing::HasSubstr;
using testing::Not;

PortFact seen_streaming(std::string_view local, std::uint64_t count = 12) {
    PortFact fact;
    fact.local = ep(local);
    fact.role = "cri-streaming-server";
    fact.confidence = "certain";
    fact.seen = count;
    fact.evidence.push_back(
        {.grade = Grade::decoded, .says = "101 was answered 12 times", .frame = 88, .source = {}, .id = "traffic"});
    return fact;
}

TEST(Streaming, the_only_random_listener_of_containerd_is_certain) {
    NodeStory story;
    story.containerd();
    story.kubelet();
    const auto inode = story.listen("127.0.0.1:33821", 2685, 11);
    const Judgement judgement = story.judge();
    const Verdict& verdict = at(judgement, "127.0.0.1:33821");
    EXPECT_EQ(summary(verdict), "cri-streaming-server containerd certain");
    EXPECT_EQ(verdict.title, "containerd's CRI streaming server");
    EXPECT_EQ(verdict.reach, "loopback");
    EXPECT_EQ(verdict.short_why, "stream_server_port = \"0\": random");
    EXPECT_THAT(verdict.why_this_port,
                HasSubstr("stream_server_port = \"0\" (/etc/containerd/config.toml:12): the kernel picks a free port "
                          "(net.ipv4.ip_local_port_range 32768-60999). It changes with every containerd start."));
    EXPECT_THAT(verdict.why_404, HasSubstr("\"404: Page Not Found\", that is normal"));
    EXPECT_THAT(verdict.what_it_does, HasSubstr("http://127.0.0.1:33821/exec/<token>"));
    EXPECT_EQ(verdict.who_can_reach,
              "loopback only: processes of this node. Whoever has a live token can use it: there is no other login.");
    EXPECT_THAT(words(verdict, "owner"), HasSubstr("LISTEN inode " + std::to_string(inode) +
                                                   " is fd 11 of containerd[2685] {/proc/2685/fd/11}"));
    EXPECT_THAT(words(verdict, "config"),
                HasSubstr("the kernel picks a new port at every start {/etc/containerd/config.toml:12}"));
    EXPECT_THAT(words(verdict, "version"), HasSubstr("containerd 1.6.20"));
    EXPECT_EQ(ruled_out(verdict, "metrics"), "metrics.address is not set");
    EXPECT_TRUE(verdict.findings.empty());
}

TEST(Streaming, of_two_random_listeners_none_is_certain_until_something_was_observed) {
    NodeStory story;
    story.containerd();
    story.listen("127.0.0.1:33821", 2685, 11);
    story.listen("127.0.0.1:41555", 2685, 12);
    const Judgement before = story.judge();
    for (const char* where : {"127.0.0.1:33821", "127.0.0.1:41555"}) {
        EXPECT_EQ(summary(at(before, where)), "cri-streaming-server containerd medium");
        EXPECT_THAT(words(at(before, where), "contradiction"),
                    HasSubstr("its configuration does not tell which of two is which; a capture or --probe does"));
        EXPECT_THAT(at(before, where).title, HasSubstr("one of 2 random listeners of containerd[2685]"));
    }
    EXPECT_THAT(at(before, "127.0.0.1:33821").what_it_does, testing::StartsWith("if it is the streaming server: "));
    EXPECT_EQ(at(before, "127.0.0.1:33821").short_why, "stream_server_port = \"0\": random, one of 2");
    EXPECT_THAT(at(before, "127.0.0.1:33821").remedy, HasSubstr("hopscope why 33821 --probe"));
    Model traffic;
    traffic.ports.push_back(seen_streaming("127.0.0.1:33821"));
    const Judgement seen = story.judge(&traffic);
    EXPECT_EQ(summary(at(seen, "127.0.0.1:33821")), "cri-streaming-server containerd certain");
    EXPECT_EQ(at(seen, "127.0.0.1:33821").seen, 12U);
    EXPECT_EQ(summary(at(seen, "127.0.0.1:41555")), "unknown containerd low");
    EXPECT_EQ(ruled_out(at(seen, "127.0.0.1:41555"), "cri-streaming-server"),
              "that is 127.0.0.1:33821, as was observed");
    EXPECT_THAT(at(seen, "127.0.0.1:41555").remedy, HasSubstr("hopscope why 41555 --probe"));

    story.probe_streaming("127.0.0.1:41555");
    const Judgement probed = story.judge();
    EXPECT_EQ(summary(at(probed, "127.0.0.1:41555")), "cri-streaming-server containerd certain");
    EXPECT_EQ(summary(at(probed, "127.0.0.1:33821")), "unknown containerd low");
}

TEST(Streaming, a_probe_needs_all_three_answers) {
    NodeStory story;
    story.containerd();
    story.listen("127.0.0.1:33821", 2685, 11);
    story.listen("127.0.0.1:41555", 2685, 12);
    story.probe_streaming("127.0.0.1:41555");
    story.node.probes.front().lines.back().nosniff = false;
    const Judgement judgement = story.judge();
    EXPECT_EQ(at(judgement, "127.0.0.1:41555").confidence, "medium");
    EXPECT_THAT(
        words(at(judgement, "127.0.0.1:41555"), "probe"),
        HasSubstr("PUT /exec/x: 405; GET /: 404; GET /exec/x: 404: not quite as a CRI streaming server answers"));
    EXPECT_THAT(at(judgement, "127.0.0.1:41555").remedy, Not(HasSubstr("--probe"))) << "it was asked";
}

void probe_with(NodeStory& story, std::string_view local, std::vector<std::pair<const char*, std::uint16_t>> lines) {
    ProbeAnswer& answer = story.node.probes.emplace_back();
    answer.endpoint = ep(local);
    for (const auto& [request, status] : lines)
        answer.lines.push_back({.request = request, .status = status, .nosniff = false, .allow = {}, .body = {}});
}

// After an answer that no streaming server gives the probe asks no more.
TEST(Streaming, who_serves_pages_is_no_streaming_server) {
    NodeStory story;
    story.containerd();
    story.listen("127.0.0.1:33821", 2685, 11);
    story.listen("127.0.0.1:41555", 2685, 12);
    probe_with(story, "127.0.0.1:41555", {{"GET /", 200}});
    const Judgement judgement = story.judge();
    EXPECT_EQ(summary(at(judgement, "127.0.0.1:41555")), "unknown containerd low");
    EXPECT_THAT(words(at(judgement, "127.0.0.1:41555"), "probe"),
                HasSubstr("GET /: 200: no CRI streaming server answers so"));
    EXPECT_EQ(summary(at(judgement, "127.0.0.1:33821")), "cri-streaming-server containerd certain");
}

// kubectl exec passes no listener of dockerd, whatever it is.
TEST(Streaming, how_to_tell_fits_the_owner) {
    NodeStory story;
    story.process(2685, R::containerd, "containerd", "1.6.20");
    story.process(1186, R::dockerd, "dockerd", "20.10.24");
    story.listen("127.0.0.1:41555", 2685, 12);
    story.listen("127.0.0.1:41556", 2685, 13);
    story.listen("127.0.0.1:41666", 1186, 12);
    const Judgement before = story.judge();
    EXPECT_THAT(at(before, "127.0.0.1:41555").remedy, HasSubstr("a capture during kubectl exec tells as well"));
    EXPECT_THAT(at(before, "127.0.0.1:41666").remedy, Not(HasSubstr("kubectl")));
    EXPECT_THAT(at(before, "127.0.0.1:41666").remedy, HasSubstr("hopscope why 41666 --probe"));
    probe_with(story, "127.0.0.1:41666", {{"GET /", 200}});
    EXPECT_EQ(at(story.judge(), "127.0.0.1:41666").remedy,
              "a capture while it is in use tells (--with FILE): the probe did not");
}

TEST(Streaming, who_answers_a_probe_otherwise_is_no_streaming_server) {
    const std::vector<std::pair<const char*, std::uint16_t>> metrics = {
        {"PUT /exec/x", 404}, {"GET /", 404}, {"GET /exec/x", 404}, {"PUT /cri/exec/x", 404}, {"GET /cri/exec/x", 404}};
    NodeStory story;
    story.containerd();
    story.listen("127.0.0.1:33821", 2685, 11);
    story.listen("127.0.0.1:41555", 2685, 12);
    probe_with(story, "127.0.0.1:41555", metrics);
    const Judgement judgement = story.judge();
    const Verdict& other = at(judgement, "127.0.0.1:41555");
    EXPECT_EQ(summary(other), "unknown containerd low");
    EXPECT_THAT(words(other, "probe"),
                HasSubstr("PUT /exec/x: 404; GET /: 404; GET /exec/x: 404; PUT /cri/exec/x: 404; "
                          "GET /cri/exec/x: 404: no CRI streaming server answers so"));
    EXPECT_EQ(ruled_out(other, "cri-streaming-server"), "it answers the probe as no streaming server does");
    EXPECT_EQ(summary(at(judgement, "127.0.0.1:33821")), "cri-streaming-server containerd certain")
        << "the only one that is left";

    NodeStory fixed;
    fixed.containerd(2685, "10010");
    fixed.listen("127.0.0.1:10010", 2685, 11);
    EXPECT_EQ(at(fixed.judge(), "127.0.0.1:10010").confidence, "certain");
    probe_with(fixed, "127.0.0.1:10010", metrics);
    EXPECT_EQ(at(fixed.judge(), "127.0.0.1:10010").confidence, "high") << "its configuration is contradicted";
}

TEST(Streaming, a_setting_that_leaves_the_port_to_the_kernel_is_not_ruled_out) {
    NodeStory story;
    story.containerd();
    story.set(2685, "metrics.address", "127.0.0.1:0", "/etc/containerd/config.toml", 10);
    story.listen("127.0.0.1:33821", 2685, 11);
    story.listen("127.0.0.1:41555", 2685, 12);
    const Judgement before = story.judge();
    for (const char* where : {"127.0.0.1:33821", "127.0.0.1:41555"}) {
        EXPECT_EQ(at(before, where).confidence, "medium");
        EXPECT_EQ(ruled_out(at(before, where), "metrics"), "") << "either may be it";
    }
    story.probe_streaming("127.0.0.1:33821");
    const Judgement after = story.judge();
    EXPECT_EQ(summary(at(after, "127.0.0.1:33821")), "cri-streaming-server containerd certain");
    EXPECT_EQ(summary(at(after, "127.0.0.1:41555")), "metrics containerd medium");
    EXPECT_THAT(at(after, "127.0.0.1:41555").why_this_port,
                HasSubstr("metrics.address = \"127.0.0.1:0\" (/etc/containerd/config.toml:10): the kernel picks"));
}

TEST(Streaming, settings_that_cannot_be_read_are_told_and_nothing_is_concluded_from_them) {
    NodeStory story;
    story.process(2685, R::containerd, "containerd", "1.6.20");
    story.set(2685, "stream_server_address", "127.0.0.1");
    story.set(2685, "stream_server_port", "0");
    story.config(2685).trouble = {"/etc/containerd/config.toml:37 is not TOML"};
    story.listen("127.0.0.1:33821", 2685, 11);
    const Judgement judgement = story.judge();
    const Verdict& verdict = at(judgement, "127.0.0.1:33821");
    EXPECT_NE(verdict.confidence, "certain");
    EXPECT_THAT(words(verdict, "config"),
                HasSubstr("its settings are not all known: /etc/containerd/config.toml:37 is not TOML"));
    for (const Evidence& each : verdict.evidence)
        if (each.id == "config") EXPECT_EQ(each.grade, Grade::inferred) << each.says;
    EXPECT_EQ(ruled_out(verdict, "metrics"), "") << "whether it is set is not known";
}

TEST(Streaming, a_fixed_port_on_which_it_does_not_listen_is_an_edited_file) {
    NodeStory story;
    story.containerd(2685, "4711");
    story.listen("127.0.0.1:33821", 2685, 11);
    const Judgement judgement = story.judge();
    EXPECT_EQ(summary(at(judgement, "127.0.0.1:33821")), "unknown containerd low");
    EXPECT_EQ(
        ruled_out(at(judgement, "127.0.0.1:33821"), "cri-streaming-server"),
        "stream_server_port = \"4711\" (/etc/containerd/config.toml:12), where it does not listen: changed since it "
        "was started?");
}

TEST(Streaming, a_probe_that_got_no_answer_is_told) {
    NodeStory story;
    story.containerd();
    story.listen("127.0.0.1:33821", 2685, 11);
    ProbeAnswer& silent = story.node.probes.emplace_back();
    silent.endpoint = ep("127.0.0.1:33821");
    silent.trouble = "no answer within 1 s";
    EXPECT_THAT(words(at(story.judge(), "127.0.0.1:33821"), "probe"), HasSubstr("no answer within 1 s"));
    silent.tls = true;
    const Judgement judgement = story.judge();
    EXPECT_THAT(words(at(judgement, "127.0.0.1:33821"), "probe"), HasSubstr("it speaks TLS"));
    EXPECT_EQ(at(judgement, "127.0.0.1:33821").confidence, "certain");
}

TEST(Streaming, a_decoy_is_never_sure) {
    NodeStory story;
    auto& decoy = story.process(900, R::unknown, "containerd");
    decoy.role_doubt = "is named containerd, but its executable holds no such program";
    story.listen("127.0.0.1:40123", 900);
    story.probe_streaming("127.0.0.1:40123");
    Model traffic;
    traffic.ports.push_back(seen_streaming("127.0.0.1:40123"));
    for (const Model* each : {static_cast<const Model*>(nullptr), static_cast<const Model*>(&traffic)}) {
        const Judgement judgement = story.judge(each);
        const Verdict& verdict = at(judgement, "127.0.0.1:40123");
        EXPECT_EQ(summary(verdict), "unknown  low");
        EXPECT_THAT(words(verdict, "contradiction"),
                    HasSubstr("containerd[900] is named containerd, but its executable"));
        ASSERT_NE(finding(judgement, "PRT-05"), nullptr);
        EXPECT_EQ(verdict.findings, std::vector<std::string>{"PRT-05"});
    }
}

TEST(Streaming, a_fixed_port_is_certain_and_rules_the_others_out) {
    NodeStory story;
    story.containerd(2685, "10010");
    story.listen("127.0.0.1:10010", 2685, 11);
    story.listen("127.0.0.1:41555", 2685, 12);
    const Judgement judgement = story.judge();
    const Verdict& verdict = at(judgement, "127.0.0.1:10010");
    EXPECT_EQ(summary(verdict), "cri-streaming-server containerd certain");
    EXPECT_EQ(verdict.why_this_port, "stream_server_port = \"10010\" (/etc/containerd/config.toml:12) names it.");
    EXPECT_EQ(verdict.title, "containerd's CRI streaming server");
    EXPECT_EQ(summary(at(judgement, "127.0.0.1:41555")), "unknown containerd low");
    EXPECT_EQ(ruled_out(at(judgement, "127.0.0.1:41555"), "cri-streaming-server"),
              "stream_server_port = \"10010\" (/etc/containerd/config.toml:12)");
}

TEST(Streaming, a_fixed_port_on_another_address_is_a_contradiction) {
    NodeStory story;
    story.containerd(2685, "10010");
    story.listen("*:10010", 2685);
    const Judgement judgement = story.judge();
    EXPECT_EQ(at(judgement, "*:10010").confidence, "high");
    EXPECT_THAT(words(at(judgement, "*:10010"), "contradiction"), HasSubstr("name another address than *:10010"));
    EXPECT_NE(finding(judgement, "PRT-01"), nullptr);
}

TEST(Streaming, tls_is_told) {
    NodeStory story;
    story.containerd();
    story.set(2685, "enable_tls_streaming", "true", "/etc/containerd/config.toml", 20);
    story.listen("127.0.0.1:33821", 2685);
    const Verdict verdict = at(story.judge(), "127.0.0.1:33821");
    EXPECT_EQ(verdict.confidence, "certain");
    EXPECT_THAT(verdict.what_it_does, HasSubstr("https://127.0.0.1:33821/exec/<token>"));
    EXPECT_THAT(verdict.what_it_does,
                HasSubstr("TLS is on: enable_tls_streaming = true (/etc/containerd/config.toml:20)"));
}

TEST(Streaming, without_the_cri_plugin_there_is_none) {
    NodeStory story;
    story.containerd();
    story.set(2685, "disabled_plugins", "io.containerd.internal.v1.opt,io.containerd.grpc.v1.cri",
              "/etc/containerd/config.toml", 3);
    story.listen("127.0.0.1:33821", 2685);
    story.listen_unix("/run/containerd/containerd.sock", 2685);
    const Judgement judgement = story.judge();
    EXPECT_EQ(summary(at(judgement, "127.0.0.1:33821")), "unknown containerd low");
    EXPECT_EQ(ruled_out(at(judgement, "127.0.0.1:33821"), "cri-streaming-server"),
              "the CRI plugin is off: disabled_plugins = \"io.containerd.internal.v1.opt,io.containerd.grpc.v1.cri\" "
              "(/etc/containerd/config.toml:3)");
    EXPECT_EQ(summary(at(judgement, "/run/containerd/containerd.sock")), "containerd-api containerd certain");
}

TEST(Streaming, without_readable_settings_nothing_is_certain) {
    NodeStory story;
    story.process(2685, R::containerd, "containerd", "1.6.20");
    story.listen("127.0.0.1:33821", 2685);
    EXPECT_EQ(summary(at(story.judge(), "127.0.0.1:33821")), "cri-streaming-server containerd high")
        << "version and behaviour";
    story.node.table.processes[0].version.clear();
    EXPECT_EQ(summary(at(story.judge(), "127.0.0.1:33821")), "cri-streaming-server containerd medium") << "behaviour";
    story.set(2685, "stream_server_port", "0");
    story.config(2685).trouble.push_back("cannot read /etc/containerd/config.toml: Permission denied");
    EXPECT_EQ(summary(at(story.judge(), "127.0.0.1:33821")), "cri-streaming-server containerd medium")
        << "what could not be read may explain the port";
}

TEST(Streaming, listeners_that_settings_explain_are_no_candidates) {
    NodeStory story;
    story.containerd();
    story.set(2685, "metrics.address", "127.0.0.1:41338", "/etc/containerd/config.toml", 30);
    story.listen("127.0.0.1:41338", 2685);
    story.listen("127.0.0.1:33821", 2685);
    const Judgement judgement = story.judge();
    EXPECT_EQ(summary(at(judgement, "127.0.0.1:41338")), "metrics containerd certain");
    EXPECT_EQ(summary(at(judgement, "127.0.0.1:33821")), "cri-streaming-server containerd certain");
    EXPECT_EQ(ruled_out(at(judgement, "127.0.0.1:33821"), "metrics"),
              "metrics.address = \"127.0.0.1:41338\" (/etc/containerd/config.toml:30)");
}

TEST(Streaming, a_port_that_the_kernel_would_not_pick_speaks_against_it) {
    NodeStory story;
    story.containerd();
    story.listen("127.0.0.1:8123", 2685);
    EXPECT_EQ(at(story.judge(), "127.0.0.1:8123").confidence, "high");
    story.listen("127.0.0.1:33821", 2685);
    EXPECT_EQ(summary(at(story.judge(), "127.0.0.1:33821")), "cri-streaming-server containerd certain");
    EXPECT_EQ(summary(at(story.judge(), "127.0.0.1:8123")), "unknown containerd low");
}

struct KubeletCase {
    const char* what;
    const char* version;
    std::vector<std::pair<const char*, const char*>> settings;  // from arguments
    std::vector<std::string> arguments;
    const char* want;
    const char* says;  // in version evidence or in what was ruled out
};
class Shim : public testing::TestWithParam<KubeletCase> {};
TEST_P(Shim, follows_from_version_and_flags) {
    const KubeletCase& c = GetParam();
    NodeStory story;
    story.kubelet(10107, c.version);
    for (const std::string& word : c.arguments) story.node.table.processes[0].cmdline.emplace_back(word);
    for (const auto& [key, value] : c.settings) story.set(10107, key, value, "/proc/10107/cmdline");
    story.listen("127.0.0.1:35751", 10107, 17);
    story.listen("127.0.0.1:10248", 10107, 18);
    story.listen("*:10250", 10107, 19);
    const Judgement judgement = story.judge();
    const Verdict& verdict = at(judgement, "127.0.0.1:35751");
    EXPECT_EQ(summary(verdict), c.want) << c.what;
    EXPECT_THAT(words(verdict, "version") + ruled_out(verdict, "cri-streaming-server"), HasSubstr(c.says)) << c.what;
    EXPECT_EQ(summary(at(judgement, "127.0.0.1:10248")), "kubelet-healthz kubelet certain");
    EXPECT_EQ(summary(at(judgement, "*:10250")), "kubelet-api kubelet certain");
    EXPECT_EQ(ruled_out(verdict, "kubelet-healthz"), "healthzPort = 10248 (/var/lib/kubelet/config.yaml:12)");
}
INSTANTIATE_TEST_SUITE_P(
    Table, Shim,
    testing::Values(
        KubeletCase{"the mystery port",
                    "v1.11.5",
                    {},
                    {},
                    "cri-streaming-server kubelet certain",
                    "kubelet v1.11.5: has the Docker shim"},
        KubeletCase{"told so",
                    "v1.18.9",
                    {{"container-runtime", "docker"}},
                    {},
                    "cri-streaming-server kubelet certain",
                    "kubelet v1.18.9, container-runtime = docker: has the Docker shim"},
        KubeletCase{"the flag alone",
                    "",
                    {{"container-runtime", "docker"}},
                    {},
                    "cri-streaming-server kubelet certain",
                    "container-runtime = docker"},
        KubeletCase{"an option of its time",
                    "",
                    {},
                    {"kubelet", "--network-plugin=cni"},
                    "cri-streaming-server kubelet certain",
                    "--network-plugin"},
        KubeletCase{"removed",
                    "v1.26.3",
                    {},
                    {},
                    "unknown kubelet low",
                    "the Docker shim was removed in 1.24, this is kubelet v1.26.3"},
        KubeletCase{"another runtime",
                    "v1.20.1",
                    {{"container-runtime", "remote"}},
                    {},
                    "unknown kubelet low",
                    "container-runtime = remote (/proc/10107/cmdline): the Docker shim is off"},
        KubeletCase{"redirects",
                    "v1.18.9",
                    {{"redirect-container-streaming", "true"}},
                    {},
                    "unknown kubelet low",
                    "redirect-container-streaming = true"},
        KubeletCase{"before it", "v1.10.2", {}, {}, "unknown kubelet low", "on the kubelet's own API port under /cri/"},
        KubeletCase{"nothing known", "", {}, {}, "cri-streaming-server kubelet medium", ""},
        KubeletCase{"another runtime's socket",
                    "",
                    {{"containerRuntimeEndpoint", "unix:///run/crio/crio.sock"}},
                    {},
                    "unknown kubelet low",
                    "the runtime is a program of its own"}));

TEST(Streaming, the_shim_inside_the_kubelet_in_words) {
    NodeStory story;
    story.kubelet(10107, "v1.11.5");
    story.listen("127.0.0.1:35751", 10107, 17);
    const Verdict verdict = at(story.judge(), "127.0.0.1:35751");
    EXPECT_EQ(verdict.title, "the CRI streaming server of the Docker shim inside kubelet");
    EXPECT_EQ(verdict.short_why, "dockershim in kubelet; port 0 = random");
    EXPECT_THAT(verdict.why_this_port,
                HasSubstr("no flag sets it: the shim listens on port 0 and the kernel picks a free port"));
    EXPECT_THAT(ruled_out(verdict, "kubelet-read-only"), HasSubstr("readOnlyPort = 0 (default): off by default"));
}

TEST(Streaming, cri_dockerd_on_all_addresses_is_found_and_a_finding) {
    NodeStory story;
    story.process(812, R::cri_dockerd, "cri-dockerd", "0.3.1");
    story.set(812, "streaming-bind-addr", "");
    story.listen("*:33733", 812);
    const Judgement judgement = story.judge();
    const Verdict& verdict = at(judgement, "*:33733");
    EXPECT_EQ(summary(verdict), "cri-streaming-server cri-dockerd certain");
    EXPECT_EQ(verdict.reach, "world");
    EXPECT_THAT(verdict.what_it_does, HasSubstr("HOST:33733/cri/exec/<token>"));
    ASSERT_NE(finding(judgement, "PRT-01"), nullptr);
    EXPECT_EQ(finding(judgement, "PRT-01")->says,
              "cri-dockerd[812] serves exec, attach and port-forward on *:33733: whoever can connect needs only a live "
              "token");
    EXPECT_EQ(finding(judgement, "PRT-01")->remedy, "start cri-dockerd with --streaming-bind-addr=127.0.0.1:0");
    EXPECT_EQ(verdict.remedy, "start cri-dockerd with --streaming-bind-addr=127.0.0.1:0");
}

TEST(Streaming, cri_dockerd_with_an_address_or_a_port) {
    NodeStory story;
    story.process(812, R::cri_dockerd, "cri-dockerd", "0.3.1");
    story.set(812, "streaming-bind-addr", "127.0.0.1:0", "/proc/812/cmdline");
    story.listen("127.0.0.1:33733", 812);
    const Judgement random = story.judge();
    EXPECT_EQ(summary(at(random, "127.0.0.1:33733")), "cri-streaming-server cri-dockerd certain");
    EXPECT_EQ(finding(random, "PRT-01"), nullptr);
    story.config(812).values.front().value = Untrusted("127.0.0.1:33733");
    EXPECT_THAT(at(story.judge(), "127.0.0.1:33733").why_this_port,
                HasSubstr("streaming-bind-addr = 127.0.0.1:33733 (/proc/812/cmdline) names it."));
}

TEST(Streaming, cri_o) {
    NodeStory story;
    story.process(700, R::crio, "crio", "1.27.1");
    story.set(700, "stream_address", "127.0.0.1");
    story.set(700, "stream_port", "0");
    story.set(700, "enable_metrics", "false");
    story.set(700, "metrics_port", "9090");
    story.listen("127.0.0.1:38111", 700);
    const Verdict verdict = at(story.judge(), "127.0.0.1:38111");
    EXPECT_EQ(summary(verdict), "cri-streaming-server crio certain");
    EXPECT_EQ(ruled_out(verdict, "metrics"), "enable_metrics = false (default): off by default");
}

TEST(Streaming, two_runtimes_are_judged_each_by_itself) {
    NodeStory story;
    story.containerd();
    story.process(700, R::crio, "crio", "1.27.1");
    story.set(700, "stream_address", "127.0.0.1");
    story.set(700, "stream_port", "0");
    story.listen("127.0.0.1:33821", 2685);
    story.listen("127.0.0.1:38111", 700);
    const Judgement judgement = story.judge();
    EXPECT_EQ(summary(at(judgement, "127.0.0.1:33821")), "cri-streaming-server containerd certain");
    EXPECT_EQ(summary(at(judgement, "127.0.0.1:38111")), "cri-streaming-server crio certain");
}

TEST(Streaming, traffic_outweighs_settings_and_the_contradiction_is_told) {
    NodeStory story;
    story.containerd(2685, "10010");
    story.listen("127.0.0.1:33821", 2685);
    Model traffic;
    traffic.ports.push_back(seen_streaming("127.0.0.1:33821"));
    const Judgement judgement = story.judge(&traffic);
    EXPECT_EQ(summary(at(judgement, "127.0.0.1:33821")), "cri-streaming-server containerd high");
    EXPECT_THAT(words(at(judgement, "127.0.0.1:33821"), "contradiction"),
                HasSubstr("stream_server_port = \"10010\" names another port"));
    EXPECT_EQ(at(judgement, "127.0.0.1:33821").evidence.back().id, "contradiction");
}

TEST(Streaming, a_stranger_that_streams_is_at_most_medium) {
    NodeStory story;
    story.process(4000, R::unknown, "hopscope");
    story.listen("127.0.0.1:41000", 4000);
    Model traffic;
    traffic.ports.push_back(seen_streaming("127.0.0.1:41000"));
    EXPECT_EQ(summary(at(story.judge(&traffic), "127.0.0.1:41000")), "cri-streaming-server  medium");
}

TEST(Streaming, traffic_of_all_addresses_belongs_to_the_listener_of_that_port) {
    NodeStory story;
    story.kubelet();
    story.listen("*:10250", 5714);
    story.listen("10.1.1.1:10250", 5714, 8, NodeStory::kPod);
    Model traffic;
    PortFact fact;
    fact.local = ep("10.1.142.77:10250");
    fact.role = "kubelet-api";
    fact.confidence = "certain";
    fact.seen = 118;
    traffic.ports.push_back(fact);
    EXPECT_EQ(at(story.judge(&traffic), "*:10250").seen, 118U);
    EXPECT_EQ(at(story.judge(&traffic), "10.1.1.1:10250").seen, 0U) << "another namespace";
}

}  // namespace
TEST(Streaming, one_listener_for_two_services_that_leave_their_ports_to_the_kernel_may_be_either) {
    for (const auto& [key, noun] :
         {std::pair("metrics.address", "metrics"), {"debug.address", "diagnostics (pprof)"}}) {
        NodeStory story;
        story.containerd();
        story.set(2685, key, "127.0.0.1:0", "/etc/containerd/config.toml", 10);
        story.listen("127.0.0.1:33821", 2685, 11);
        const Judgement judgement = story.judge();
        const Verdict& verdict = at(judgement, "127.0.0.1:33821");
        EXPECT_EQ(summary(verdict), "cri-streaming-server containerd medium") << key;
        EXPECT_EQ(verdict.title, "either containerd's CRI streaming server or its " + std::string(noun));
        EXPECT_EQ(words(verdict, "contradiction"),
                  std::string(key) +
                      " = \"127.0.0.1:0\" (/etc/containerd/config.toml:10) leaves its port to the kernel as well, and "
                      "of 2 such services only 1 listens: this may be its " +
                      noun + " {/etc/containerd/config.toml:10}\n");
        EXPECT_EQ(verdict.short_why,
                  "stream_server_port = \"0\": random, or " + std::string(key) + " = \"127.0.0.1:0\": random");
        EXPECT_THAT(verdict.what_it_does, testing::StartsWith("if it is the streaming server: "));
        EXPECT_THAT(verdict.remedy, HasSubstr("hopscope why 33821 --probe"));
        story.probe_streaming("127.0.0.1:33821");
        EXPECT_EQ(at(story.judge(), "127.0.0.1:33821").confidence, "certain") << "the probe tells";
    }
}

TEST(Streaming, of_three_services_two_listen) {
    NodeStory story;
    story.containerd();
    story.set(2685, "metrics.address", "127.0.0.1:0", "/etc/containerd/config.toml", 10);
    story.set(2685, "debug.address", "127.0.0.1:0", "/etc/containerd/config.toml", 14);
    story.listen("127.0.0.1:33821", 2685, 11);
    story.listen("127.0.0.1:41555", 2685, 12);
    const Judgement judgement = story.judge();
    const Verdict& verdict = at(judgement, "127.0.0.1:33821");
    EXPECT_EQ(summary(verdict), "cri-streaming-server containerd medium");
    EXPECT_THAT(verdict.title, HasSubstr("of which one may be its CRI streaming server"));
    EXPECT_THAT(words(verdict, "contradiction"),
                HasSubstr("of 3 such services only 2 listen: this may be its metrics"));
    EXPECT_THAT(words(verdict, "contradiction"), HasSubstr("debug.address = \"127.0.0.1:0\""));
    story.listen("127.0.0.1:45000", 2685, 13);
    EXPECT_THAT(at(story.judge(), "127.0.0.1:33821").title,
                HasSubstr("one of 3 random listeners of containerd[2685], of which one is its CRI streaming server"));
    probe_with(story, "127.0.0.1:41555", {{"PUT /exec/x", 404}, {"PUT /cri/exec/x", 404}});
    EXPECT_EQ(at(story.judge(), "127.0.0.1:33821").confidence, "medium") << "two are left, for two services";
    const Judgement asked = story.judge();
    EXPECT_EQ(summary(at(asked, "127.0.0.1:41555")), "metrics containerd low") << "or diagnostics";
    EXPECT_THAT(words(at(asked, "127.0.0.1:41555"), "contradiction"),
                HasSubstr("debug.address = \"127.0.0.1:0\" (/etc/containerd/config.toml:14)"));
    probe_with(story, "127.0.0.1:45000", {{"PUT /exec/x", 404}, {"PUT /cri/exec/x", 404}});
    EXPECT_EQ(at(story.judge(), "127.0.0.1:33821").confidence, "certain") << "the only one that is left for it";
}

TEST(Streaming, settings_that_cannot_be_this_port_leave_it_certain) {
    struct {
        const char *key, *value;
    } const cases[] = {{"metrics.address", ""},          {"metrics.address", "10.0.0.7:0"},
                       {"metrics.address", "0.0.0.0:0"}, {"metrics.address", ":0"},
                       {"debug.address", "/run/d.sock"}, {"metrics.address", "127.0.0.1:1338"}};
    for (const auto& each : cases) {
        NodeStory story;
        story.containerd();
        story.set(2685, each.key, each.value, "/etc/containerd/config.toml", 10);
        story.listen("127.0.0.1:33821", 2685, 11);
        story.listen("127.0.0.1:1338", 2685, 12);
        EXPECT_EQ(summary(at(story.judge(), "127.0.0.1:33821")), "cri-streaming-server containerd certain")
            << each.key << " " << each.value;
    }
    // A kubelet's 0 means off, not any port.
    NodeStory shim;
    shim.process(10107, R::kubelet, "kubelet", "v1.18.9");
    shim.set(10107, "healthzPort", "0", "/var/lib/kubelet/config.yaml", 12);
    shim.set(10107, "healthzBindAddress", "127.0.0.1");
    shim.listen("127.0.0.1:35751", 10107, 17);
    EXPECT_EQ(summary(at(shim.judge(), "127.0.0.1:35751")), "cri-streaming-server kubelet certain");
    EXPECT_THAT(ruled_out(at(shim.judge(), "127.0.0.1:35751"), "kubelet-healthz"), HasSubstr("off"));
}

TEST(Streaming, on_all_addresses_as_well) {
    NodeStory story;
    story.process(2685, R::containerd, "containerd", "1.6.20");
    story.set(2685, "stream_server_address", "0.0.0.0", "/etc/containerd/config.toml", 11);
    story.set(2685, "stream_server_port", "0", "/etc/containerd/config.toml", 12);
    story.listen("*:33821", 2685, 11);
    EXPECT_EQ(at(story.judge(), "*:33821").confidence, "certain");
    story.set(2685, "metrics.address", ":0", "/etc/containerd/config.toml", 20);
    EXPECT_EQ(summary(at(story.judge(), "*:33821")), "cri-streaming-server containerd medium");
}

TEST(Streaming, a_crio_whose_metrics_take_any_port) {
    NodeStory story;
    story.process(700, R::crio, "crio", "1.27.1");
    story.set(700, "stream_address", "127.0.0.1");
    story.set(700, "stream_port", "0");
    story.set(700, "enable_metrics", "true", "/etc/crio/crio.conf", 9);
    story.set(700, "metrics_host", "127.0.0.1");
    story.set(700, "metrics_port", "0", "/etc/crio/crio.conf", 10);
    story.listen("127.0.0.1:38111", 700);
    EXPECT_EQ(at(story.judge(), "127.0.0.1:38111").confidence, "medium");
}

TEST(Streaming, a_runtime_that_answered_that_it_has_no_cri_has_no_streaming_server) {
    NodeStory story;
    story.containerd();
    story.listen_unix("/run/containerd/containerd.sock", 2685);
    story.listen("127.0.0.1:33821", 2685, 11);
    story.node.runtimes.push_back({.socket_path = Untrusted("/run/containerd/containerd.sock"),
                                   .component = "containerd",
                                   .name = {},
                                   .version = {},
                                   .api_version = {},
                                   .answered = false,
                                   .has_no_cri = false,
                                   .why_not = "no answer"});
    EXPECT_EQ(at(story.judge(), "127.0.0.1:33821").confidence, "certain") << "silence tells nothing";
    story.node.runtimes.front().has_no_cri = true;
    const Judgement denied = story.judge();
    EXPECT_EQ(summary(at(denied, "127.0.0.1:33821")), "cri-streaming-server containerd medium");
    EXPECT_EQ(words(at(denied, "127.0.0.1:33821"), "contradiction"),
              "asked for it over its socket it answered that it has no CRI service: nor a streaming server then "
              "{/run/containerd/containerd.sock}\n");

    story.set(2685, "metrics.address", "127.0.0.1:0", "/etc/containerd/config.toml", 10);
    const Judgement metrics = story.judge();
    EXPECT_EQ(summary(at(metrics, "127.0.0.1:33821")), "metrics containerd medium") << "that explains it";
    EXPECT_THAT(words(at(metrics, "127.0.0.1:33821"), "cri"), HasSubstr("it has no CRI service"));
    EXPECT_THAT(ruled_out(at(metrics, "127.0.0.1:33821"), "cri-streaming-server"), HasSubstr("it has no CRI service"));
    story.listen("127.0.0.1:41555", 2685, 12);
    EXPECT_EQ(summary(at(story.judge(), "127.0.0.1:33821")), "cri-streaming-server containerd medium")
        << "one of two is not explained";
    story.node.table.sockets.pop_back();

    Model traffic;
    traffic.ports.push_back(seen_streaming("127.0.0.1:33821"));
    const Judgement seen = story.judge(&traffic);
    EXPECT_EQ(summary(at(seen, "127.0.0.1:33821")), "cri-streaming-server containerd high");
    EXPECT_THAT(words(at(seen, "127.0.0.1:33821"), "contradiction"), HasSubstr("it has no CRI service"));

    NodeStory fixed;
    fixed.containerd(2685, "10010");
    fixed.listen_unix("/run/containerd/containerd.sock", 2685);
    fixed.listen("127.0.0.1:10010", 2685, 11);
    fixed.node.runtimes = story.node.runtimes;
    EXPECT_EQ(at(fixed.judge(), "127.0.0.1:10010").confidence, "high");
}

TEST(Streaming, answers_to_the_probe_contradict_traffic_and_settings) {
    const std::vector<std::pair<const char*, std::uint16_t>> other = {{"PUT /exec/x", 404}, {"PUT /cri/exec/x", 404}};
    NodeStory story;
    story.containerd();
    story.listen("127.0.0.1:33821", 2685, 11);
    Model traffic;
    traffic.ports.push_back(seen_streaming("127.0.0.1:33821"));
    EXPECT_EQ(at(story.judge(&traffic), "127.0.0.1:33821").confidence, "certain");
    probe_with(story, "127.0.0.1:33821", other);
    const Judgement seen = story.judge(&traffic);
    EXPECT_EQ(summary(at(seen, "127.0.0.1:33821")), "cri-streaming-server containerd high");
    EXPECT_THAT(words(at(seen, "127.0.0.1:33821"), "contradiction"),
                HasSubstr("its answers to the probe are not those of a CRI streaming server"));

    NodeStory fixed;
    fixed.containerd(2685, "10010");
    fixed.listen("127.0.0.1:10010", 2685, 11);
    probe_with(fixed, "127.0.0.1:10010", other);
    EXPECT_EQ(at(fixed.judge(), "127.0.0.1:10010").confidence, "high");
    EXPECT_THAT(words(at(fixed.judge(), "127.0.0.1:10010"), "contradiction"),
                HasSubstr("its answers to the probe are not those"));

    NodeStory stranger;
    stranger.process(4000, R::unknown, "hopscope");
    stranger.listen("127.0.0.1:33821", 4000);
    probe_with(stranger, "127.0.0.1:33821", other);
    EXPECT_THAT(words(at(stranger.judge(&traffic), "127.0.0.1:33821"), "contradiction"),
                HasSubstr("its answers to the probe"));
}

// 2026-11-21T17:01:40Z and seconds after it.
Timestamp second(std::int64_t count) { return {(1'795'280'500 + count) * kNanosecondsPerSecond}; }

PortFact seen_at(std::int64_t first, std::int64_t last) {
    PortFact fact = seen_streaming("127.0.0.1:10010");
    fact.first_seen = second(first);
    fact.last_accepted = second(last);
    return fact;
}

std::unique_ptr<Session> session_at(std::int64_t at) {
    auto session = std::make_unique<Session>();
    session->server = ep("127.0.0.1:10010");
    session->start = second(at);
    return session;
}

class Older : public testing::Test {
protected:
    // containerd before 1.2: a version without a known setting, so that only the traffic can make it certain.
    Older() {
        story.process(2685, R::containerd, "containerd", "1.6.20").started = second(0);
        story.listen("127.0.0.1:10010", 2685, 11);
    }
    Verdict judged() const { return at(story.judge(&traffic), "127.0.0.1:10010"); }
    NodeStory story;
    Model traffic;
};

TEST_F(Older, traffic_from_before_the_owner_started_is_no_evidence) {
    traffic.ports.push_back(seen_at(-86'400, -3600));
    traffic.sessions.push_back(session_at(-3600));
    const Verdict verdict = judged();
    EXPECT_NE(verdict.confidence, "certain");
    EXPECT_EQ(verdict.seen, 0U);
    EXPECT_EQ(
        words(verdict, "traffic"),
        "the file's traffic on this port is from before containerd[2685] started (2026-11-21T17:01:40Z), the last "
        "of that on 2026-11-21T16:01:40Z: it is no evidence\n");
}

TEST_F(Older, traffic_at_another_machines_address_is_no_evidence) {
    NodeStory everywhere;
    everywhere.process(2685, R::containerd, "containerd", "1.6.20").started = second(0);
    everywhere.listen("0.0.0.0:10010", 2685, 11);
    PortFact fact = seen_at(10, 20);
    fact.local = ep("192.0.2.9:10010");
    traffic.ports.push_back(fact);
    EXPECT_EQ(at(everywhere.judge(&traffic), "0.0.0.0:10010").confidence, "certain") << "of a tree no address is known";
    everywhere.node.addresses = {ep("10.0.0.2:0").address};
    const Verdict verdict = at(everywhere.judge(&traffic), "0.0.0.0:10010");
    EXPECT_NE(verdict.confidence, "certain");
    EXPECT_EQ(words(verdict, "traffic"),
              "the file has traffic of this port at 192.0.2.9, which is no address of this node: it is no evidence\n");
    traffic.ports.front().local = ep("10.0.0.2:10010");
    EXPECT_EQ(at(everywhere.judge(&traffic), "0.0.0.0:10010").confidence, "certain");
    EXPECT_EQ(words(at(everywhere.judge(&traffic), "0.0.0.0:10010"), "traffic"), "101 was answered 12 times\n");
}

TEST_F(Older, a_second_before_is_the_coarseness_of_clocks) {
    traffic.ports.push_back(seen_at(-1, -1));
    EXPECT_EQ(judged().confidence, "certain");
    EXPECT_EQ(words(judged(), "traffic"), "101 was answered 12 times\n");
    traffic.ports.front() = seen_at(-2, -2);
    EXPECT_NE(judged().confidence, "certain");
}

TEST_F(Older, of_traffic_from_both_sides_of_the_start_the_later_counts) {
    traffic.ports.push_back(seen_at(-3600, 10));
    traffic.sessions.push_back(session_at(-3600));
    traffic.sessions.push_back(session_at(10));
    EXPECT_EQ(judged().confidence, "certain");
    EXPECT_EQ(judged().seen, 1U) << "sessions since then";
    EXPECT_THAT(words(judged(), "traffic"), HasSubstr("part of the file's traffic on this port is from before"));
}

TEST_F(Older, a_refusal_since_then_does_not_make_the_old_answers_count) {
    traffic.ports.push_back(seen_at(-3600, -3600));
    traffic.ports.front().last_refused = second(10);
    EXPECT_NE(judged().confidence, "certain");
    traffic.ports.front().last_named = second(10);
    traffic.ports.front().evidence.push_back(
        {.grade = Grade::decoded, .says = "the runtime's CRI answer names it", .frame = 9, .source = {}, .id = "cri"});
    EXPECT_EQ(judged().confidence, "certain") << "but a CRI answer does";
    EXPECT_THAT(words(judged(), "cri"), HasSubstr("CRI answer names it"));
    EXPECT_THAT(words(judged(), "traffic"), Not(HasSubstr("101 was answered")));
}

TEST_F(Older, calls_on_a_socket_from_before_its_owner_are_not_counted) {
    story.listen_unix("/run/containerd/containerd.sock", 2685);
    for (const std::int64_t each : {-3600, 10}) {
        Hop& hop = traffic.chains.emplace_back().hops.emplace_back();
        hop.kind = HopKind::cri;
        hop.start = second(each);
        hop.unix_socket.emplace();
        hop.unix_socket->path = "/run/containerd/containerd.sock";
    }
    EXPECT_EQ(at(story.judge(&traffic), "/run/containerd/containerd.sock").seen, 1U);
}

TEST_F(Older, without_both_times_it_is_said_what_is_taken_for_granted) {
    traffic.ports.push_back(seen_streaming("127.0.0.1:10010"));
    EXPECT_EQ(judged().confidence, "certain");
    EXPECT_THAT(words(judged(), "traffic"), HasSubstr("the file does not say when its traffic on this port was: it is "
                                                      "taken for traffic of containerd[2685]"));
    traffic.ports.front() = seen_at(-3600, -3600);
    traffic.ports.front().first_seen = traffic.ports.front().last_accepted = {5 * kNanosecondsPerSecond};
    EXPECT_EQ(judged().confidence, "certain") << "a file that counts from its own beginning";
    traffic.ports.front() = seen_at(-3600, -3600);
    story.node.table.processes.front().started = {};
    EXPECT_EQ(judged().confidence, "certain");
    EXPECT_THAT(words(judged(), "traffic"), HasSubstr("when containerd[2685] was started is not known"));
}

}  // namespace hopscope::chain::test
