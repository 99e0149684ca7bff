// Processes and the sockets between them.
#include "chain/node_graph.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "node_story.h"

namespace hopscope::chain::test {
namespace {

using R = ProcessRole;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;

std::vector<std::string> edges(const Graph& graph) {
    static constexpr const char* kKinds[] = {"listens", "connected", "parent", "serves"};
    std::vector<std::string> all;
    for (const GraphEdge& edge : graph.edges)
        all.push_back(edge.from + " " + kKinds[static_cast<int>(edge.kind)] + " " + edge.to + " x" +
                      std::to_string(edge.count));
    return all;
}
std::string ids(const Graph& graph) {
    std::string all;
    for (const GraphNode& node : graph.nodes) all += node.id + " ";
    return all;
}
std::string says(const Graph& graph, std::string_view from, std::string_view to) {
    for (const GraphEdge& edge : graph.edges)
        if (edge.from == from && edge.to == to && edge.kind != GraphEdge::Kind::parent) return edge.says;
    return {};
}

NodeStory node_with_pod() {
    NodeStory story;
    story.containerd();
    story.kubelet();
    const std::string sandbox(64, 'a');
    const std::string container(64, 'b');
    auto& shim = story.process(17784, R::containerd_shim, "containerd-shim-runc-v2", {},
                               {"/usr/bin/containerd-shim-runc-v2", "-namespace", "k8s.io", "-id", sandbox, "-address",
                                "/run/containerd/containerd.sock"});
    shim.parent_pid = 1;
    auto& shell = story.process(17801, R::in_container, "sh");
    shell.parent_pid = 17784;
    shell.container_id = Untrusted(container);
    story.container(container, "nginx", sandbox);
    story.process(99, R::unknown, "nginx");
    story.listen("127.0.0.1:33821", 2685, 11);
    story.listen("*:10250", 5714, 12);
    story.listen("*:80", 99);
    story.listen_unix("/run/containerd/containerd.sock", 2685);
    story.connect_unix("/run/containerd/containerd.sock", 2685, 5714, 33);
    story.end("127.0.0.1:33821", "127.0.0.1:54766", 2685, 21);
    story.end("127.0.0.1:54766", "127.0.0.1:33821", 5714, 22);
    story.end("10.0.0.5:10250", "10.0.0.2:37870", 5714, 23);
    story.end("10.0.0.5:10250", "10.0.0.2:37902", 5714, 24);
    story.end("10.0.0.5:40000", "10.0.0.2:6443", 5714, 25);
    story.end("10.0.0.5:80", "10.0.0.9:50000", 99, 26);
    return story;
}

TEST(NodeGraph, joins_processes_listeners_peers_and_shims) {
    const NodeStory story = node_with_pod();
    const Graph graph = make_graph(story.node, story.judge(), {.all = false});
    EXPECT_EQ(ids(graph),
              "l*:10250 l/run/containerd/containerd.sock l127.0.0.1:33821 p17784 p17801 p2685 p5714 r10.0.0.2 ");
    EXPECT_THAT(edges(graph),
                testing::UnorderedElementsAre("p2685 listens l/run/containerd/containerd.sock x1",
                                              "p2685 listens l127.0.0.1:33821 x1", "p5714 listens l*:10250 x1",
                                              "p5714 connected l/run/containerd/containerd.sock x1",
                                              "p5714 connected l127.0.0.1:33821 x1", "r10.0.0.2 connected l*:10250 x2",
                                              "p5714 connected r10.0.0.2 x1", "p2685 serves p17784 x1",
                                              "p17784 serves p17801 x1", "p17784 parent p17801 x1"));
    EXPECT_THAT(says(graph, "p2685", "p17784"), HasSubstr("-address /run/containerd/containerd.sock"));
    EXPECT_EQ(says(graph, "r10.0.0.2", "l*:10250"), "10.0.0.2 to :10250, established");
    EXPECT_EQ(says(graph, "p17784", "p17801"), "container bbbbbbbbbbbb by its cgroup, in sandbox aaaaaaaaaaaa");
    for (const GraphNode& node : graph.nodes) {
        if (node.id == "l127.0.0.1:33821") EXPECT_EQ(node.role + " " + node.confidence, "cri-streaming-server certain");
        if (node.id == "p17801") EXPECT_EQ(node.k8s.pod.raw(), "web-0");
    }
}

TEST(NodeGraph, running_execs_hang_at_who_holds_their_fifos) {
    NodeStory story = node_with_pod();
    story.node.execs.push_back({.container_id = std::string(64, 'b'),
                                .exec_id = Untrusted(std::string(64, 'e')),
                                .holders = {{ProcessId{2685, 268500}, 41}, {ProcessId{2685, 268500}, 40}}});
    story.node.execs.push_back({.container_id = std::string(64, 'b'), .exec_id = Untrusted("nobody's"), .holders = {}});
    const Graph graph = make_graph(story.node, story.judge(), {.all = false});
    const std::string id = "x" + std::string(64, 'e');
    EXPECT_THAT(edges(graph), Contains("p2685 serves " + id + " x1"));
    EXPECT_EQ(says(graph, "p2685", id), "holds its FIFOs, fd 40");
    EXPECT_THAT(ids(graph), Not(HasSubstr("nobody")));
    for (const GraphNode& node : graph.nodes) {
        if (node.id != id) continue;
        EXPECT_EQ(node.kind, GraphNode::Kind::exec);
        EXPECT_EQ(node.label, "exec eeeeeeeeeeee");
        EXPECT_EQ(node.k8s.pod.raw(), "web-0");
    }
}

TEST(NodeGraph, shows_others_only_when_asked) {
    const NodeStory story = node_with_pod();
    EXPECT_THAT(ids(make_graph(story.node, story.judge(), {.all = false})), Not(HasSubstr("p99 ")));
    const Graph all = make_graph(story.node, story.judge(), {.all = true});
    EXPECT_THAT(ids(all), HasSubstr("p99 "));
    EXPECT_THAT(edges(all), Contains("r10.0.0.9 connected l*:80 x1"));
}

TEST(NodeGraph, chosen_listeners_come_with_what_is_joined_with_them) {
    const NodeStory story = node_with_pod();
    const auto of_port = [](std::uint16_t port) {
        return [port](const Verdict& verdict) { return verdict.local.port == port; };
    };
    const Graph streaming = make_graph(story.node, story.judge(), {.listeners = of_port(33821)});
    EXPECT_EQ(ids(streaming), "l127.0.0.1:33821 p2685 p5714 ");
    EXPECT_THAT(edges(streaming),
                testing::UnorderedElementsAre("p2685 listens l127.0.0.1:33821 x1",
                                              "p5714 connected l127.0.0.1:33821 x1", "p5714 connected p2685 x1"));
    // Whoever holds it.
    EXPECT_EQ(ids(make_graph(story.node, story.judge(), {.listeners = of_port(80)})), "l*:80 p99 r10.0.0.9 ");
    EXPECT_EQ(ids(make_graph(story.node, story.judge(), {.listeners = of_port(9)})), "");
    int asked = 0;
    make_graph(story.node, story.judge(), {.listeners = [&](const Verdict&) { return ++asked == 0; }});
    EXPECT_EQ(asked, static_cast<int>(story.judge().verdicts.size()));
}

TEST(NodeGraph, a_shim_of_another_containerd_is_not_taken_by_its_parent) {
    NodeStory story = node_with_pod();
    for (auto& process : story.node.table.processes)
        if (process.id.pid == 17784) {
            process.parent_pid = 2685;
            process.cmdline.back() = Untrusted("/run/docker/containerd/containerd.sock");
        }
    const Graph graph = make_graph(story.node, story.judge(), {.all = false});
    EXPECT_THAT(edges(graph), Not(Contains("p2685 serves p17784 x1")));
    EXPECT_THAT(edges(graph), Contains("p2685 parent p17784 x1"));
}

TEST(NodeGraph, does_not_depend_on_the_order_of_the_table) {
    NodeStory story = node_with_pod();
    const auto want = edges(make_graph(story.node, story.judge(), {.all = true}));
    std::mt19937 random(7);
    for (int round = 0; round < 10; ++round) {
        std::shuffle(story.node.table.sockets.begin(), story.node.table.sockets.end(), random);
        std::shuffle(story.node.table.processes.begin(), story.node.table.processes.end(), random);
        ASSERT_EQ(edges(make_graph(story.node, story.judge(), {.all = true})), want);
    }
}

TEST(NodeGraph, every_edge_has_both_its_ends) {
    const NodeStory story = node_with_pod();
    for (const bool all : {false, true}) {
        const Graph graph = make_graph(story.node, story.judge(), {.all = all});
        for (const GraphEdge& edge : graph.edges)
            for (const std::string& end : {edge.from, edge.to})
                EXPECT_TRUE(std::any_of(graph.nodes.begin(), graph.nodes.end(), [&](const GraphNode& node) {
                    return node.id == end;
                })) << end;
    }
}

}  // namespace
}  // namespace hopscope::chain::test
