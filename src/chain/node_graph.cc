#include "chain/node_graph.h"

#include <algorithm>
#include <map>
#include <unordered_map>
#include <unordered_set>

#include "chain/node_index.h"
#include "core/limits.h"

namespace hopscope::chain {
namespace {

std::string process_id(std::uint32_t pid) { return "p" + std::to_string(pid); }

class Maker {
public:
    Maker(const Node& node, const Judgement& judgement, const GraphChoice& choice)
        : index_(node), judgement_(judgement), choice_(choice) {
        for (const Socket& socket : node.table.sockets)
            if (is_unix(socket.transport) && socket.inode != 0) unix_by_inode_.emplace(socket.inode, &socket);
    }

    Graph make() {
        for (const hopscope::Process& process : index_.node().table.processes)
            if (is_component(process.role)) add_process(process.id.pid);
        name_listeners();
        for (std::size_t i = 0; i < judgement_.verdicts.size(); ++i) add_listener(i);
        add_outgoing();
        add_unix_pairs();
        add_shims();
        add_execs();
        add_parents();
        return take();
    }

private:
    // Listeners of other namespaces, and sockets that share a place, need more than the place to tell them apart.
    void name_listeners() {
        std::map<std::string, int> used;
        for (const Verdict& verdict : judgement_.verdicts) {
            std::string id =
                "l" + (is_unix(verdict.transport)
                           ? (verdict.unix_path.empty() ? "unix:" + std::to_string(verdict.inode)
                                                        : elide_middle(display(verdict.unix_path), kShownColumns))
                           : listening_place(verdict.local, verdict.v6_only));
            if (verdict.transport == Transport::udp) id += "/udp";
            if (used[id]++ > 0) id += "#" + std::to_string(verdict.inode);
            listener_ids_.push_back(std::move(id));
        }
    }

    bool add_process(std::uint32_t pid) {
        if (pid == 0) return false;
        if (nodes_.contains(process_id(pid))) return true;
        const Owner owner = index_.owner({ProcessId{pid, 0}, 0});
        GraphNode node;
        node.kind = GraphNode::Kind::process;
        node.id = process_id(pid);
        node.process = owner.process;
        node.process_role = owner.process_role;
        node.k8s = owner.k8s;
        node.container_id = owner.container_id;
        node.label = owner.process.comm.empty() ? "process[" + std::to_string(pid) + "]"
                                                : owner.process.comm.raw() + "[" + std::to_string(pid) + "]";
        nodes_.emplace(node.id, std::move(node));
        return true;
    }

    void add_listener(std::size_t i) {
        const Verdict& verdict = judgement_.verdicts[i];
        const bool component = !verdict.owners.empty() && is_component_role(verdict.owners.front());
        const bool with_peers = !verdict.peers.empty();
        if (choice_.listeners) {
            if (!choice_.listeners(verdict)) return;
        } else if (!component && verdict.component.empty() && !(choice_.all && with_peers)) {
            return;
        }
        const std::string& id = listener_ids_[i];
        chosen_.insert(id);
        GraphNode node;
        node.kind = GraphNode::Kind::listener;
        node.id = id;
        node.label = is_unix(verdict.transport) ? verdict.unix_path : id.substr(1);
        node.role = verdict.role;
        node.confidence = verdict.confidence;
        nodes_.emplace(id, std::move(node));
        for (const Owner& owner : verdict.owners)
            if (add_process(owner.process.pid))
                add_edge(GraphEdge::Kind::listens, process_id(owner.process.pid), id, "fd " + std::to_string(owner.fd),
                         Grade::decoded);
        for (const Peer& peer : verdict.peers) {
            if (peer.process.pid != 0) {
                add_process(peer.process.pid);
                add_edge(GraphEdge::Kind::connected, process_id(peer.process.pid), id, words_of(peer, verdict),
                         Grade::decoded);
            } else if (peer.from) {
                add_edge(GraphEdge::Kind::connected, add_remote(peer.from->address), id, words_of(peer, verdict),
                         Grade::decoded);
            }
        }
    }

    bool is_component_role(const Owner& owner) const {
        const hopscope::Process* process = index_.process(owner.process.pid);
        return process && is_component(process->role);
    }

    std::string words_of(const Peer& peer, const Verdict& verdict) {
        if (is_unix(verdict.transport)) {
            shown_.insert(peer.inode);
            const auto end = unix_by_inode_.find(peer.inode);
            if (end == unix_by_inode_.end()) return unix_words(peer.inode, 0);
            return unix_words(peer.inode, end->second->unix_peer_inode) +
                   (end->second->unix_waits_for == 0 ? "" : ", not accepted yet");
        }
        // Without the client's port equal connections become one edge.
        return (peer.from ? to_string(peer.from->address) : "") + " to :" + std::to_string(verdict.local.port) + ", " +
               peer.state;
    }

