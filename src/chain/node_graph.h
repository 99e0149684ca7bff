// Processes and the sockets between them, as a graph: the answer of `hopscope graph`.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "chain/verdict.h"
#include "core/node.h"

namespace hopscope::chain {

struct GraphNode {
    enum class Kind : std::uint8_t { process, listener, remote, exec } kind{};
    std::string id;   // stable within a document: "p2685", "l127.0.0.1:33821", "r10.0.0.2", "x" and the exec's id
    Process process;  // process
    std::string process_role;
    K8sNames k8s;  // process in a container, exec
    std::string container_id;
    std::string label;             // hostile where it holds a path: show through display()
    std::string role, confidence;  // listener
};

struct GraphEdge {
    enum class Kind : std::uint8_t { listens, connected, parent, serves } kind{};
    std::string from, to;     // GraphNode::id
    std::string says;         // "unix, inode 157937 and 157387", "10.0.0.2:37870 to :10250, established"
    std::uint32_t count = 1;  // equal connections are one edge
    Grade grade = Grade::decoded;
};

struct Graph {
    std::vector<GraphNode> nodes;  // sorted by id
    std::vector<GraphEdge> edges;
};

struct GraphChoice {
    bool all = false;  // every process that has a socket with a peer; else component processes
    // Null: all of those. Else the listeners that it is true of, whoever holds them, what is joined with one of them,
    // and the edges among these. Asked once of each listener.
    std::function<bool(const Verdict&)> listeners = nullptr;
};

// Component processes, their listeners, peers and shims, as chosen.
Graph make_graph(const Node& node, const Judgement& judgement, const GraphChoice& choice);

}  // namespace hopscope::chain
