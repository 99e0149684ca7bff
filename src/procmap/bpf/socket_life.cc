#include "procmap/bpf/socket_life.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace hopscope::procmap {
namespace {

constexpr Duration kWait{std::int64_t{limits::kLifeWaitMs} * 1'000'000};

void mix(std::size_t& hash, std::uint64_t word) {
    hash ^= word;
    hash *= 0x9e3779b97f4a7c15ULL;
    hash ^= hash >> 29;
}

bool same_or_any(const Endpoint& listener, const Endpoint& at) {
    if (listener.port != at.port) return false;
    return listener.address == at.address || listener.address.is_unspecified();
}

}  // namespace

std::size_t SocketLifeBook::PairHash::operator()(const Pair& pair) const {
    std::size_t hash = pair.client.port * 65'536U + pair.server.port;
    for (const Endpoint* endpoint : {&pair.client, &pair.server}) {
        std::uint64_t words[2];
        std::memcpy(words, endpoint->address.bytes.data(), sizeof words);
        mix(hash, words[0]);
        mix(hash, words[1]);
    }
    return hash;
}

// --- what comes in

void SocketLifeBook::seed(const std::vector<Socket>& sockets, Timestamp at,
                          const std::function<Untrusted(const ProcessId&)>& comm_of) {
    const auto owner_of = [](const Socket& socket) {
        return socket.owners.empty() ? ProcessId{} : socket.owners.front().process;
    };
    const auto name_of = [&](const ProcessId& process) {
        return process.pid != 0 && comm_of ? comm_of(process) : Untrusted{};
    };
    for (const Socket& socket : sockets)
        if (socket.transport == Transport::tcp && socket.state == SocketState::listen)
            add_listener({.at = socket.local,
                          .net_namespace = socket.net_namespace,
                          .inode = socket.inode,
                          .socket = 0,
                          .owner = owner_of(socket),
                          .comm = name_of(owner_of(socket))});
    for (const Socket& socket : sockets) {
        if (socket.transport != Transport::tcp || socket.remote.port == 0) continue;
        if (socket.state == SocketState::listen || socket.state == SocketState::syn_sent) continue;
        const Side side = listener_at(socket.local, socket.net_namespace) != nullptr ? kServer : kClient;
        SocketSign sign;
        sign.at = at;
        sign.inode = socket.inode;
        sign.net_namespace = socket.net_namespace;
        sign.local = socket.local;
        sign.remote = socket.remote;
        sign.owner = owner_of(socket);
        sign.comm = name_of(sign.owner);
        const Id id = join_or_begin(sign, side);
        Connection& connection = connections_.at(id);
        learn(connection, id, side, sign);
        // The caller knows it from the scan.
        connection.told_open = true;
        connection.told_complete = true;
        if (socket.inode != 0) by_inode_.insert_or_assign(socket.inode, Place{id, side});
    }
}

void SocketLifeBook::on(const SocketSign& sign) {
    if (sign.kind == SocketSign::Kind::accept)
        on_end(sign, kServer);
    else if (sign.new_state == SocketState::listen)
        on_listen(sign);
    else if (sign.new_state == SocketState::established)
        on_end(sign, sign.old_state == SocketState::syn_sent ? kClient : kServer);
    else if (sign.new_state == SocketState::close)
        on_close(sign);
}

void SocketLifeBook::on_listen(const SocketSign& sign) {
    for (const auto& [id, listener] : listeners_)
        if (listener.socket == sign.socket && listener.inode == sign.inode) return;  // told twice
    const Listener listener{.at = sign.local,
                            .net_namespace = sign.net_namespace,
                            .inode = sign.inode,
                            .socket = sign.socket,
                            .owner = sign.owner,
                            .comm = sign.comm};
    add_listener(listener);
    sink_(describe(listener, SocketLife::Kind::listen, sign.at));
}

void SocketLifeBook::on_end(const SocketSign& sign, Side side) {
    if (const auto known = by_socket_.find(sign.socket); known != by_socket_.end()) {
        const Place place = known->second;
        Connection& connection = connections_.at(place.id);
        const End& end = connection.end[place.side];
        const bool same =
            connection.endpoint[place.side] == sign.local && connection.endpoint[1 - place.side] == sign.remote;
        // An accept may come after the close; anything else on a closed socket is the next socket at the same address.
        if (same && (!end.closed || sign.kind == SocketSign::Kind::accept)) {
            learn(connection, place.id, place.side, sign);
            tell_if_complete(place.id);
            return;
        }
        if (!end.closed) {
            // Its close was lost: it ended before this one began.
            connection.end[place.side].closed = true;
            connection.last = sign.at;
            tell_if_complete(place.id);
        }
        by_socket_.erase(sign.socket);
    }
    // Accepted, but closed and told already, or never seen and gone.
    if (sign.kind == SocketSign::Kind::accept && sign.new_state == SocketState::close) return;
    const Id id = join_or_begin(sign, side);
    learn(connections_.at(id), id, side, sign);
    tell_if_complete(id);
}