    static std::string unix_words(std::uint64_t inode, std::uint64_t peer) {
        return "unix, inode " + std::to_string(inode) + (peer == 0 ? "" : " and " + std::to_string(peer));
    }

    // Connected unix sockets whose listener is not there: it was closed, or they are a pair that was passed on.
    void add_unix_pairs() {
        for (const Socket& socket : index_.node().table.sockets) {
            if (!is_unix(socket.transport) || socket.state == SocketState::listen || socket.owners.empty()) continue;
            const Socket* other = index_.other_end(socket);
            if (!other || other->owners.empty() || shown_.contains(socket.inode) || shown_.contains(other->inode))
                continue;
            // One edge for both ends, from the client: the server's end carries the name.
            if (std::pair(socket.unix_local.path.empty() ? 0 : 1, socket.inode) >
                std::pair(other->unix_local.path.empty() ? 0 : 1, other->inode))
                continue;
            const hopscope::Process* from = index_.main_owner(socket);
            const hopscope::Process* to = index_.main_owner(*other);
            if (!from || !to || from->id.pid == to->id.pid) continue;
            if (!choice_.all && !is_component(from->role) && !is_component(to->role)) continue;
            add_process(from->id.pid);
            add_process(to->id.pid);
            add_edge(GraphEdge::Kind::connected, process_id(from->id.pid), process_id(to->id.pid),
                     unix_words(socket.inode, other->inode), Grade::decoded);
        }
    }

    std::string add_remote(const IpAddress& address) {
        GraphNode node;
        node.kind = GraphNode::Kind::remote;
        node.id = "r" + to_string(address);
        node.label = to_string(address);
        std::string id = node.id;
        nodes_.emplace(id, std::move(node));
        return id;
    }

    // Connections of components to other hosts, and of anybody with `all`.
    void add_outgoing() {
        for (const Socket& socket : index_.node().table.sockets) {
            if (socket.transport != Transport::tcp || !is_open(socket.state) || socket.owners.empty()) continue;
            const hopscope::Process* owner = index_.main_owner(socket);
            if (!owner || (!choice_.all && !is_component(owner->role)) || index_.other_end(socket)) continue;
            if (is_served_here(socket)) continue;
            add_process(owner->id.pid);
            add_edge(GraphEdge::Kind::connected, process_id(owner->id.pid), add_remote(socket.remote.address),
                     "to " + to_string(socket.remote) + ", " + std::string(to_string(socket.state)), Grade::decoded);
        }
    }

    // The server's end of a connection is shown at its listener.
    bool is_served_here(const Socket& socket) {
        if (served_.empty())
            for (const Socket* listener : index_.listeners())
                if (listener->transport == Transport::tcp)
                    served_[{listener->net_namespace, listener->local.port}] = true;
        return served_.contains({socket.net_namespace, socket.local.port}) || socket.remote.address.is_loopback();
    }

    // containerd and its shims: by the shim's argument that names containerd's socket. Never by the parent's pid: a
    // shim outlives its containerd, and its parent is then another process.
    void add_shims() {
        std::map<std::string, std::uint32_t> by_path;
        for (const Verdict& verdict : judgement_.verdicts)
            if (is_unix(verdict.transport) && !verdict.owners.empty())
                by_path.emplace(normal_path(verdict.unix_path), verdict.owners.front().process.pid);
        std::map<std::string, std::uint32_t, std::less<>> by_shim_id;
        for (const hopscope::Process& process : index_.node().table.processes) {
            if (process.role != ProcessRole::containerd_shim) continue;
            add_process(process.id.pid);
            const std::string address = normal_path(argument_of(process, "address"));
            const auto server = by_path.find(address);
            if (!address.empty() && server != by_path.end()) {
                add_process(server->second);
                add_edge(GraphEdge::Kind::serves, process_id(server->second), process_id(process.id.pid),
                         "shim started with -address " + elide_middle(display(address), kShownColumns), Grade::decoded);
            }
            if (const std::string_view id = argument_of(process, "id"); !id.empty())
                by_shim_id.emplace(std::string(id), process.id.pid);
        }
        for (const hopscope::Process& process : index_.node().table.processes) {
            if (process.container_id.empty() || process.role == ProcessRole::containerd_shim) continue;
            const auto [shim, says] = shim_of(process, by_shim_id);
            if (shim == 0 || shim == process.id.pid) continue;
            add_process(process.id.pid);
            add_edge(GraphEdge::Kind::serves, process_id(shim), process_id(process.id.pid), says, Grade::decoded);
        }
    }

