// What three real nodes' sockets say, as ss told it (testdata/snapshots): who listens, and who is at the other end. The
// expected rows were read off the text by eye.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "chain/node_graph.h"
#include "chain/verdict.h"
#include "importer.h"

namespace hopscope::test {
namespace {

using chain::Graph;
using chain::GraphEdge;
using chain::GraphNode;
using chain::Judgement;
using chain::Peer;
using chain::Verdict;
using testing::IsEmpty;
using testing::UnorderedElementsAreArray;

const Verdict* verdict_of(const Judgement& judgement, const std::string& place) {
    for (const Verdict& verdict : judgement.verdicts)
        if ((verdict.unix_path.empty() ? to_string(verdict.local) : verdict.unix_path) == place) return &verdict;
    return nullptr;
}

// "kubelet[8483] fd 7 inode 115781", "crictl[16757] fd 7 from 127.0.0.1:37626 established"
std::string peer_text(const Peer& peer) {
    std::string text = peer.process.pid == 0 ? "nobody"
                                             : peer.process.comm.raw() + "[" + std::to_string(peer.process.pid) +
                                                   "] fd " + std::to_string(peer.fd);
    if (peer.from) return text + " from " + to_string(*peer.from) + " " + peer.state;
    return text + " inode " + std::to_string(peer.inode);
}

struct Listener {
    const char* snapshot;
    const char* place;
    const char* role;  // "": not of a node's component
    std::uint32_t pid, fd;
    std::uint64_t inode;  // 0: the snapshot does not tell
    std::vector<std::string> peers;
};
std::ostream& operator<<(std::ostream& out, const Listener& one) { return out << one.snapshot << " " << one.place; }

class Snapshot : public testing::TestWithParam<Listener> {};

TEST_P(Snapshot, listener_has_its_owner_and_every_peer) {
    const Listener& want = GetParam();
    const Judgement judgement = chain::judge(import_snapshot(want.snapshot), nullptr);
    const Verdict* verdict = verdict_of(judgement, want.place);
    ASSERT_NE(verdict, nullptr);
    if (*want.role != '\0') EXPECT_EQ(verdict->role, want.role);
    ASSERT_EQ(verdict->owners.size(), 1U);
    EXPECT_EQ(verdict->owners[0].process.pid, want.pid);
    EXPECT_EQ(verdict->owners[0].fd, want.fd);
    EXPECT_EQ(verdict->inode, want.inode);
    std::vector<std::string> peers;
    for (const Peer& peer : verdict->peers) peers.push_back(peer_text(peer));
    EXPECT_THAT(peers, UnorderedElementsAreArray(want.peers));
}

INSTANTIATE_TEST_SUITE_P(
    Table, Snapshot,
    testing::Values(
        Listener{"kubelet",
                 "/run/cri/kubelet/containerd/containerd.sock",
                 "cri-socket",
                 23784,
                 11,
                 56008,
                 {"kubelet[8483] fd 7 inode 115781", "kubelet[8483] fd 8 inode 115784"}},
        Listener{"kubelet",
                 "/run/cri/kubelet/containerd/containerd.sock.ttrpc",
                 "containerd-ttrpc",
                 23784,
                 9,
                 56005,
                 {"containerd-shim[8052] fd 14 inode 112463", "containerd-shim[8024] fd 14 inode 113891"}},
        Listener{"kubelet",
                 "/run/containerd/s/352222ae7a4627612dcdfc9504f23db4fba954750bad6fc64d46b78b94abdc28",
                 "shim-socket",
                 8024,
                 12,
                 112364,
                 {"containerd[23784] fd 20 inode 113792", "containerd[23784] fd 41 inode 112570"}},
        Listener{"kubelet",
                 "/run/containerd/s/d947725f6d9f52606c93299bbcd9c82f38f962dc3215078ff1ba9fb842cbc7e4",
                 "shim-socket",
                 8052,
                 12,
                 112368,
                 {"containerd[23784] fd 21 inode 112372", "containerd[23784] fd 49 inode 114746",
                  "containerd[23784] fd 31 inode 112500"}},
        Listener{"kubelet", "/var/lib/kubelet/device-plugins/kubelet.sock", "device-plugin", 8483, 22, 116783, {}},
        Listener{"kubelet",
                 "127.0.0.1:34771",
                 "cri-streaming-server",
                 23784,
                 13,
                 54122,
                 {"kubelet[8483] fd 24 from 127.0.0.1:35556 established"}},
        Listener{"kubelet",
                 "[::]:10250",
                 "kubelet-api",
                 8483,
                 15,
                 116755,
                 {"miniapi[9043] fd 11 from 127.0.0.1:49640 established"}},
        Listener{"kubelet", "[::]:10255", "kubelet-read-only", 8483, 16, 116757, {}},
        Listener{"kubelet", "127.0.0.1:10248", "kubelet-healthz", 8483, 12, 115787, {}},
        Listener{"kubelet",
                 "127.0.0.1:8001",
                 "",
                 9043,
                 7,
                 0,
                 {"kubectl.1.27[29594] fd 3 from 127.0.0.1:46590 established",
                  "kubectl.1.27[29594] fd 7 from 127.0.0.1:46600 established"}},
        Listener{"containerd",
                 "/run/cri/containerd/run/containerd.sock",
                 "cri-socket",
                 9611,
                 11,
                 23862,
                 {"crictl[16756] fd 3 inode 182387", "crictl[16757] fd 3 inode 181956",
                  "crictl[16758] fd 3 inode 182386", "crictl[16873] fd 3 inode 182464"}},
        Listener{"containerd",
                 "/run/cri/containerd/run/containerd.sock.ttrpc",
                 "containerd-ttrpc",
                 9611,
                 9,
                 23859,
                 {"containerd-shim[19216] fd 14 inode 42735"}},
        Listener{"containerd",
                 "/run/containerd/s/0b13ad501941bd68207f60f6f14aa3e69e3dc7dabf55727b24ff5a64957270a6",
                 "shim-socket",
                 19216,
                 12,
                 42682,
                 {"containerd[9611] fd 17 inode 42686", "containerd[9611] fd 26 inode 42751",
                  "containerd[9611] fd 36 inode 43522", "containerd[9611] fd 46 inode 42866"}},
        Listener{"containerd",
                 "127.0.0.1:42313",
                 "cri-streaming-server",
                 9611,
                 12,
                 23860,
                 {"crictl[16757] fd 7 from 127.0.0.1:37626 established",
                  "crictl[16756] fd 7 from 127.0.0.1:37638 established",
                  "crictl[16758] fd 7 from 127.0.0.1:37652 established",
                  "crictl[16873] fd 7 from 127.0.0.1:37656 established"}},
        Listener{"docker",
                 "127.0.0.1:43821",
                 "cri-streaming-server",
                 10579,
                 8,
                 399557,
                 {"crictl125[12257] fd 7 from 127.0.0.1:33930 established",
                  "crictl125[12258] fd 7 from 127.0.0.1:33946 established", "nobody from 127.0.0.1:49868 close-wait",
                  "nobody from 127.0.0.1:38588 close-wait"}}));

TEST(Snapshots, a_client_that_died_is_found_on_cri_dockerds_port) {
    const Judgement judgement = chain::judge(import_snapshot("docker"), nullptr);
    const Verdict* verdict = verdict_of(judgement, "127.0.0.1:43821");
    ASSERT_NE(verdict, nullptr);
    EXPECT_EQ(verdict->component, "cri-dockerd");
    const bool found =
        std::any_of(judgement.findings.begin(), judgement.findings.end(), [&](const chain::Finding& finding) {
            return finding.says.find("CLOSE-WAIT") != std::string::npos &&
                   std::count(verdict->findings.begin(), verdict->findings.end(), finding.code) != 0;
        });
    EXPECT_TRUE(found) << "two connections in CLOSE-WAIT";
}

// Every pair of processes that ss shows at the two ends of a unix socket, from the text's inodes alone.
std::set<std::set<std::uint32_t>> pairs_of(const Node& node) {
    std::set<std::set<std::uint32_t>> pairs;
    for (const Socket& one : node.table.sockets)
        for (const Socket& other : node.table.sockets)
            if (one.unix_peer_inode != 0 && one.unix_peer_inode == other.inode && other.unix_peer_inode == one.inode)
                for (const SocketOwner& a : one.owners)
                    for (const SocketOwner& b : other.owners)
                        if (a.process.pid != b.process.pid) pairs.insert({a.process.pid, b.process.pid});
    return pairs;
}

// The same of a graph: processes joined by an edge, or by a listener between them.
std::set<std::set<std::uint32_t>> pairs_of(const Graph& graph) {
    const auto pids = [&](const std::string& id) {
        std::set<std::uint32_t> found;
        for (const GraphNode& node : graph.nodes)
            if (node.id == id && node.kind == GraphNode::Kind::process) found.insert(node.process.pid);
        for (const GraphEdge& edge : graph.edges)
            if (edge.to == id && edge.kind == GraphEdge::Kind::listens)
                for (const GraphNode& node : graph.nodes)
                    if (node.id == edge.from) found.insert(node.process.pid);
        return found;
    };
    std::set<std::set<std::uint32_t>> pairs;
    for (const GraphEdge& edge : graph.edges)
        if (edge.kind == GraphEdge::Kind::connected || edge.kind == GraphEdge::Kind::serves)
            for (const std::uint32_t a : pids(edge.from))
                for (const std::uint32_t b : pids(edge.to))
                    if (a != b && edge.says.find("unix") != std::string::npos) pairs.insert({a, b});
    return pairs;
}

class Graphs : public testing::TestWithParam<const char*> {};

TEST_P(Graphs, join_exactly_the_processes_that_ss_joins) {
    const Node node = import_snapshot(GetParam());
    const std::set<std::set<std::uint32_t>> want = pairs_of(node);
    EXPECT_GE(want.size(), 3U);
    EXPECT_EQ(pairs_of(chain::make_graph(node, chain::judge(node, nullptr), {.all = true})), want);
}
INSTANTIATE_TEST_SUITE_P(All, Graphs, testing::Values("kubelet", "containerd", "docker"));

TEST(Graphs, name_both_inodes_of_a_connection) {
    const Node node = import_snapshot("kubelet");
    const Graph graph = chain::make_graph(node, chain::judge(node, nullptr), {.all = false});
    const auto edge = std::find_if(graph.edges.begin(), graph.edges.end(), [](const GraphEdge& each) {
        return each.kind == GraphEdge::Kind::connected && each.from == "p8483" &&
               each.says.find("unix") != std::string::npos;
    });
    ASSERT_NE(edge, graph.edges.end());
    const bool first = edge->says.find("115781") != std::string::npos && edge->says.find("115782") != std::string::npos;
    const bool second =
        edge->says.find("115784") != std::string::npos && edge->says.find("115785") != std::string::npos;
    EXPECT_TRUE(first || second) << edge->says;
}

TEST(Snapshots, give_the_same_whatever_the_order_of_sockets) {
    for (const char* name : {"kubelet", "containerd", "docker"}) {
        Node node = import_snapshot(name);
        const auto told = [&] {
            std::vector<std::string> lines;
            for (const Verdict& verdict : chain::judge(node, nullptr).verdicts) {
                lines.push_back(verdict.title + " " + verdict.confidence + " " + std::to_string(verdict.inode));
                for (const Peer& peer : verdict.peers) lines.push_back(peer_text(peer));
            }
            return lines;
        };
        const std::vector<std::string> before = told();
        EXPECT_GE(before.size(), 4U);
        std::reverse(node.table.sockets.begin(), node.table.sockets.end());
        EXPECT_EQ(told(), before) << name;
    }
}

}  // namespace
}  // namespace hopscope::test
