// Which connections a runtime made inside pods for port-forwards: the last hop of their chains.
//
// Fed with the lives of TCP connections of all network namespaces, as the kernel tells them, with the processes of the
// node, and with what packets on the loopback interfaces of pods show. A connection belongs to a stream of a
// port-forward if the runtime that serves the session made it, in the network namespace of the session's sandbox, to
// the port that the stream's header names, after the stream was opened and with no more bytes than the stream carried.
// Where two fit a connection equally well it is joined with neither: it is listed. It does not see connections of
// helpers that a runtime starts for it (socat, nsenter). Byte counts are the kernel's own, of a connection that is
// over, else those of the packets. Where the kernel does not tell, packets alone make the hop, and nobody knows by them
// who connected. Pure; bounded by limits::kForward….
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "chain/model.h"
#include "core/node_event.h"
#include "core/process.h"

namespace hopscope::chain {

// One connection in a pod, as far as its packets tell. Sides as in the handshake; without it `client` sent the first
// packet that was seen, which may have been the server.
struct ForwardLeg {
    std::uint64_t net_namespace = 0;
    Endpoint client, server;
    bool handshake_seen = false;
    bool over = false;
    bool end_seen = false;            // by both sides' FIN: nothing came after what was counted
    Timestamp opened, last;           // first and last packet
    ByteCounts bytes;                 // by sequence numbers; without the handshake those after the first packet
    std::uint64_t missing_bytes = 0;  // of them, in packets that were not captured
    std::uint64_t packets = 0;
    std::uint64_t first_frame = 0;  // in a file; 0: none
    std::uint16_t file = 0;
};

class ForwardBook {
public:
    // Told again and again: what is known stays, what is new is added.
    void know(const hopscope::Process& process);
    // Connections that no runtime made are passed over.
    void on(const SocketLife& life);
    // What is known of this connection so far: told anew whenever it has changed.
    void on(const ForwardLeg& leg);
    // Why packets in this namespace are not captured, or from when on they are: for connections without packets.
    void no_packets(std::uint64_t net_namespace, std::string why);
    void packets_from(std::uint64_t net_namespace, Timestamp at);
    // Adds one hop for each forwarded connection of a port-forward's chain that is found, and what could not be told
    // apart. `all`: every session that may have forwarded into the same pod, those of the chain among them.
    void complete(Chain& chain, std::span<const std::unique_ptr<Session>> all) const;

    // It counts for this book.
    [[nodiscard]] bool is_by_runtime(const SocketLife& life) const {
        return life.client_owner.pid != 0 && is_runtime(life.client_owner, life.client_comm);
    }

    [[nodiscard]] std::size_t dials() const { return dials_.size(); }

private:
    struct Dial {
        Endpoint client, server;
        std::uint64_t net_namespace = 0;
        Process from;
        std::optional<Process> to;
        Timestamp opened;
        std::optional<Timestamp> closed;
        std::optional<ByteCounts> bytes;
        std::optional<ForwardLeg> leg;

        // By the kernel, else by packets.
        [[nodiscard]] std::optional<Timestamp> ended() const;
        [[nodiscard]] std::optional<ByteCounts> carried() const;
        // Who connected to whom, where only packets that do not tell it were seen.
        [[nodiscard]] Dial turned_to(std::uint16_t server_port) const;
    };
    struct Capture {
        Timestamp from;   // 0: not captured
        std::string why;  // not
    };
    struct InContainer {
        std::string container_id, pod_uid;
    };
    // A forwarded stream, and a dial that may be its connection.
    struct Need {
        const Session* session = nullptr;
        const Stream* stream = nullptr;
        std::uint32_t runtime_pid = 0;
        std::uint64_t net_namespace = 0;  // of the sandbox; 0: unknown
        bool own = false;                 // of the chain in hand
    };
    struct Pair {
        std::size_t need = 0, dial = 0;
        bool same_bytes = false, owned = false;  // by the runtime, as the kernel tells
        bool alive = true, joined = false;
    };
    using Key = std::tuple<std::uint64_t, Endpoint, Endpoint>;

    Dial* find(const Key& key);
    Dial& add(const Key& key);
    void add_packets(Hop& hop, const Dial& dial) const;
    [[nodiscard]] bool is_runtime(const ProcessId& id, const Untrusted& comm) const;
    [[nodiscard]] std::uint64_t namespace_of(const Session& session) const;
    [[nodiscard]] std::vector<Need> needs(const Chain& chain, std::span<const std::unique_ptr<Session>> all) const;
    [[nodiscard]] std::vector<Pair> pairs(const std::vector<Need>& needs) const;
    static void settle(std::vector<Pair>& pairs);
    [[nodiscard]] Hop hop_of(const Need& need, const Dial& dial, bool same_bytes) const;

    std::deque<Dial> dials_;  // by the order in which they were told: nearly by time
    std::uint64_t forgotten_ = 0;
    std::map<Key, std::uint64_t> by_key_;  // of the youngest with these addresses: its place, from 0
    std::unordered_set<std::uint32_t> runtimes_;
    std::unordered_map<std::uint32_t, InContainer> in_containers_;       // by pid
    std::unordered_map<std::string, std::uint64_t> container_networks_;  // by container or sandbox
    std::unordered_map<std::uint64_t, Capture> captures_;                // by namespace
    bool kernel_tells_ = false;  // connections without an owner are somebody else's
};

}  // namespace hopscope::chain
