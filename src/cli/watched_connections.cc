#include "cli/watched_connections.h"

#include <utility>

#include "core/limits.h"
#include "core/node_words.h"

namespace hopscope::cli {

using chain::Verdict;

namespace {

SocketLife life_of(const Verdict& verdict, const chain::Peer& peer, Timestamp at) {
    SocketLife life;
    life.kind = SocketLife::Kind::opened;
    life.at = at;
    life.server = verdict.local;
    if (peer.from) {
        life.client = *peer.from;
        // The listener on all addresses was reached over the client's own, as far as loopback goes.
        if (verdict.local.address.is_unspecified() && peer.from->address.is_loopback())
            life.server.address = peer.from->address;
    }
    life.net_namespace = verdict.net_namespace;
    life.client_inode = peer.inode;
    life.client_owner.pid = peer.process.pid;
    life.client_comm = peer.process.comm;
    if (!verdict.owners.empty()) {
        life.server_owner.pid = verdict.owners.front().process.pid;
        life.server_comm = verdict.owners.front().process.comm;
    }
    return life;
}

SocketLife life_of(const procmap::UnixAccept& accept) {
    SocketLife life;
    life.kind = SocketLife::Kind::opened;
    life.at = accept.at;
    life.net_namespace = accept.net_namespace;
    life.client_inode = accept.client_inode;
    life.server_inode = accept.server_inode;
    life.client_owner = accept.client;
    life.server_owner = accept.server;
    life.client_comm = accept.client_comm;
    life.server_comm = accept.server_comm;
    return life;
}

}  // namespace

void WatchedConnections::look(const std::map<std::string, const Verdict*>& listeners, const SocketTable& table,
                              bool with_tcp, Timestamp at) {
    std::map<std::string, Open> now;
    asked_.clear();
    for (const auto& [key, verdict] : listeners) {
        const bool unix_socket = is_unix(verdict->transport);
        if (unix_socket) asked_.emplace(verdict->inode, Asked{key, verdict->unix_path});
        if (!unix_socket && !with_tcp) continue;
        for (const chain::Peer& peer : verdict->peers)
            now.emplace(key + " " + (peer.from ? to_string(*peer.from) : std::to_string(peer.inode)),
                        Open{.life = life_of(*verdict, peer, at),
                             .path = unix_socket ? verdict->unix_path : "",
                             .looked = true});
    }
    for (auto& [key, each] : open_) {
        if (now.contains(key)) continue;
        each.life.kind = SocketLife::Kind::closed;
        if (each.looked) each.life.lived = at - each.life.at;
        each.life.at = at;
        lines_.connection(each.life, each.path);
    }
    for (auto& [key, each] : now) {
        if (const auto known = open_.find(key); known != open_.end())
            each.life = known->second.life;
        else
            lines_.connection(each.life, each.path);
    }
    open_ = std::move(now);
    unix_listeners_.clear();
    for (const Socket& socket : table.sockets)
        if (is_unix(socket.transport) && socket.state == SocketState::listen) unix_listeners_.insert(socket.inode);
    // What came before its listener was known; it is told now, or was never asked for.
    for (const procmap::UnixAccept& accept : std::exchange(kept_, {})) accepted(accept);
    kept_.clear();
}

void WatchedConnections::accepted(const procmap::UnixAccept& accept) {
    const auto asked = asked_.find(accept.listener_inode);
    if (asked == asked_.end()) {
        if (unix_listeners_.contains(accept.listener_inode)) return;  // nobody asked for it
        if (kept_.size() < limits::kWatchAcceptsMax)
            kept_.push_back(accept);
        else
            ++dropped_;
        return;
    }
    if (open_.size() >= limits::kLifeConnectionsMax) {
        ++dropped_;
        return;
    }
    const std::string end = accept.client_inode != 0 ? std::to_string(accept.client_inode)
                                                     : "accepted " + std::to_string(accept.server_inode);
    const auto [place, is_new] =
        open_.emplace(asked->second.key + " " + end, Open{.life = life_of(accept), .path = asked->second.path});
    if (is_new) lines_.connection(place->second.life, place->second.path);  // else the look had it already
}

}  // namespace hopscope::cli
