#include <sys/stat.h>

#include <algorithm>

#include "chain/verdict_parts.h"
#include "core/limits.h"

namespace hopscope::chain {
namespace {

bool is_link_local(const IpAddress& address) {
    if (address.is_v4()) return address.bytes[12] == 169 && address.bytes[13] == 254;
    return address.bytes[0] == 0xfe && (address.bytes[1] & 0xc0) == 0x80;
}

std::string words_of_hosts(const IpAddress& address) {
    return address.is_unspecified() ? "every host that can reach an address of this node"
                                    : "every host that can reach " + to_string(address);
}

std::string account_words(const Untrusted& name, std::uint32_t id) {
    return name.empty() ? std::to_string(id) : elide_middle(display(name), kShownColumns);
}

// Root may open every file.
std::string words_of_users(const SocketAccess& access) {
    if (is_open_to_all(access)) return "every process of this node: its file may be opened by all users";
    const bool by_user = access.user_id != 0 && (access.mode & S_IWUSR) != 0;
    const bool by_group = access.group_id != 0 && (access.mode & S_IWGRP) != 0;
    std::string words = "root";
    if (by_user) words += (by_group ? ", user " : " and user ") + account_words(access.user, access.user_id);
    if (by_group) words += " and members of the group " + account_words(access.group, access.group_id);
    if (!by_user && !by_group) words += " only";
    if ((access.mode & S_IWOTH) != 0) words += ": its file may be opened by all users, a directory above it may not";
    return words;
}

void add_peer(std::vector<Peer>& peers, const NodeIndex& index, const Socket* end, const Socket& seen_from,
              std::string_view state) {
    Peer peer;
    peer.state = state;
    if (is_unix(seen_from.transport))
        peer.inode = end ? end->inode : seen_from.unix_peer_inode;
    else
        peer.from = end ? end->local : seen_from.remote;
    const hopscope::Process* owner = end ? index.main_owner(*end) : nullptr;
    if (owner) {
        peer.process = short_form(*owner);
        peer.process_role = to_string(owner->role);
        for (const SocketOwner& each : end->owners)
            if (each.process.pid == owner->id.pid && (peer.fd == 0 || each.fd < peer.fd)) peer.fd = each.fd;
    } else if (end && !end->owners.empty()) {
        const SocketOwner& first = *std::min_element(end->owners.begin(), end->owners.end());
        peer.process.pid = first.process.pid;
        peer.fd = first.fd;
    }
    peers.push_back(std::move(peer));
}

}  // namespace

bool is_open_to_all(const SocketAccess& access) { return (access.mode & S_IWOTH) != 0 && access.others_get_there; }

std::string mode_words(const SocketAccess& access) {
    std::string words = "srwxrwxrwx ";
    for (std::size_t i = 0; i < 9; ++i)
        if ((access.mode & (0400U >> i)) == 0) words[1 + i] = '-';
    return words + account_words(access.user, access.user_id) + ":" + account_words(access.group, access.group_id);
}

Reach reach_of(const Listener& listener, const Node& node) {
    const Socket& socket = *listener.socket;
    if (is_unix(socket.transport)) {
        if (listener.unix_path.starts_with('@'))
            return {
                "node",
                "processes of this node in the same network namespace, whatever their user: an abstract socket has no "
                "file whose permissions could forbid it."};
        if (listener.access)
            return {"node", words_of_users(*listener.access) + " (" + mode_words(*listener.access) + ")."};
        return {"node", "processes of this node that may open the file."};
    }
    const IpAddress& address = socket.local.address;
    if (address.is_loopback())
        return {"loopback", listener.in_host_namespace
                                ? "loopback only: processes of this node."
                                : "loopback of another network namespace: only processes inside it."};
    if (is_link_local(address)) return {"node", "processes and pods of this node: the address is link-local."};
    if (!listener.in_host_namespace)
        return {"pod-network", "everybody who is routed to its network namespace: usually pods and this node."};
    std::string sentence = words_of_hosts(address) + ", unless a firewall forbids it (not looked at).";
    if (node.host_net_namespace == 0) sentence += " Whether it is in the host's network namespace could not be read.";
    return {"world", std::move(sentence)};
}

std::vector<Peer> peers_of(const Socket& listener, const NodeIndex& index) {
    std::vector<Peer> peers;
    for (const Socket* server : index.accepted(listener)) {
        const Socket* client = index.other_end(*server);
        if (is_unix(listener.transport)) {
            if (!client && server->unix_peer_inode == 0) continue;
            add_peer(peers, index, client, *server, client ? to_string(client->state) : to_string(server->state));
            continue;
        }
        // CLOSE-WAIT at either end is what matters: somebody does not let go.
        const bool lingers = client && client->state == SocketState::close_wait;
        add_peer(peers, index, client, *server, to_string(lingers ? client->state : server->state));
        peers.back().client_closed = server->state == SocketState::close_wait;
    }
    for (const Socket* client : index.clients_without_server(listener))
        add_peer(peers, index, client, *client,
                 client->unix_waits_for != 0 ? "not accepted yet" : to_string(client->state));
    std::sort(peers.begin(), peers.end(), [](const Peer& a, const Peer& b) {
        return std::tie(a.process.pid, a.from, a.fd, a.inode, a.state) <
               std::tie(b.process.pid, b.from, b.fd, b.inode, b.state);
    });
    if (peers.size() > limits::kVerdictPeersMax) peers.resize(limits::kVerdictPeersMax);
    return peers;
}

std::vector<OpenExec> execs_of(const std::vector<Owner>& owners, const NodeIndex& index) {
    std::vector<OpenExec> execs;
    for (const RunningExec& exec : index.node().execs) {
        const bool held = std::any_of(exec.holders.begin(), exec.holders.end(), [&](const SocketOwner& holder) {
            return std::any_of(owners.begin(), owners.end(),
                               [&](const Owner& owner) { return owner.process.pid == holder.process.pid; });
        });
        if (held) execs.push_back({exec.container_id, exec.exec_id.raw(), index.names_of(exec.container_id)});
    }
    std::sort(execs.begin(), execs.end(), [](const OpenExec& a, const OpenExec& b) {
        return std::tie(a.container_id, a.exec_id) < std::tie(b.container_id, b.exec_id);
    });
    if (execs.size() > limits::kVerdictPeersMax) execs.resize(limits::kVerdictPeersMax);
    return execs;
}

}  // namespace hopscope::chain