void SocketLifeBook::on_close(const SocketSign& sign) {
    if (sign.old_state == SocketState::listen) {
        close_listener(sign);
        return;
    }
    const Place* found = place_of(sign);
    if (found == nullptr) {
        // A connection that was never established was refused, or timed out: it had no life.
        if (sign.old_state != SocketState::syn_sent && sign.old_state != SocketState::syn_recv) ++unknown_closes_;
        return;
    }
    const Place place = *found;
    Connection& connection = connections_.at(place.id);
    learn(connection, place.id, place.side, sign);
    if (connection.end[place.side].closed) return;
    connection.end[place.side].closed = true;
    connection.end[place.side].sent_bytes = sign.sent_bytes;
    connection.last = std::max(connection.last, sign.at);
    tell_if_complete(place.id);
}

void SocketLifeBook::close_listener(const SocketSign& sign) {
    auto found = listeners_.end();
    for (auto at = listeners_.begin(); at != listeners_.end() && found == listeners_.end(); ++at)
        if ((at->second.socket != 0 && at->second.socket == sign.socket) ||
            (at->second.socket == 0 && at->second.inode != 0 && at->second.inode == sign.inode))
            found = at;
    if (found == listeners_.end()) return;
    const SocketLife life = describe(found->second, SocketLife::Kind::unlisten, sign.at);
    listeners_.erase(found);
    sink_(life);
}

// --- joining

// The connection whose other end was seen already, else a new one.
SocketLifeBook::Id SocketLifeBook::join_or_begin(const SocketSign& sign, Side side) {
    const Pair pair = side == kClient ? Pair{sign.local, sign.remote} : Pair{sign.remote, sign.local};
    const bool loopback = pair.server.address.is_loopback();
    Id best = 0;
    const auto [begin, end] = by_pair_.equal_range(pair);
    for (auto at = begin; at != end; ++at) {
        const Connection& connection = connections_.at(at->second);
        const End& other = connection.end[1 - side];
        if (connection.end[side].seen || !other.seen) continue;
        const bool same_namespace = other.net_namespace == sign.net_namespace;
        // 127.0.0.1 of one network namespace is not that of another.
        if (loopback && !same_namespace) continue;
        // The other end is closed for long: this is a later connection with the same ports.
        if (other.closed && sign.at - connection.last > kWait) continue;
        if (best == 0 || same_namespace) best = at->second;
    }
    if (best != 0) return best;
    Connection fresh;
    fresh.endpoint[kClient] = pair.client;
    fresh.endpoint[kServer] = pair.server;
    fresh.opened = fresh.last = sign.at;
    const Id id = add(std::move(fresh));
    by_pair_.emplace(pair, id);
    waiting_.push_back({sign.at + kWait, id, false});
    return id;
}

void SocketLifeBook::learn(Connection& connection, Id id, Side side, const SocketSign& sign) {
    End& end = connection.end[side];
    end.seen = true;
    end.net_namespace = sign.net_namespace;
    if (sign.inode != 0) end.inode = sign.inode;
    if (sign.socket != 0 && end.socket != sign.socket) {
        end.socket = sign.socket;
        by_socket_.insert_or_assign(sign.socket, Place{id, side});
    }
    // Who accepts is surer than who listens; the first one known stays, whoever else closes it.
    if (sign.owner.pid != 0 && (end.owner.pid == 0 || end.owner_inferred)) {
        const bool changed = end.owner.pid != sign.owner.pid;
        end.owner = sign.owner;
        end.comm = sign.comm;
        end.owner_inferred = false;
        if (changed && connection.told_open) connection.told_complete = false;
    }
}

const SocketLifeBook::Place* SocketLifeBook::place_of(const SocketSign& sign) const {
    if (const auto known = by_socket_.find(sign.socket); known != by_socket_.end()) return &known->second;
    if (const auto known = by_inode_.find(sign.inode); sign.inode != 0 && known != by_inode_.end())
        return &known->second;
    return nullptr;
}

const SocketLifeBook::Listener* SocketLifeBook::listener_at(const Endpoint& at, std::uint64_t net_namespace) const {
    const Listener* best = nullptr;
    for (const auto& [id, listener] : listeners_) {
        if (listener.net_namespace != net_namespace || !same_or_any(listener.at, at)) continue;
        if (best == nullptr || listener.at.address == at.address) best = &listener;
    }
    return best;
}

void SocketLifeBook::infer_server(Connection& connection) const {
    End& server = connection.end[kServer];
    if (!server.seen || server.owner.pid != 0) return;
    const Listener* listener = listener_at(connection.endpoint[kServer], server.net_namespace);
    if (listener == nullptr) return;
    server.owner = listener->owner;
    server.comm = listener->comm;
    server.owner_inferred = true;
}

