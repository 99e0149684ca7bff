// Turns the signs of single sockets into lives of connections: joins the two ends of a connection that stays on this
// node and gives each its owner. Pure: no kernel, no clock; the caller says what time it is (tick).
//
// Where an owner comes from, in this order: accept(2) or connect(2) itself; who closed it; a scan made before (seed);
// for a server's end that nobody accepted in time, the owner of the listener at that address.
//
// When it tells:
//   listen, unlisten  at once
//   opened            once both ends have their owner, or kLifeWaitMs after the first sign with what is known (the
//   other end may
//                     be on another machine). Told again, more complete, if an owner becomes known only later.
//   closed            once both ends are closed and have their owner, or kLifeWaitMs after the last end seen has
//   closed.
//                     Always after an `opened` of the same connection.
// Memory: at most kLifeConnectionsMax connections and kLifeListenersMax listeners; the oldest is forgotten, and
// counted. It does not see connections of UDP or unix sockets, nor join ends that address translation made different.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <unordered_map>
#include <vector>

#include "core/limits.h"
#include "core/node_event.h"
#include "core/socket_table.h"

namespace hopscope::procmap {

// One raw event of one TCP socket, as the kernel told it.
struct SocketSign {
    enum class Kind : std::uint8_t { state, accept } kind = Kind::state;
    Timestamp at;
    std::uint64_t socket = 0;  // the kernel's object; used again after its close
    std::uint64_t inode = 0;   // 0: none (yet)
    std::uint64_t net_namespace = 0;
    Endpoint local, remote;  // port 0 where the kernel has forgotten it
    SocketState old_state{}, new_state{};
    std::uint64_t sent_bytes = 0;  // payload; only where new_state is `close`
    ProcessId owner;               // pid 0: unknown
    Untrusted comm;
};

struct SocketLifeLimits {
    std::size_t connections = limits::kLifeConnectionsMax;
    std::size_t listeners = limits::kLifeListenersMax;
};

class SocketLifeBook {
public:
    using Sink = std::function<void(const SocketLife&)>;
    explicit SocketLifeBook(Sink sink, SocketLifeLimits limits = {}) : sink_(std::move(sink)), limits_(limits) {}

    // Listeners and connections that were there before the first sign; nothing is told of them until they end. Names of
    // the owners by `comm_of` (may be empty). The first owner counts where there are several.
    void seed(const std::vector<Socket>& sockets, Timestamp at,
              const std::function<Untrusted(const ProcessId&)>& comm_of);
    void on(const SocketSign& sign);
    // Tells what has waited long enough at `now`. Call it after each drain.
    void tick(Timestamp now);
    // Tells all that waits, at the end of a run.
    void flush();

    [[nodiscard]] std::size_t open_connections() const { return connections_.size(); }
    [[nodiscard]] std::uint64_t forgotten() const { return forgotten_; }            // for want of room
    [[nodiscard]] std::uint64_t unknown_closes() const { return unknown_closes_; }  // of connections never seen before

private:
    enum Side : std::uint8_t { kClient, kServer };
    using Id = std::uint64_t;  // grows: the smallest is the oldest
    struct End {
        bool seen = false, closed = false, owner_inferred = false;
        std::uint64_t socket = 0, inode = 0, net_namespace = 0;
        std::optional<std::uint64_t> sent_bytes;
        ProcessId owner;
        Untrusted comm;
    };
    struct Connection {
        Endpoint endpoint[2];  // by Side
        End end[2];
        Timestamp opened, last;
        bool told_open = false, told_complete = false, ending = false;
    };
    struct Listener {
        Endpoint at;
        std::uint64_t net_namespace = 0, inode = 0, socket = 0;
        ProcessId owner;
        Untrusted comm;
    };
    struct Place {
        Id id;
        Side side;
    };
    struct Pair {
        Endpoint client, server;
        bool operator==(const Pair&) const = default;
    };
    struct PairHash {
        std::size_t operator()(const Pair& pair) const;
    };
    struct Waiting {
        Timestamp until;
        Id id;
        bool close;
    };

    void on_listen(const SocketSign& sign);
    void on_end(const SocketSign& sign, Side side);
    void on_close(const SocketSign& sign);
    void close_listener(const SocketSign& sign);
    Id join_or_begin(const SocketSign& sign, Side side);
    void learn(Connection& connection, Id id, Side side, const SocketSign& sign);
    void tell_if_complete(Id id);
    void tell_open(Connection& connection);
    void tell_close(Id id);
    void infer_server(Connection& connection) const;
    const Listener* listener_at(const Endpoint& at, std::uint64_t net_namespace) const;
    const Place* place_of(const SocketSign& sign) const;
    void add_listener(Listener listener);
    Id add(Connection connection);
    void forget(Id id);
    SocketLife describe(const Connection& connection, SocketLife::Kind kind, Timestamp at) const;
    static SocketLife describe(const Listener& listener, SocketLife::Kind kind, Timestamp at);

    Sink sink_;
    SocketLifeLimits limits_;
    Id next_id_ = 1;
    std::map<Id, Connection> connections_;
    std::unordered_multimap<Pair, Id, PairHash> by_pair_;
    std::unordered_map<std::uint64_t, Place> by_socket_;
    std::unordered_map<std::uint64_t, Place> by_inode_;  // of seeded ends, whose kernel object is unknown
    std::map<Id, Listener> listeners_;
    std::deque<Waiting> waiting_;  // by time
    std::uint64_t forgotten_ = 0, unknown_closes_ = 0;
};

}  // namespace hopscope::procmap
