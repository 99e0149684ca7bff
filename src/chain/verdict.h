// What a listening port or unix socket is, who owns it, how sure that is and why: the answer of `hopscope why`.
// Pure: a Node (survey) and, where a capture is at hand, a Model go in; verdicts come out.
//
// Confidence by a fixed rule (verdict_proof.h): certain = owner + (configuration that names this very port, or
// the process's only loopback listener that nothing else explains, or a CRI answer, or decoded traffic, or a probe), no
// contradiction; high = owner + behaviour + version rule; medium = owner + behaviour; low = owner only. A contradiction
// lowers by one.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "chain/model.h"
#include "core/node.h"

namespace hopscope::chain {

// A process on the other end of a connection or unix socket that is open now.
struct Peer {
    Process process;               // pid 0: not on this node, or not visible
    std::string process_role;      // "kubelet"
    std::optional<Endpoint> from;  // TCP
    std::uint64_t inode = 0;       // unix: of the peer's end
    std::uint32_t fd = 0;          // of the peer's end; 0 with pid 0: unknown
    std::string state;             // "established", "close-wait" …
    bool client_closed = false;    // TCP: the client has said that it sends no more, the server still holds its end
};

struct Owner {
    Process process;
    std::string process_role;  // "containerd"
    std::uint32_t fd = 0;
    std::string container_id;  // where the owner runs in one
    K8sNames k8s;
};

// An exec whose standard streams (FIFOs) a runtime holds open now.
struct OpenExec {
    std::string container_id, exec_id;
    K8sNames k8s;
};

struct Verdict {
    Transport transport = Transport::tcp;
    Endpoint local;          // TCP, UDP
    bool v6_only = false;    // takes no IPv4 though it listens on [::]
    std::string unix_path;   // hostile; shown by display(); empty for TCP
    std::string bound_path;  // hostile; where its file has moved away from; empty: it has not
    std::uint64_t inode = 0, net_namespace = 0;
    std::vector<Owner> owners;
    std::string role;        // "cri-streaming-server"; "unknown"
    std::string component;   // "containerd"
    std::string confidence;  // "certain" "high" "medium" "low"
    std::string reach;       // "loopback" "node" "pod-network" "world"
    std::string title;       // "containerd's CRI streaming server"
    // Paragraphs for `why`; empty where there is nothing to say.
    std::string what_it_does, why_this_port, why_404, who_can_reach, remedy;
    std::string short_why;           // for the table: "stream_server_port = 0: random"
    std::vector<Evidence> evidence;  // ids: owner config version behaviour traffic cri probe contradiction
    std::vector<RuledOut> ruled_out;
    std::vector<Peer> peers;
    std::vector<OpenExec> execs;        // of the owners, where the listener is the way to exec: which peer's is unknown
    std::vector<std::string> findings;  // codes; the findings stand in Judgement::findings
    std::uint64_t seen = 0;             // requests or upgrades in traffic
};

struct Judgement {
    std::vector<Verdict> verdicts;  // listeners, sorted: components' first, TCP before unix, by port or path
    std::vector<Finding> findings;  // PRT-…, KUB-…; each named by one verdict or by none (a process left behind)
};

// `traffic` may be nullptr. Sockets of processes without a role are judged too ("unknown", low, with their owner).
Judgement judge(const Node& node, const Model* traffic);

ListenerId id_of(const Verdict& verdict);
// Is the finding about this listener?  Listeners of one node may have the same code.
bool is_about(const Finding& finding, const Verdict& verdict);

// The port of a report and of JSON (`ports[]`).
PortFact port_fact(const Verdict& verdict);

}  // namespace hopscope::chain
