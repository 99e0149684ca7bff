#include "chain/node_index.h"

#include <algorithm>

namespace hopscope::chain {
namespace {

bool is_listener(const Socket& socket) {
    if (socket.transport == Transport::udp) return socket.remote.port == 0 && socket.local.port != 0;
    if (socket.transport == Transport::unix_dgram) return false;  // every bound one would be: mostly syslog and clients
    return socket.state == SocketState::listen;
}

IpAddress unspecified_like(bool v4) { return *IpAddress::parse(v4 ? "0.0.0.0" : "::"); }

// Also the order among sockets that are alike in all that is shown: the table's order must not matter.
auto sort_key(const Socket* socket) {
    return std::tie(socket->transport, socket->local, socket->unix_local.path, socket->net_namespace, socket->inode);
}

int rank(const hopscope::Process& process) {
    if (is_component(process.role)) return 0;
    if (!process.role_doubt.empty()) return 1;
    if (process.role == ProcessRole::in_container) return 2;
    return process.id.pid == 1 ? 4 : 3;
}

}  // namespace

bool is_open(SocketState state) {
    switch (state) {
        case SocketState::established:
        case SocketState::syn_sent:
        case SocketState::syn_recv:
        case SocketState::fin_wait:
        case SocketState::close_wait:
        case SocketState::last_ack:
        case SocketState::closing: return true;
        case SocketState::unknown:
        case SocketState::listen:
        case SocketState::time_wait:
        case SocketState::close: return false;
    }
    return false;
}

std::string name_of(const Process& process) {
    std::string name = display(process.comm.empty() ? base_name(process.exe.raw()) : process.comm.raw());
    if (name.empty()) name = "process";
    return name + "[" + std::to_string(process.pid) + "]";
}

std::string name_of(const hopscope::Process& process) { return name_of(short_form(process)); }

Process short_form(const hopscope::Process& process) {
    return {.pid = process.id.pid, .comm = process.comm, .exe = process.exe, .start = process.started};
}

std::string version_words(const hopscope::Process& process) {
    return std::string(to_string(process.role)) + (process.version.empty() ? "" : " " + display(process.version));
}

std::string normal_path(std::string_view path) {
    if (path.starts_with("unix:")) {
        path.remove_prefix(5);
        if (path.starts_with("//")) path.remove_prefix(2);
    }
    std::string normal(path);
    if (normal.starts_with("/var/run/")) normal.erase(0, 4);
    return normal;
}

NodeIndex::NodeIndex(const Node& node) : node_(node) {
    for (const hopscope::Process& process : node.table.processes) processes_.emplace(process.id.pid, &process);
    for (const ComponentConfig& config : node.configs) configs_.emplace(config.process, &config);
    for (const ContainerNames& names : node.containers) containers_.emplace(names.id, &names);
    std::vector<const Socket*> sockets;
    sockets.reserve(node.table.sockets.size());
    for (const Socket& socket : node.table.sockets) sockets.push_back(&socket);
    std::sort(sockets.begin(), sockets.end(),
              [](const Socket* a, const Socket* b) { return sort_key(a) < sort_key(b); });
    for (const Socket* socket : sockets) {
        if (is_listener(*socket)) {
            listeners_.push_back(socket);
            if (socket->transport == Transport::tcp)
                tcp_listeners_.emplace(std::pair(socket->net_namespace, socket->local), socket);
        } else if (socket->transport == Transport::tcp && is_open(socket->state)) {
            connections_.emplace(Tuple(socket->net_namespace, socket->local, socket->remote), socket);
            by_local_port_[{socket->net_namespace, socket->local.port}].push_back(socket);
            by_remote_port_[{socket->net_namespace, socket->remote.port}].push_back(socket);
        } else if (is_unix(socket->transport)) {
            if (!socket->unix_local.path.empty()) unix_by_path_[socket->unix_local.path].push_back(socket);
        }
        if (is_unix(socket->transport)) {
            if (socket->inode != 0) unix_by_inode_.emplace(socket->inode, socket);
            if (socket->unix_peer_inode != 0) unix_by_peer_.emplace(socket->unix_peer_inode, socket);
            if (socket->unix_waits_for != 0) unix_waiting_[socket->unix_waits_for].push_back(socket);
        }
    }
}

const hopscope::Process* NodeIndex::process(std::uint32_t pid) const {
    const auto found = processes_.find(pid);
    return found == processes_.end() ? nullptr : found->second;
}

const ComponentConfig* NodeIndex::config(const hopscope::Process& process) const {
    const auto found = configs_.find(process.id);
    return found == configs_.end() ? nullptr : found->second;
}

const ContainerNames* NodeIndex::container(std::string_view id) const {
    const auto found = containers_.find(id);
    return found == containers_.end() ? nullptr : found->second;
}

const Socket* NodeIndex::listener_of(std::uint64_t net_namespace, const Endpoint& local) const {
    // An IPv4 connection may come in through a socket of either family that is bound to all addresses.
    const Endpoint wanted[] = {local,
                               {.address = unspecified_like(local.address.is_v4()), .port = local.port},
                               {.address = unspecified_like(false), .port = local.port}};
    for (const Endpoint& endpoint : wanted) {
        const auto found = tcp_listeners_.find({net_namespace, endpoint});
        if (found != tcp_listeners_.end()) return found->second;
    }
    return nullptr;
}

std::vector<const Socket*> NodeIndex::accepted(const Socket& listener) const {
    std::vector<const Socket*> found;
    if (listener.transport == Transport::tcp) {
        const auto at = by_local_port_.find({listener.net_namespace, listener.local.port});
        if (at == by_local_port_.end()) return found;
        for (const Socket* socket : at->second) {
            const Socket* owner = listener_of(listener.net_namespace, socket->local);
            // Equal listeners (SO_REUSEPORT) share their connections: all are shown at each.
            if (owner && owner->local == listener.local) found.push_back(socket);
        }
    } else if (is_unix(listener.transport) && !listener.unix_local.path.empty()) {
        const auto at = unix_by_path_.find(listener.unix_local.path);
        if (at == unix_by_path_.end()) return found;
        const bool abstract = listener.unix_local.path.front() == '@';
        for (const Socket* socket : at->second) {
            // An accepted socket carries name and file of its listener; one path may be another file elsewhere.
            if (abstract ? socket->net_namespace != listener.net_namespace
                         : socket->file_inode != listener.file_inode || socket->file_device != listener.file_device)
                continue;
            found.push_back(socket);
        }
    }
    return found;
}

std::vector<const Socket*> NodeIndex::clients_without_server(const Socket& listener) const {
    std::vector<const Socket*> found;
    if (is_unix(listener.transport)) {
        const auto waiting = unix_waiting_.find(listener.inode);
        return waiting == unix_waiting_.end() ? found : waiting->second;
    }
    if (listener.transport != Transport::tcp) return found;
    const auto at = by_remote_port_.find({listener.net_namespace, listener.local.port});
    if (at == by_remote_port_.end()) return found;
    for (const Socket* socket : at->second) {
        if (other_end(*socket)) continue;
        // Its own address tells that the other end is this node, not one elsewhere with the same port.
        const bool here = listener.local.address == socket->remote.address ||
                          (listener.local.address.is_unspecified() &&
                           (socket->remote.address.is_loopback() || socket->remote.address == socket->local.address));
        if (!here) continue;
        const Socket* owner = listener_of(listener.net_namespace, socket->remote);
        if (owner && owner->local == listener.local) found.push_back(socket);
    }
    return found;
}

const Socket* NodeIndex::other_end(const Socket& connection) const {
    if (connection.transport == Transport::tcp) {
        const auto found = connections_.find(Tuple(connection.net_namespace, connection.remote, connection.local));
        return found == connections_.end() ? nullptr : found->second;
    }
    if (!is_unix(connection.transport)) return nullptr;
    if (connection.unix_peer_inode != 0) {
        const auto found = unix_by_inode_.find(connection.unix_peer_inode);
        if (found != unix_by_inode_.end()) return found->second;
    }
    // The other end may know us although we do not know it.
    const auto found = connection.inode == 0 ? unix_by_peer_.end() : unix_by_peer_.find(connection.inode);
    return found == unix_by_peer_.end() ? nullptr : found->second;
}

const hopscope::Process* NodeIndex::main_owner(const Socket& socket) const {
    const hopscope::Process* best = nullptr;
    for (const SocketOwner& owner : socket.owners) {
        const hopscope::Process* candidate = process(owner.process.pid);
        if (!candidate) continue;
        if (!best || std::pair(rank(*candidate), candidate->id.pid) < std::pair(rank(*best), best->id.pid))
            best = candidate;
    }
    return best;
}

K8sNames NodeIndex::names_of(std::string_view container_id) const {
    K8sNames k8s;
    if (const ContainerNames* names = container(container_id)) {
        k8s.namespace_ = names->namespace_;
        k8s.pod = names->pod;
        k8s.container = names->name;
        k8s.uid = names->pod_uid;
    }
    return k8s;
}

bool NodeIndex::is_asked(const Socket& listener, const RuntimeFacts& runtime) const {
    if (!is_unix(listener.transport)) return false;
    if (runtime.socket_inode != 0) return runtime.socket_inode == listener.inode;
    return !runtime.socket_path.empty() &&
           normal_path(runtime.socket_path.raw()) == normal_path(listener.unix_local.path);
}

const hopscope::Process* NodeIndex::asked(const RuntimeFacts& runtime) const {
    for (const Socket* listener : listeners_)
        if (is_asked(*listener, runtime)) return main_owner(*listener);
    return nullptr;
}

Owner NodeIndex::owner(const SocketOwner& owner) const {
    Owner full;
    full.process.pid = owner.process.pid;
    full.fd = owner.fd;
    const hopscope::Process* known = process(owner.process.pid);
    if (!known) return full;
    full.process = short_form(*known);
    full.process_role = to_string(known->role);
    full.container_id = known->container_id.raw();
    full.k8s = names_of(full.container_id);
    if (full.k8s.uid.empty()) full.k8s.uid = known->pod_uid;
    return full;
}

}  // namespace hopscope::chain