// --- telling

void SocketLifeBook::tell_if_complete(Id id) {
    Connection& connection = connections_.at(id);
    const End& client = connection.end[kClient];
    const End& server = connection.end[kServer];
    const bool complete = client.owner.pid != 0 && server.owner.pid != 0 && !server.owner_inferred;
    if (complete && !connection.told_complete) tell_open(connection);
    const bool all_closed = (!client.seen || client.closed) && (!server.seen || server.closed);
    if (!all_closed) return;
    if (complete) {
        tell_close(id);
    } else if (!connection.ending) {
        connection.ending = true;
        waiting_.push_back({connection.last + kWait, id, true});
    }
}

void SocketLifeBook::tell_open(Connection& connection) {
    connection.told_open = true;
    connection.told_complete = connection.end[kClient].owner.pid != 0 && connection.end[kServer].owner.pid != 0;
    sink_(describe(connection, SocketLife::Kind::opened, connection.opened));
}

void SocketLifeBook::tell_close(Id id) {
    Connection& connection = connections_.at(id);
    infer_server(connection);
    if (!connection.told_open) tell_open(connection);
    SocketLife life = describe(connection, SocketLife::Kind::closed, connection.last);
    life.lived = connection.last - connection.opened;
    forget(id);
    sink_(life);
}

SocketLife SocketLifeBook::describe(const Connection& connection, SocketLife::Kind kind, Timestamp at) const {
    const End& client = connection.end[kClient];
    const End& server = connection.end[kServer];
    SocketLife life;
    life.kind = kind;
    life.at = at;
    life.client = connection.endpoint[kClient];
    life.server = connection.endpoint[kServer];
    life.net_namespace = client.seen ? client.net_namespace : server.net_namespace;
    life.client_inode = client.inode;
    life.server_inode = server.inode;
    life.client_owner = client.owner;
    life.server_owner = server.owner;
    life.client_comm = client.comm;
    life.server_comm = server.comm;
    life.client_sent_bytes = client.sent_bytes;
    life.server_sent_bytes = server.sent_bytes;
    return life;
}

SocketLife SocketLifeBook::describe(const Listener& listener, SocketLife::Kind kind, Timestamp at) {
    SocketLife life;
    life.kind = kind;
    life.at = at;
    life.server = listener.at;
    life.net_namespace = listener.net_namespace;
    life.server_inode = listener.inode;
    life.server_owner = listener.owner;
    life.server_comm = listener.comm;
    return life;
}

void SocketLifeBook::tick(Timestamp now) {
    while (!waiting_.empty() && waiting_.front().until <= now) {
        const Waiting due = waiting_.front();
        waiting_.pop_front();
        const auto found = connections_.find(due.id);
        if (found == connections_.end()) continue;
        Connection& connection = found->second;
        if (due.close) {
            const bool seen_open = (connection.end[kClient].seen && !connection.end[kClient].closed) ||
                                   (connection.end[kServer].seen && !connection.end[kServer].closed);
            connection.ending = false;
            // The other end came while we waited, and is open.
            if (!seen_open) tell_close(due.id);
        } else if (!connection.told_open) {
            infer_server(connection);
            tell_open(connection);
        }
    }
}

void SocketLifeBook::flush() {
    if (!waiting_.empty()) {
        Timestamp last = waiting_.front().until;
        for (const Waiting& waiting : waiting_) last = std::max(last, waiting.until);
        tick(last);
    }
}

// --- memory

void SocketLifeBook::add_listener(Listener listener) {
    if (listeners_.size() >= limits_.listeners) {
        listeners_.erase(listeners_.begin());
        ++forgotten_;
    }
    listeners_.emplace(next_id_++, std::move(listener));
}

SocketLifeBook::Id SocketLifeBook::add(Connection connection) {
    if (connections_.size() >= limits_.connections) {
        ++forgotten_;
        forget(connections_.begin()->first);
    }
    const Id id = next_id_++;
    connections_.emplace(id, std::move(connection));
    return id;
}

void SocketLifeBook::forget(Id id) {
    const auto found = connections_.find(id);
    const Connection& connection = found->second;
    for (const Side side : {kClient, kServer}) {
        const End& end = connection.end[side];
        if (const auto at = by_socket_.find(end.socket); at != by_socket_.end() && at->second.id == id)
            by_socket_.erase(at);
        if (const auto at = by_inode_.find(end.inode); at != by_inode_.end() && at->second.id == id)
            by_inode_.erase(at);
    }
    const auto [begin, end] = by_pair_.equal_range({connection.endpoint[kClient], connection.endpoint[kServer]});
    for (auto at = begin; at != end; ++at)
        if (at->second == id) {
            by_pair_.erase(at);
            break;
        }
    connections_.erase(found);
}

}  // namespace hopscope::procmap
