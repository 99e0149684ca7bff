// Unix sockets: whose file, whose path, who is connected.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "chain/sha256.h"
#include "node_story.h"

namespace hopscope::chain::test {
namespace {

using R = ProcessRole;
using testing::HasSubstr;

struct Case {
    const char* path;
    R role;
    const char* comm;
    const char* want;
};
class Sockets : public testing::TestWithParam<Case> {};
TEST_P(Sockets, are_known_by_path_and_owner) {
    NodeStory story;
    story.process(50, GetParam().role, GetParam().comm, "1.20.0");
    story.listen_unix(GetParam().path, 50);
    EXPECT_EQ(summary(story.judge().verdicts.at(0)), GetParam().want) << GetParam().path;
}
INSTANTIATE_TEST_SUITE_P(
    Table, Sockets,
    testing::Values(
        Case{"/run/containerd/containerd.sock", R::containerd, "containerd", "cri-socket containerd high"},
        Case{"/run/containerd/containerd.sock.ttrpc", R::containerd, "containerd", "containerd-ttrpc containerd high"},
        Case{"/run/k3s/containerd/containerd.sock", R::containerd, "containerd", "cri-socket containerd high"},
        Case{"/var/snap/microk8s/common/run/containerd.sock", R::containerd, "containerd",
             "cri-socket containerd high"},
        Case{"/run/k0s/containerd.sock", R::containerd, "containerd", "cri-socket containerd high"},
        Case{"/run/containerd/debug.sock", R::containerd, "containerd", "pprof containerd high"},
        Case{"/var/run/docker/containerd/containerd.sock", R::containerd, "containerd",
             "containerd-api containerd high"},
        Case{"/run/containerd/s/4d3f", R::containerd_shim, "containerd-shim", "shim-socket containerd-shim high"},
        Case{"@/containerd-shim/k8s.io/ab/shim.sock", R::containerd_shim, "containerd-shim",
             "shim-socket containerd-shim high"},
        Case{"/var/run/crio/crio.sock", R::crio, "crio", "cri-socket crio high"},
        Case{"/var/run/crio/abc/attach", R::conmon, "conmon", "conmon-attach conmon high"},
        Case{"/var/run/dockershim.sock", R::kubelet, "kubelet", "cri-socket kubelet high"},
        Case{"/run/cri-dockerd.sock", R::cri_dockerd, "cri-dockerd", "cri-socket cri-dockerd high"},
        Case{"/var/run/docker.sock", R::dockerd, "dockerd", "docker-api dockerd high"},
        Case{"/var/lib/kubelet/device-plugins/kubelet.sock", R::kubelet, "kubelet", "device-plugin kubelet high"},
        Case{"/var/lib/kubelet/device-plugins/nvidia-gpu.sock", R::in_container, "nvidia",
             "device-plugin device plugin medium"},
        Case{"/var/lib/kubelet/pod-resources/kubelet.sock", R::kubelet, "kubelet", "pod-resources kubelet high"},
        Case{"/var/lib/kubelet/plugins_registry/ebs-reg.sock", R::in_container, "registrar",
             "plugin-registration plugin medium"},
        Case{"/var/lib/kubelet/plugins/ebs.csi.aws.com/csi.sock", R::in_container, "driver",
             "csi-socket CSI driver medium"},
        Case{"/var/lib/kubelet/plugins/gpu/dra.sock", R::in_container, "driver", "dra-socket DRA driver medium"},
        Case{"/var/run/nri/nri.sock", R::crio, "crio", "nri-socket crio high"},
        Case{"/run/cilium/cilium.sock", R::in_container, "cilium-agent", "cilium-socket cilium medium"},
        Case{"/run/docker.sock", R::unknown, "socat", "unknown  low"},
        Case{"/run/user/1000/bus", R::unknown, "dbus-daemon", "unknown  low"}));

TEST(UnixSockets, are_matched_by_device_and_inode_and_told_when_renamed) {
    NodeStory story;
    story.containerd();
    story.listen_unix("/run/containerd/tmp.sock", 2685, 24, 777);
    story.node.socket_files.push_back({Untrusted("/run/containerd/containerd.sock"), 24, 777});
    const Judgement judgement = story.judge();
    const Verdict& verdict = at(judgement, "/run/containerd/containerd.sock");
    EXPECT_EQ(summary(verdict), "cri-socket containerd certain");
    EXPECT_THAT(words(verdict, "owner"),
                HasSubstr("was bound as /run/containerd/tmp.sock and lies at /run/containerd/containerd.sock now"));
    EXPECT_EQ(verdict.reach, "node");
}

TEST(UnixSockets, who_may_open_the_file_can_reach_it) {
    struct Opened {
        SocketAccess access;
        const char* says;
        bool alarm;
    };
    const Untrusted root("root"), docker("docker"), none;
    for (const Opened& each : {
             Opened{{0660, 0, 0, root, root, true}, "root only (srw-rw---- root:root).", false},
             Opened{{0660, 0, 998, root, docker, true},
                    "root and members of the group docker (srw-rw---- root:docker).",
                    false},
             Opened{{0760, 1000, 998, none, none, false},
                    "root, user 1000 and members of the group 998 (srwxrw---- 1000:998).",
                    false},
             Opened{{0600, 1000, 998, none, docker, false}, "root and user 1000 (srw------- 1000:docker).", false},
             Opened{{0666, 0, 0, root, root, true},
                    "every process of this node: its file may be opened by all users (srw-rw-rw- root:root).",
                    true},
             Opened{
                 {0666, 0, 0, root, root, false},
                 "root only: its file may be opened by all users, a directory above it may not (srw-rw-rw- root:root).",
                 false},
             Opened{{0600, 0, 0, Untrusted("r\x1b[31mt"), root, true}, "root only (srw------- r␛[31mt:root).", false},
         }) {
        NodeStory story;
        story.containerd();
        story.listen_unix("/run/containerd/containerd.sock", 2685, 24, 777);
        story.node.socket_files.push_back({Untrusted("/run/containerd/containerd.sock"), 24, 777, each.access});
        const Judgement judgement = story.judge();
        EXPECT_THAT(at(judgement, "/run/containerd/containerd.sock").who_can_reach, HasSubstr(each.says));
        const bool alarmed = std::any_of(judgement.findings.begin(), judgement.findings.end(),
                                         [](const Finding& finding) { return finding.code == "PRT-11"; });
        EXPECT_EQ(alarmed, each.alarm) << each.says;
    }
}

TEST(UnixSockets, another_file_at_the_path_is_a_contradiction) {
    NodeStory story;
    story.containerd();
    story.listen_unix("/run/containerd/containerd.sock", 2685, 24, 777);
    story.node.socket_files.push_back({Untrusted("/run/containerd/containerd.sock"), 24, 778});
    const Verdict verdict = at(story.judge(), "/run/containerd/containerd.sock");
    EXPECT_EQ(summary(verdict), "cri-socket containerd high");
    EXPECT_THAT(words(verdict, "contradiction"), HasSubstr("is another socket's"));
}

TEST(UnixSockets, without_numbers_the_path_tells_and_that_is_said) {
    NodeStory story;
    story.containerd();
    story.listen_unix("/run/containerd/containerd.sock", 2685);
    story.node.socket_files.push_back({Untrusted("/run/containerd/containerd.sock"), 24, 778});
    const Verdict verdict = at(story.judge(), "/run/containerd/containerd.sock");
    EXPECT_EQ(verdict.confidence, "certain");
    EXPECT_THAT(words(verdict, "owner"), HasSubstr("told by the text of its path only"));
    EXPECT_THAT(words(verdict, "config"), HasSubstr("grpc.address = /run/containerd/containerd.sock"));
}

TEST(UnixSockets, the_kubelet_and_the_runtime_itself_say_what_it_is) {
    NodeStory story;
    story.process(2685, R::containerd, "containerd", "1.6.20");
    story.kubelet();
    story.set(5714, "containerRuntimeEndpoint", "unix:///run/containerd/containerd.sock",
              "/var/lib/kubelet/config.yaml", 7);
    story.listen_unix("/run/containerd/containerd.sock", 2685);
    EXPECT_THAT(
        words(at(story.judge(), "/run/containerd/containerd.sock"), "config"),
        HasSubstr("kubelet[5714] is told to use it: containerRuntimeEndpoint = unix:///run/containerd/containerd.sock "
                  "{/var/lib/kubelet/config.yaml:7}"));
    story.node.configs.clear();
    story.node.runtimes.push_back({.socket_path = Untrusted("/run/containerd/containerd.sock"),
                                   .component = "containerd",
                                   .name = Untrusted("containerd"),
                                   .version = Untrusted("1.6.20"),
                                   .api_version = "v1",
                                   .answered = true,
                                   .why_not = {}});
    const Verdict verdict = at(story.judge(), "/run/containerd/containerd.sock");
    EXPECT_EQ(verdict.confidence, "certain");
    EXPECT_THAT(words(verdict, "cri"), HasSubstr("it answered as containerd 1.6.20 (CRI v1)"));
}

RuntimeFacts facts_of(std::uint64_t socket_inode) {
    RuntimeFacts facts;
    facts.socket_path = Untrusted("/run/containerd/containerd.sock");
    facts.component = "containerd";
    facts.socket_inode = socket_inode;
    return facts;
}

TEST(UnixSockets, a_containerd_that_says_it_has_no_cri_has_none) {
    NodeStory story;
    story.containerd();
    story.kubelet();
    story.set(5714, "containerRuntimeEndpoint", "unix:///run/containerd/containerd.sock");
    const auto inode = story.listen_unix("/run/containerd/containerd.sock", 2685);
    EXPECT_EQ(summary(at(story.judge(), "/run/containerd/containerd.sock")), "cri-socket containerd certain");
    RuntimeFacts facts = facts_of(inode);
    facts.has_no_cri = true;
    facts.why_not = "it has no CRI service";
    story.node.runtimes = {facts};
    const Judgement judgement = story.judge();
    const Verdict& verdict = at(judgement, "/run/containerd/containerd.sock");
    EXPECT_EQ(summary(verdict), "containerd-api containerd certain");
    EXPECT_EQ(verdict.title, "containerd's API, without CRI");
    EXPECT_THAT(words(verdict, "cri"), HasSubstr("answered that it has no CRI service {/run/containerd"));
    EXPECT_THAT(words(verdict, "config"), HasSubstr("is told to use it as its CRI runtime, which it is not"));
    EXPECT_THAT(ruled_out(verdict, "cri-socket"), HasSubstr("no CRI service"));
    EXPECT_THAT(verdict.what_it_does, testing::Not(HasSubstr("kubelet asks here")));
    EXPECT_THAT(verdict.remedy, HasSubstr("ctr plugins ls"));
    story.node.runtimes.front().socket_inode = inode + 1000;
    EXPECT_EQ(summary(at(story.judge(), "/run/containerd/containerd.sock")), "cri-socket containerd certain")
        << "another socket's answer";
}

TEST(UnixSockets, a_runtime_that_does_not_answer_is_told_with_what_is_missing) {
    NodeStory story;
    story.containerd();
    const auto inode = story.listen_unix("/run/containerd/containerd.sock", 2685);
    story.listen("127.0.0.1:33821", 2685);
    RuntimeFacts facts = facts_of(inode);
    facts.why_not = "no answer within 300 ms";
    facts.waited_ms = 300;
    story.node.runtimes = {facts};
    const Judgement judgement = story.judge();
    const Verdict& verdict = at(judgement, "/run/containerd/containerd.sock");
    EXPECT_EQ(summary(verdict), "cri-socket containerd certain") << "its settings name it";
    EXPECT_THAT(words(verdict, "cri"),
                HasSubstr("it was asked and did not answer within 300 ms: names of pods are missing"));
    EXPECT_THAT(verdict.remedy, HasSubstr("ps -o stat,wchan -p 2685"));
    EXPECT_THAT(words(at(judgement, "127.0.0.1:33821"), "cri"),
                HasSubstr("containerd[2685] was asked and did not answer within 300 ms"));
}

TEST(UnixSockets, docker_sock_of_systemd_is_dockerds) {
    NodeStory story;
    story.process(1, R::unknown, "systemd");
    story.process(1186, R::dockerd, "dockerd", "20.10.2");
    story.set(1186, "hosts", "fd://", "/proc/1186/cmdline");
    const auto inode = story.listen_unix("/run/docker.sock", 1, 24, 5);
    story.own(inode, 1186, 4);
    story.node.socket_files.push_back({Untrusted("/run/docker.sock"), 24, 5});
    const Verdict verdict = at(story.judge(), "/run/docker.sock");
    EXPECT_EQ(summary(verdict), "docker-api dockerd certain");
    EXPECT_EQ(verdict.owners.at(0).process.pid, 1186U);
    EXPECT_EQ(verdict.owners.at(1).process.pid, 1U);
    EXPECT_THAT(words(verdict, "behaviour"), HasSubstr("process 1 holds it too: socket activation by systemd"));
    EXPECT_THAT(verdict.who_can_reach, HasSubstr("root on this node"));
}

TEST(UnixSockets, dockerds_own_sockets_are_known_below_another_exec_root) {
    NodeStory story;
    story.process(1186, R::dockerd, "dockerd", "20.10.2");
    story.set(1186, "exec-root", "/var/run/elsewhere/", "/proc/1186/cmdline");
    story.listen_unix("/run/elsewhere/metrics.sock", 1186);
    story.listen_unix("/run/elsewhere/libnetwork/1b8e.sock", 1186);
    story.listen_unix("/run/elsewhere2/metrics.sock", 1186);
    const auto judgement = story.judge();
    EXPECT_EQ(summary(at(judgement, "/run/elsewhere/metrics.sock")), "metrics dockerd certain");
    EXPECT_EQ(summary(at(judgement, "/run/elsewhere/libnetwork/1b8e.sock")), "docker-network dockerd certain");
    EXPECT_EQ(at(judgement, "/run/elsewhere2/metrics.sock").role, "unknown");
}

TEST(UnixSockets, sha256_is_that_of_the_standard) {
    EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    EXPECT_EQ(sha256_hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
              "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    EXPECT_EQ(sha256_hex(std::string(1'000'000, 'a')),
              "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(UnixSockets, a_shims_socket_has_the_name_that_its_arguments_predict) {
    NodeStory story;
    const std::string id(64, 'a');
    story.process(3001, R::containerd_shim, "containerd-shim", {},
                  {"shim", "-namespace", "k8s.io", "-id", id, "-address", "/run/containerd/containerd.sock"});
    const std::string path = "/run/containerd/s/" + sha256_hex("/run/containerd/containerd.sock/k8s.io/" + id);
    story.listen_unix(path, 3001);
    story.listen_unix("/run/containerd/s/" + std::string(64, '0'), 3001);
    const Judgement judgement = story.judge();
    EXPECT_EQ(summary(at(judgement, path)), "shim-socket containerd-shim certain");
    EXPECT_THAT(words(at(judgement, path), "config"), HasSubstr("/run/containerd/containerd.sock/k8s.io/aaaa"));
    EXPECT_EQ(at(judgement, path).short_why, "shim of aaaaaaaaaaaa");
    EXPECT_EQ(at(judgement, "/run/containerd/s/" + std::string(64, '0')).confidence, "medium");
}

TEST(UnixSockets, peers_are_named_with_inode_and_fd) {
    NodeStory story;
    story.kubelet(10107, "v1.18.9");
    story.process(1186, R::dockerd, "dockerd");
    story.listen_unix("/run/docker.sock", 1186);
    const auto inode = story.connect_unix("/run/docker.sock", 1186, 10107, 33);
    const auto half = story.connect_unix("/run/docker.sock", 1186, 10107, 34);
    // Only the client knows its peer.
    story.socket(story.socket(half).unix_peer_inode).unix_peer_inode = 0;
    // A connection to another file of the same name.
    story.connect_unix("/run/docker.sock", 1186, 10107, 35, 99, 99);
    const Verdict verdict = at(story.judge(), "/run/docker.sock");
    ASSERT_EQ(verdict.peers.size(), 2U);
    EXPECT_EQ(verdict.peers[0].process.pid, 10107U);
    EXPECT_EQ(verdict.peers[0].fd, 33U);
    EXPECT_EQ(verdict.peers[0].inode, inode);
    EXPECT_EQ(verdict.peers[1].inode, half);
}

TEST(UnixSockets, who_waits_to_be_accepted_is_a_peer) {
    NodeStory story;
    story.containerd();
    story.kubelet();
    const auto listener = story.listen_unix("/run/containerd/containerd.sock", 2685);
    story.listen_unix("/run/containerd/containerd.sock.ttrpc", 2685);
    const auto client = story.connect_unix("/run/elsewhere", 0, 5714, 33);
    story.socket(story.socket(client).unix_peer_inode).unix_peer_inode = 0;
    story.socket(client).unix_peer_inode = 0;
    story.socket(client).unix_waits_for = listener;
    const Judgement judgement = story.judge();
    const std::vector<Peer>& peers = at(judgement, "/run/containerd/containerd.sock").peers;
    ASSERT_EQ(peers.size(), 1U);
    EXPECT_EQ(peers[0].process.pid, 5714U);
    EXPECT_EQ(peers[0].inode, client);
    EXPECT_EQ(peers[0].fd, 33U);
    EXPECT_EQ(peers[0].state, "not accepted yet");
    EXPECT_TRUE(at(judgement, "/run/containerd/containerd.sock.ttrpc").peers.empty());
}

struct Away {
    BoundPath::State state;
    const char* now;  // empty: nowhere
    const char *title, *says, *remedy, *who;
};
TEST(UnixSockets, a_file_that_is_not_where_clients_look_for_it_is_a_finding) {
    using State = BoundPath::State;
    const std::string old = "/run/containerd/containerd.sock";
    for (const Away& each : {
             Away{State::nothing, "/run/containerd/moved.sock",
                  "containerd's CRI socket, moved away from /run/containerd/containerd.sock",
                  "lies at /run/containerd/moved.sock now; no file lies at /run/containerd/containerd.sock any more: "
                  "who dials that path fails",
                  "mv /run/containerd/moved.sock /run/containerd/containerd.sock", "processes of this node"},
             Away{State::other_file, "/run/containerd/moved.sock",
                  "containerd's CRI socket, moved away from /run/containerd/containerd.sock",
                  "is another one's (python3[7]): who dials that path reaches python3[7]", "look at what python3[7] is",
                  "processes of this node"},
             Away{State::nothing, "", "containerd's CRI socket, whose file is gone",
                  "no file lies at /run/containerd/containerd.sock any more, where containerd[2685] listens: who dials "
                  "that path fails",
                  "restart containerd[2685]", "nobody anew"},
             Away{State::other_file, "", "containerd's CRI socket, whose file was replaced",
                  "is another one's (python3[7]), where containerd[2685] listens", "look at what python3[7] is",
                  "nobody anew"},
         }) {
        NodeStory story;
        story.containerd();
        const auto inode = story.listen_unix(old, 2685, 24, 777);
        if (*each.now != '\0') story.node.socket_files.push_back({Untrusted(each.now), 24, 777});
        std::uint64_t other = 0;
        if (each.state == State::other_file) {
            story.process(7, R::unknown, "python3");
            other = story.listen_unix(old, 7, 24, 778);
            story.node.socket_files.push_back({Untrusted(old), 24, 778});
        }
        EXPECT_EQ(finding(story.judge(), "PRT-12"), nullptr)
            << "whether it is a mount namespace of its own is not known";
        story.node.bound_paths.push_back({inode, each.state});
        const Judgement judgement = story.judge();
        const auto verdict = std::find_if(judgement.verdicts.begin(), judgement.verdicts.end(),
                                          [&](const Verdict& v) { return v.inode == inode; });
        ASSERT_NE(verdict, judgement.verdicts.end());
        EXPECT_EQ(verdict->title, each.title);
        EXPECT_EQ(verdict->unix_path, *each.now != '\0' ? each.now : old);
        EXPECT_EQ(verdict->bound_path, *each.now != '\0' ? old : "");
        EXPECT_THAT(verdict->who_can_reach, HasSubstr(each.who));
        const Finding* told = finding(judgement, "PRT-12");
        ASSERT_NE(told, nullptr) << each.says;
        EXPECT_TRUE(is_about(*told, *verdict));
        EXPECT_THAT(told->says, HasSubstr(each.says));
        EXPECT_THAT(told->remedy, HasSubstr(each.remedy));
        ASSERT_EQ(finding(judgement, "PRT-13") != nullptr, other != 0);
        if (other == 0) continue;
        const auto stranger = std::find_if(judgement.verdicts.begin(), judgement.verdicts.end(),
                                           [&](const Verdict& v) { return v.inode == other; });
        ASSERT_NE(stranger, judgement.verdicts.end());
        EXPECT_EQ(summary(*stranger), "unknown  low");
        EXPECT_EQ(stranger->title, "a socket of python3[7] where containerd's CRI socket belongs");
        EXPECT_TRUE(is_about(*finding(judgement, "PRT-13"), *stranger));
        EXPECT_THAT(finding(judgement, "PRT-13")->says, HasSubstr("who dials it talks to python3[7]"));
    }
}

TEST(UnixSockets, a_file_that_was_renamed_on_purpose_or_lies_in_other_mounts_is_no_finding) {
    NodeStory story;
    story.containerd();
    const auto renamed = story.listen_unix("/run/containerd/tmp.sock", 2685, 24, 777);
    story.node.socket_files.push_back({Untrusted("/run/containerd/containerd.sock"), 24, 777});
    story.node.bound_paths.push_back({renamed, BoundPath::State::nothing});
    const auto inside = story.listen_unix("/run/containerd/containerd.sock.ttrpc", 2685, 24, 779);
    story.node.bound_paths.push_back({inside, BoundPath::State::own_mounts});
    const Judgement judgement = story.judge();
    EXPECT_TRUE(judgement.findings.empty()) << judgement.findings.front().says;
    EXPECT_EQ(at(judgement, "/run/containerd/containerd.sock").title, "containerd's CRI socket");
    EXPECT_THAT(words(at(judgement, "/run/containerd/containerd.sock.ttrpc"), "owner"),
                HasSubstr("in a mount namespace of its own"));
}

TEST(UnixSockets, a_stranger_that_answers_as_a_runtime_passes_on_what_it_is_asked) {
    NodeStory story;
    story.process(7, R::unknown, "socat");
    RuntimeFacts facts = facts_of(story.listen_unix("/run/containerd/containerd.sock", 7));
    facts.answered = true;
    story.node.runtimes = {facts};
    const Judgement judgement = story.judge();
    EXPECT_EQ(summary(at(judgement, "/run/containerd/containerd.sock")), "cri-socket containerd medium");
    ASSERT_NE(finding(judgement, "PRT-13"), nullptr);
    story.node.runtimes.clear();
    story.node.table.sockets.front().unix_local.path = "/home/me/containerd.sock";
    EXPECT_EQ(finding(story.judge(), "PRT-13"), nullptr) << "nobody looks for a runtime there";
}

TEST(UnixSockets, a_decoy_does_not_get_the_name) {
    NodeStory story;
    story.process(900, R::unknown, "containerd").role_doubt =
        "is named containerd, but its executable holds no such program";
    story.listen_unix("/run/containerd/containerd.sock", 900);
    const Judgement judgement = story.judge();
    EXPECT_EQ(summary(at(judgement, "/run/containerd/containerd.sock")), "unknown  low");
    EXPECT_NE(finding(judgement, "PRT-05"), nullptr);
}

}  // namespace
}  // namespace hopscope::chain::test
