// Look-ups over a Node that both the verdicts and the graph need: who is at the other end, what lies at this path.
//
// Borrows the Node. The order of sockets and processes in the table does not matter.
#pragma once

#include <map>
#include <string>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "chain/verdict.h"
#include "core/node.h"
#include "core/node_words.h"

namespace hopscope::chain {

class NodeIndex {
public:
    explicit NodeIndex(const Node& node);
    NodeIndex(const NodeIndex&) = delete;
    NodeIndex& operator=(const NodeIndex&) = delete;

    [[nodiscard]] const Node& node() const { return node_; }
    // Null: not in the table.
    [[nodiscard]] const hopscope::Process* process(std::uint32_t pid) const;
    // Null: nothing is known of its settings.
    [[nodiscard]] const ComponentConfig* config(const hopscope::Process& process) const;
    [[nodiscard]] const ContainerNames* container(std::string_view id) const;
    // Empty where the container is not known.
    [[nodiscard]] K8sNames names_of(std::string_view container_id) const;

    // Sockets that wait for others: TCP and unix in state listen, UDP without a remote end. Sorted.
    [[nodiscard]] const std::vector<const Socket*>& listeners() const { return listeners_; }
    // The server's ends of the connections that came in through `listener`. A TCP connection belongs to the most
    // specific listener of its namespace (127.0.0.1:80 before *:80).
    [[nodiscard]] std::vector<const Socket*> accepted(const Socket& listener) const;
    // The clients' ends whose server's end is not in the table: TCP, no permission to see it; unix, not accepted yet.
    [[nodiscard]] std::vector<const Socket*> clients_without_server(const Socket& listener) const;
    // The other end of a connection, both on this node; null: elsewhere or not visible.
    [[nodiscard]] const Socket* other_end(const Socket& connection) const;

    // The process that best tells what a socket is for: a component before a stranger, systemd (pid 1) last.
    [[nodiscard]] const hopscope::Process* main_owner(const Socket& socket) const;
    // Was this listener asked for names, and gave this answer?  By its inode; where that is not known, by its path.
    [[nodiscard]] bool is_asked(const Socket& listener, const RuntimeFacts& runtime) const;
    // Who holds the socket that was asked; null: not known.
    [[nodiscard]] const hopscope::Process* asked(const RuntimeFacts& runtime) const;
    [[nodiscard]] Owner owner(const SocketOwner& owner) const;

private:
    using Tuple = std::tuple<std::uint64_t, Endpoint, Endpoint>;
    [[nodiscard]] const Socket* listener_of(std::uint64_t net_namespace, const Endpoint& local) const;

    const Node& node_;
    std::map<std::uint32_t, const hopscope::Process*> processes_;
    std::map<ProcessId, const ComponentConfig*> configs_;
    std::map<std::string, const ContainerNames*, std::less<>> containers_;
    std::vector<const Socket*> listeners_;
    std::map<std::pair<std::uint64_t, Endpoint>, const Socket*> tcp_listeners_;
    std::map<Tuple, const Socket*> connections_;  // TCP, by both ends
    std::map<std::pair<std::uint64_t, std::uint16_t>, std::vector<const Socket*>> by_local_port_;
    std::map<std::pair<std::uint64_t, std::uint16_t>, std::vector<const Socket*>> by_remote_port_;
    std::unordered_map<std::uint64_t, const Socket*> unix_by_inode_;
    std::unordered_map<std::uint64_t, const Socket*> unix_by_peer_;  // the socket that names this inode as its peer
    std::map<std::string, std::vector<const Socket*>, std::less<>> unix_by_path_;  // connected ones
    std::unordered_map<std::uint64_t, std::vector<const Socket*>> unix_waiting_;   // by the listener's inode
};

bool is_open(SocketState state);  // established or on its way to its end, not TIME-WAIT
// "kubelet[10107]"; safe to show.
std::string name_of(const hopscope::Process& process);
std::string name_of(const Process& process);
Process short_form(const hopscope::Process& process);
// "containerd 1.6.20"; safe to show.
std::string version_words(const hopscope::Process& process);
// Of a path or a value in a sentence: what is longer loses a part.
inline constexpr std::size_t kShownColumns = 100;
// One form for a path: without "unix://", "/var/run/" as "/run/" (a link to it on every system of the last ten years).
std::string normal_path(std::string_view path);

}  // namespace hopscope::chain
