// The fixed rule of confidence, the ports by settings and by number, reach, peers, and that order does not matter.
#include "chain/verdict_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "chain/verdict_proof.h"
#include "chain/verdict_settings.h"
#include "core/node_words.h"
#include "node_story.h"

namespace hopscope::chain::test {
namespace {

using R = ProcessRole;
using testing::HasSubstr;
using testing::Not;

struct Rule {
    const char* what;
    Proof proof;
    Sure want;
};
class Confidence : public testing::TestWithParam<Rule> {};
TEST_P(Confidence, is_a_fixed_rule) { EXPECT_EQ(sure_of(GetParam().proof), GetParam().want) << GetParam().what; }
constexpr Proof proven(void (*change)(Proof&)) {
    Proof proof;
    proof.holder = Holder::proven;
    change(proof);
    return proof;
}
INSTANTIATE_TEST_SUITE_P(
    Table, Confidence,
    testing::Values(
        Rule{"owner only", proven([](Proof&) {}), Sure::low},
        Rule{"version alone is nothing", proven([](Proof& p) { p.version = true; }), Sure::low},
        Rule{"behaviour", proven([](Proof& p) { p.behaviour = true; }), Sure::medium},
        Rule{"and version", proven([](Proof& p) { p.behaviour = p.version = true; }), Sure::high},
        Rule{"config", proven([](Proof& p) { p.config = true; }), Sure::certain},
        Rule{"only candidate", proven([](Proof& p) { p.only_candidate = true; }), Sure::certain},
        Rule{"CRI", proven([](Proof& p) { p.cri = true; }), Sure::certain},
        Rule{"traffic", proven([](Proof& p) { p.traffic = true; }), Sure::certain},
        Rule{"probe", proven([](Proof& p) { p.probe = true; }), Sure::certain},
        Rule{"config, contradicted", proven([](Proof& p) { p.config = p.contradiction = true; }), Sure::high},
        Rule{"high, contradicted", proven([](Proof& p) { p.behaviour = p.version = p.contradiction = true; }),
             Sure::medium},
        Rule{"medium, contradicted", proven([](Proof& p) { p.behaviour = p.contradiction = true; }), Sure::low},
        Rule{"low stays", proven([](Proof& p) { p.contradiction = true; }), Sure::low},
        Rule{"invisible with traffic", Proof{.holder = Holder::invisible, .traffic = true}, Sure::medium},
        Rule{"invisible with a usual number", Proof{.holder = Holder::invisible, .behaviour = true}, Sure::low},
        Rule{"invisible with config", Proof{.holder = Holder::invisible, .config = true}, Sure::low},
        Rule{"decoy with everything",
             Proof{.holder = Holder::doubtful,
                   .config = true,
                   .cri = true,
                   .traffic = true,
                   .probe = true,
                   .behaviour = true,
                   .version = true},
             Sure::low},
        Rule{"by its first argument alone, with config", Proof{.holder = Holder::claimed, .config = true}, Sure::high},
        Rule{"by its first argument alone, behaviour", Proof{.holder = Holder::claimed, .behaviour = true},
             Sure::medium},
        Rule{"stranger with traffic", Proof{.holder = Holder::stranger, .traffic = true}, Sure::medium},
        Rule{"third party", Proof{.holder = Holder::named, .behaviour = true, .version = true}, Sure::medium}));

TEST(Rules, every_role_of_a_rule_is_put_into_words_and_every_port_is_unique_to_its_owner) {
    for (const TcpRule& rule : tcp_rules()) EXPECT_NE(role_text(rule.role), nullptr) << rule.role;
    for (const SocketKey& key : socket_keys()) EXPECT_NE(role_text(key.role), nullptr) << key.role;
    for (const TcpRule& a : tcp_rules())
        for (const TcpRule& b : tcp_rules())
            EXPECT_FALSE(&a != &b && a.default_port != 0 && a.default_port == b.default_port)
                << a.role << " " << b.role;
}

TEST(Rules, a_star_stands_for_any_text) {
    EXPECT_TRUE(fits("/run/containerd/s/*", "/run/containerd/s/ab"));
    EXPECT_TRUE(fits("*/plugins/*/csi.sock", "/var/lib/kubelet/plugins/ebs/x/csi.sock"));
    EXPECT_FALSE(fits("*/plugins/*/csi.sock", "/var/lib/kubelet/plugins/csi.sock.old"));
    EXPECT_FALSE(fits("/run/docker.sock", "/run/docker.sock2"));
    EXPECT_TRUE(fits("*", ""));
}

TEST(Rules, places_in_settings) {
    const auto text = [](std::string_view value) {
        std::string all;
        for (const ListenPlace& place : places_of(value))
            all += place.scheme + "|" +
                   (place.unix_path.empty() ? (place.address      ? to_string(*place.address)
                                               : place.named_host ? "?"
                                                                  : "*") +
                                                  std::string(":") + std::to_string(place.port)
                                            : place.unix_path) +
                   ";";
        return all;
    };
    EXPECT_EQ(text("127.0.0.1:1338"), "|127.0.0.1:1338;");
    EXPECT_EQ(text(":0"), "|*:0;");
    EXPECT_EQ(text("[::1]:10249"), "|::1:10249;");
    EXPECT_EQ(text("https://127.0.0.1:2379,https://10.0.0.5:2379"), "https|127.0.0.1:2379;https|10.0.0.5:2379;");
    EXPECT_EQ(text("http://[::1]:2379"), "http|::1:2379;");
    EXPECT_EQ(text("[\"unix:///run/docker.sock\", \"tcp://0.0.0.0:2375\"]"), "unix|/run/docker.sock;tcp|0.0.0.0:2375;");
    EXPECT_EQ(text("tcp://***@127.0.0.1:2375,tcp://***@[::1]:80"), "tcp|127.0.0.1:2375;tcp|::1:80;");
    EXPECT_EQ(text("unix://@abstract"), "unix|@abstract;");
    EXPECT_EQ(text("localhost:9000"), "|127.0.0.1:9000;");
    EXPECT_EQ(text("node.example:9000"), "|?:9000;");
    EXPECT_EQ(text("127.0.0.1:99999"), "");
    EXPECT_EQ(text(std::string(100'000, ',')), "");
    EXPECT_LE(places_of(std::string(5000, 'x') + std::string(2000, ',') +
                        [] {
                            std::string many;
                            for (int i = 0; i < 1000; ++i) many += "a:1,";
                            return many;
                        }())
                  .size(),
              64U);
}

TEST(Rules, versions) {
    EXPECT_EQ(release_of("v1.18.9-eks-1"), (Release{1, 18}));
    EXPECT_EQ(release_of("1.6.20~ds1"), (Release{1, 6}));
    EXPECT_EQ(release_of("2.0"), (Release{2, 0}));
    EXPECT_FALSE(release_of("devel"));
    EXPECT_FALSE(release_of("1."));
    EXPECT_FALSE(release_of("99999999999.1"));
}

TEST(Rules, the_cri_plugin_by_all_its_names) {
    for (const char* off :
         {"cri", "io.containerd.grpc.v1.cri", "aufs,io.containerd.cri.v1.runtime", "[\"aufs\", \"cri\"]"})
        EXPECT_TRUE(names_cri_plugin(off)) << off;
    for (const char* on : {"", "aufs", "io.containerd.grpc.v1.cri2", "[]", ",,", "acri"})
        EXPECT_FALSE(names_cri_plugin(on)) << on;
}

struct PortCase {
    const char* what;
    R role;
    const char* comm;
    const char* key;
    const char* value;
    const char* local;
    const char* want;
    const char* reach;
};
class Port : public testing::TestWithParam<PortCase> {};
TEST_P(Port, is_told_by_its_setting) {
    const PortCase& c = GetParam();
    NodeStory story;
    story.process(50, c.role, c.comm, "1.19.0");
    if (*c.key) story.set(50, c.key, c.value, "/etc/x.yaml", 4);
    story.listen(c.local, 50);
    const Judgement judgement = story.judge();
    EXPECT_EQ(summary(at(judgement, c.local)), c.want) << c.what;
    EXPECT_EQ(at(judgement, c.local).reach, c.reach);
    if (*c.key && at(judgement, c.local).confidence == "certain")
        EXPECT_THAT(words(at(judgement, c.local), "config"), HasSubstr("{/etc/x.yaml:4}"));
}
INSTANTIATE_TEST_SUITE_P(
    Table, Port,
    testing::Values(
        PortCase{"", R::kubelet, "kubelet", "readOnlyPort", "10255", "*:10255", "kubelet-read-only kubelet certain",
                 "world"},
        PortCase{"moved", R::kubelet, "kubelet", "healthzPort", "20248", "127.0.0.1:20248",
                 "kubelet-healthz kubelet certain", "loopback"},
        PortCase{"no settings known", R::kubelet, "kubelet", "", "", "127.0.0.1:10248", "kubelet-healthz kubelet high",
                 "loopback"},
        PortCase{"", R::kube_proxy, "kube-proxy", "metricsBindAddress", "127.0.0.1:10249", "127.0.0.1:10249",
                 "kube-proxy-metrics kube-proxy certain", "loopback"},
        PortCase{"", R::kube_proxy, "kube-proxy", "healthzBindAddress", "0.0.0.0:10256", "*:10256",
                 "kube-proxy-healthz kube-proxy certain", "world"},
        PortCase{"", R::apiserver, "kube-apiserver", "secure-port", "16443", "*:16443",
                 "apiserver kube-apiserver certain", "world"},
        PortCase{"", R::etcd, "etcd", "listen-client-urls", "https://127.0.0.1:2379,https://10.0.0.5:2379",
                 "10.0.0.5:2379", "etcd-client etcd certain", "world"},
        PortCase{"", R::etcd, "etcd", "listen-peer-urls", "https://10.0.0.5:2380", "10.0.0.5:2380",
                 "etcd-peer etcd certain", "world"},
        PortCase{"", R::etcd, "etcd", "listen-metrics-urls", "http://127.0.0.1:2381", "127.0.0.1:2381",
                 "metrics etcd certain", "loopback"},
        PortCase{"", R::controller_manager, "kube-controller-manager", "secure-port", "10257", "127.0.0.1:10257",
                 "controller-manager kube-controller-manager certain", "loopback"},
        PortCase{"", R::controller_manager, "kube-controller-manager", "", "", "*:10252",
                 "controller-manager-insecure kube-controller-manager high", "world"},
        PortCase{"", R::scheduler, "kube-scheduler", "secure-port", "10259", "127.0.0.1:10259",
                 "scheduler kube-scheduler certain", "loopback"},
        PortCase{"", R::dockerd, "dockerd", "hosts", "unix:///var/run/docker.sock,tcp://127.0.0.1:2375",
                 "127.0.0.1:2375", "docker-api dockerd certain", "loopback"},
        PortCase{"", R::containerd, "containerd", "debug.address", "127.0.0.1:6000", "127.0.0.1:6000",
                 "pprof containerd certain", "loopback"},
        PortCase{"", R::containerd, "containerd", "grpc.tcp_address", "10.0.0.5:9000", "10.0.0.5:9000",
                 "containerd-api containerd certain", "world"},
        PortCase{"k3s", R::kubelet, "k3s", "https-listen-port", "6443", "*:6443", "apiserver kube-apiserver certain",
                 "world"},
        PortCase{"a third party", R::in_container, "coredns", "", "", "*:9153", "metrics coredns medium", "world"},
        PortCase{"", R::in_container, "calico-node", "", "", "127.0.0.1:9099", "calico-health calico medium",
                 "loopback"},
        PortCase{"", R::unknown, "node_exporter", "", "", "*:9100", "metrics node-exporter medium", "world"},
        PortCase{"", R::in_container, "node-cache", "", "", "169.254.20.10:53", "dns node-local-dns medium", "node"},
        PortCase{"comm is cut", R::in_container, "node-problem-detector", "", "", "127.0.0.1:20256",
                 "node-problem-detector node-problem-detector medium", "loopback"},
        PortCase{"somebody else's 9100", R::unknown, "nginx", "", "", "*:9100", "unknown  low", "world"},
        PortCase{"somebody else's 10250", R::unknown, "nginx", "", "", "*:10250", "unknown  low", "world"}));

TEST(Rules, cadvisor_is_gone_since_1_12) {
    NodeStory story;
    story.process(50, R::kubelet, "kubelet", "1.10.1");
    story.listen("*:4194", 50);
    EXPECT_EQ(summary(at(story.judge(), "*:4194")), "cadvisor kubelet high");
    story.node.table.processes[0].version = "1.12.0";
    EXPECT_EQ(ruled_out(at(story.judge(), "*:4194"), "cadvisor"), "removed in 1.12, this is kubelet 1.12.0");
}

TEST(Rules, of_what_is_no_component_it_is_told_whose_it_is) {
    NodeStory story;
    story.process(50, R::unknown, "sshd");
    story.process(60, R::in_container, "nginx").container_id = Untrusted(std::string(64, 'a'));
    story.process(70, R::in_container, "redis").container_id = Untrusted(std::string(64, 'b'));
    story.container(std::string(64, 'a'), "main");
    story.listen("*:22", 50);
    story.listen("*:8000", 60, 7, NodeStory::kPod);
    story.listen("*:6379", 70, 7, NodeStory::kPod);
    const Judgement judgement = story.judge();
    EXPECT_EQ(at(judgement, "*:22").title,
              "a listener of sshd[50], which is not known as a component of a Kubernetes node");
    EXPECT_EQ(at(judgement, "*:22").short_why, "not a component of the node");
    EXPECT_EQ(at(judgement, "*:8000").title, "a listener of nginx[60] in container main of pod default/web-0");
    EXPECT_EQ(at(judgement, "*:8000").short_why, "container main of pod default/web-0");
    EXPECT_EQ(at(judgement, "*:6379").title, "a listener of redis[70] in container bbbbbbbbbbbb");
}

TEST(Rules, every_role_has_words_of_its_own) {
    const auto told = [](std::string_view role) { return role_text(role) && !role_text(role)->noun.empty(); };
    for (const TcpRule& rule : tcp_rules()) EXPECT_TRUE(told(rule.role)) << rule.role;
    for (const NumberRule& rule : number_rules()) EXPECT_TRUE(told(rule.role)) << rule.role;
    for (const SocketRule& rule : socket_rules()) EXPECT_TRUE(told(rule.role)) << rule.role;
    for (const SocketKey& key : socket_keys()) EXPECT_TRUE(told(key.role)) << key.role;
}

TEST(Rules, of_k3s_the_api_server_is_not_called_the_kubelets) {
    NodeStory story;
    story.process(700, R::kubelet, "k3s", "1.28.5+k3s1");
    story.set(700, "https-listen-port", "6443");
    story.listen("*:6443", 700);
    const Judgement judgement = story.judge();
    const Verdict& verdict = at(judgement, "*:6443");
    EXPECT_EQ(verdict.title, "kube-apiserver's API");
    EXPECT_EQ(verdict.confidence, "certain");
    EXPECT_THAT(words(verdict, "config"), HasSubstr("https-listen-port = 6443 names this port"));
    EXPECT_EQ(words(verdict, "behaviour"), "") << "its number is no news where a setting names it";
}

TEST(Rules, third_parties_say_that_only_number_and_name_tell) {
    NodeStory story;
    story.process(50, R::in_container, "coredns");
    story.listen("*:9153", 50, 7, NodeStory::kPod);
    const Judgement judgement = story.judge();
    EXPECT_THAT(words(at(judgement, "*:9153"), "behaviour"),
                HasSubstr("only the port number and the program's name say so"));
    EXPECT_EQ(at(judgement, "*:9153").reach, "pod-network");
}

TEST(Rules, sockets_of_the_kernel_and_of_the_invisible) {
    NodeStory story;
    story.udp("0.0.0.0:8472", 0);
    story.socket(52113).inode = 0;
    story.listen("127.0.0.1:10248", 0);
    const Judgement judgement = story.judge();
    EXPECT_EQ(summary(at(judgement, "0.0.0.0:8472")), "overlay-network kernel low");
    EXPECT_THAT(words(at(judgement, "0.0.0.0:8472"), "owner"), HasSubstr("the kernel's own"));
    EXPECT_EQ(summary(at(judgement, "127.0.0.1:10248")), "kubelet-healthz kubelet low");
    EXPECT_THAT(words(at(judgement, "127.0.0.1:10248"), "owner"), HasSubstr("cannot be seen"));
}

TEST(Rules, docker_proxy_says_itself_what_it_publishes) {
    NodeStory story;
    story.process(60, R::docker_proxy, "docker-proxy", {},
                  {"docker-proxy", "-proto", "tcp", "-host-ip", "0.0.0.0", "-host-port", "8080", "-container-ip",
                   "172.17.0.2", "-container-port", "80"});
    story.listen("0.0.0.0:8080", 60);
    const Judgement judgement = story.judge();
    EXPECT_EQ(summary(at(judgement, "0.0.0.0:8080")), "published-port docker-proxy certain");
    EXPECT_THAT(at(judgement, "0.0.0.0:8080").why_this_port, HasSubstr("172.17.0.2:80"));
}

TEST(Peers, of_tcp_are_named_at_both_ends) {
    NodeStory story;
    story.kubelet();
    story.containerd();
    story.listen("127.0.0.1:33821", 2685);
    story.listen("*:10250", 5714);
    story.end("127.0.0.1:33821", "127.0.0.1:54766", 2685, 21);
    story.end("127.0.0.1:54766", "127.0.0.1:33821", 5714, 22);
    story.end("10.0.0.5:10250", "10.0.0.2:37870", 5714, 23);
    const Judgement judgement = story.judge();
    const Verdict& streaming = at(judgement, "127.0.0.1:33821");
    ASSERT_EQ(streaming.peers.size(), 1U);
    EXPECT_EQ(streaming.peers[0].process.pid, 5714U);
    EXPECT_EQ(streaming.peers[0].process_role, "kubelet");
    EXPECT_EQ(streaming.peers[0].fd, 22U);
    EXPECT_EQ(to_string(*streaming.peers[0].from), "127.0.0.1:54766");
    EXPECT_EQ(streaming.peers[0].state, "established");
    const Verdict& api = at(judgement, "*:10250");
    ASSERT_EQ(api.peers.size(), 1U);
    EXPECT_EQ(api.peers[0].process.pid, 0U) << "not on this node";
    EXPECT_EQ(to_string(*api.peers[0].from), "10.0.0.2:37870");
}

TEST(Peers, a_connection_belongs_to_the_most_specific_listener_of_its_namespace) {
    NodeStory story;
    story.process(50, R::unknown, "a");
    story.process(51, R::unknown, "b");
    story.listen("*:80", 50);
    story.listen("127.0.0.1:80", 51);
    story.listen("127.0.0.1:80", 50, 8, NodeStory::kPod);
    story.end("127.0.0.1:80", "127.0.0.1:40000", 51);
    const Judgement judgement = story.judge();
    std::string counts;
    for (const Verdict& verdict : judgement.verdicts)
        counts += to_string(verdict.local) + (verdict.net_namespace == NodeStory::kPod ? " pod " : " ") +
                  std::to_string(verdict.peers.size()) + ";";
    EXPECT_EQ(counts, "[::]:80 0;127.0.0.1:80 1;127.0.0.1:80 pod 0;");
}

TEST(Judge, the_order_of_the_table_does_not_matter) {
    NodeStory story;
    story.kubelet();
    story.containerd();
    story.process(1, R::unknown, "systemd");
    story.process(1186, R::dockerd, "dockerd", "20.10.2");
    story.process(900, R::unknown, "containerd").role_doubt =
        "is named containerd, but its executable holds no such program";
    story.listen("127.0.0.1:33821", 2685);
    story.listen("127.0.0.1:41555", 2685);
    story.listen("127.0.0.1:40123", 900);
    story.listen("127.0.0.1:10248", 5714);
    story.listen("*:10250", 5714);
    story.own(story.listen_unix("/run/docker.sock", 1186), 1, 40);
    story.listen_unix("/run/containerd/containerd.sock", 2685);
    for (std::uint32_t fd = 31; fd < 36; ++fd) story.connect_unix("/run/docker.sock", 1186, 5714, fd);
    story.end("127.0.0.1:33821", "127.0.0.1:54766", 2685, 21, SocketState::close_wait);
    story.end("127.0.0.1:54766", "127.0.0.1:33821", 5714, 22, SocketState::fin_wait);
    const std::string want = everything(story.judge());
    std::mt19937 random(4);
    for (int round = 0; round < 20; ++round) {
        std::shuffle(story.node.table.sockets.begin(), story.node.table.sockets.end(), random);
        std::shuffle(story.node.table.processes.begin(), story.node.table.processes.end(), random);
        std::shuffle(story.node.configs.begin(), story.node.configs.end(), random);
        for (Socket& socket : story.node.table.sockets)
            std::shuffle(socket.owners.begin(), socket.owners.end(), random);
        ASSERT_EQ(everything(story.judge()), want);
    }
}

TEST(Judge, hostile_text_is_shown_safely_and_arguments_are_not_shown) {
    NodeStory story;
    auto& process = story.process(70, R::unknown, "evil\x1b[2J", {}, {"evil", "--password=hunter2"});
    process.role_doubt = "is named \x1b[31mkubelet";
    story.listen("127.0.0.1:40000", 70);
    story.listen_unix("/run/x\x1b[2J.sock", 70);
    story.process(71, R::kubelet, "kubelet", "v1.18.0", {"kubelet", "--token=hunter2", "--network-plugin=hunter2"});
    story.listen("127.0.0.1:40001", 71);
    Judgement judgement = story.judge();
    for (Verdict& verdict : judgement.verdicts) verdict.unix_path.clear();  // shown through display() by the views
    EXPECT_THAT(everything(judgement), Not(HasSubstr("\x1b")));
    EXPECT_THAT(everything(judgement), Not(HasSubstr("hunter2")));
}

TEST(Judge, a_port_of_a_report) {
    NodeStory story;
    story.containerd();
    story.listen("127.0.0.1:33821", 2685);
    const PortFact fact = port_fact(at(story.judge(), "127.0.0.1:33821"));
    EXPECT_EQ(fact.role + " " + fact.component + " " + fact.confidence + " " + fact.reach,
              "cri-streaming-server containerd certain loopback");
    ASSERT_TRUE(fact.process);
    EXPECT_EQ(fact.process->pid, 2685U);
    EXPECT_EQ(fact.title, "containerd's CRI streaming server");
    EXPECT_FALSE(fact.ruled_out.empty());
    EXPECT_FALSE(fact.evidence.empty());
}

TEST(Judge, an_empty_node_has_no_verdicts) { EXPECT_TRUE(judge(Node{}, nullptr).verdicts.empty()); }

TEST(Judge, sorts_components_first_then_tcp_then_unix_by_port) {
    NodeStory story;
    story.kubelet();
    story.process(70, R::unknown, "nginx");
    story.listen("*:80", 70);
    story.listen_unix("/var/lib/kubelet/pod-resources/kubelet.sock", 5714);
    story.listen("*:10250", 5714);
    story.listen("127.0.0.1:10248", 5714);
    std::string order;
    for (const Verdict& verdict : story.judge().verdicts) order += verdict.role + " ";
    EXPECT_EQ(order, "kubelet-healthz kubelet-api pod-resources unknown ");
}

}  // namespace
}  // namespace hopscope::chain::test