    // By container id: its own shim, or that of its pod's sandbox.
    std::pair<std::uint32_t, std::string> shim_of(
        const hopscope::Process& process, const std::map<std::string, std::uint32_t, std::less<>>& by_shim_id) const {
        const std::string& id = process.container_id.raw();
        const std::string shown = display(std::string_view(id).substr(0, 12));
        if (const auto own = by_shim_id.find(id); own != by_shim_id.end())
            return {own->second, "container " + shown + " by its cgroup"};
        const ContainerNames* names = index_.container(id);
        if (!names || names->sandbox_id.empty()) return {0, {}};
        const auto sandbox = by_shim_id.find(names->sandbox_id);
        if (sandbox == by_shim_id.end()) return {0, {}};
        return {sandbox->second,
                "container " + shown + " by its cgroup, in sandbox " + display(names->sandbox_id.substr(0, 12))};
    }

    // Which process an exec is cannot be told from its FIFOs: who holds them is.
    void add_execs() {
        for (const RunningExec& exec : index_.node().execs) {
            GraphNode node;
            node.kind = GraphNode::Kind::exec;
            node.id = "x" + display(exec.exec_id);
            node.label = "exec " + display(std::string_view(exec.exec_id.raw()).substr(0, 12));
            node.container_id = exec.container_id;
            node.k8s = index_.names_of(exec.container_id);
            std::map<std::uint32_t, std::uint32_t> holders;  // pid to its first descriptor
            for (const SocketOwner& holder : exec.holders) {
                const auto [known, is_new] = holders.try_emplace(holder.process.pid, holder.fd);
                if (!is_new) known->second = std::min(known->second, holder.fd);
            }
            for (const auto& [pid, fd] : holders)
                if (add_process(pid))
                    add_edge(GraphEdge::Kind::serves, process_id(pid), node.id,
                             "holds its FIFOs, fd " + std::to_string(fd), Grade::decoded);
            if (!holders.empty()) nodes_.emplace(node.id, std::move(node));
        }
    }

    void add_parents() {
        for (const hopscope::Process& process : index_.node().table.processes) {
            const std::string id = process_id(process.id.pid);
            const std::string parent = process_id(process.parent_pid);
            if (process.parent_pid <= 1 || !nodes_.contains(id) || !nodes_.contains(parent)) continue;
            add_edge(GraphEdge::Kind::parent, parent, id, "parent", Grade::decoded);
        }
    }

    void add_edge(GraphEdge::Kind kind, std::string from, std::string to, std::string says, Grade grade) {
        if (edges_.size() >= limits::kGraphEdgesMax) return;
        ++edges_[{std::move(from), std::move(to), kind, std::move(says), grade}];
    }

    // Leaves the chosen listeners and what is joined with one of them.
    void leave_chosen() {
        std::unordered_set<std::string> kept = chosen_;
        for (const auto& [key, count] : edges_) {
            const std::string &from = std::get<0>(key), &to = std::get<1>(key);
            if (chosen_.contains(from)) kept.insert(to);
            if (chosen_.contains(to)) kept.insert(from);
        }
        std::erase_if(nodes_, [&](const auto& each) { return !kept.contains(each.first); });
        std::erase_if(edges_, [&](const auto& each) {
            return !kept.contains(std::get<0>(each.first)) || !kept.contains(std::get<1>(each.first));
        });
    }

    Graph take() {
        if (choice_.listeners) leave_chosen();
        Graph graph;
        for (auto& [id, node] : nodes_) graph.nodes.push_back(std::move(node));
        for (const auto& [key, count] : edges_) {
            const auto& [from, to, kind, says, grade] = key;
            GraphEdge edge;
            edge.kind = kind;
            edge.from = from;
            edge.to = to;
            edge.says = says;
            edge.count = count;
            edge.grade = grade;
            graph.edges.push_back(std::move(edge));
        }
        return graph;
    }

    NodeIndex index_;
    const Judgement& judgement_;
    const GraphChoice& choice_;
    std::unordered_set<std::string> chosen_;  // ids of listeners
    std::vector<std::string> listener_ids_;   // of judgement_.verdicts
    std::map<std::string, GraphNode> nodes_;
    std::map<std::tuple<std::string, std::string, GraphEdge::Kind, std::string, Grade>, std::uint32_t> edges_;
    std::map<std::pair<std::uint64_t, std::uint16_t>, bool> served_;
    std::unordered_map<std::uint64_t, const Socket*> unix_by_inode_;
    std::unordered_set<std::uint64_t> shown_;  // clients' ends of unix connections that have their edge
};

}  // namespace

Graph make_graph(const Node& node, const Judgement& judgement, const GraphChoice& choice) {
    return Maker(node, judgement, choice).make();
}

}  // namespace hopscope::chain
