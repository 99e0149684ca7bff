// Who is at the ends of the connections that a live command sees, which ports are worth looking at, and whose a
// container is: the socket table and the names of the node, read again and again without taking more than a small share
// of a core.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "chain/builder.h"
#include "chain/model.h"
#include "core/node.h"
#include "procmap/bpf/socket_life.h"
#include "procmap/bpf/watcher.h"
#include "procmap/host_root.h"
#include "procmap/survey.h"
#include "procmap/table/connection_ends.h"
#include "procmap/table/reader.h"

namespace hopscope::cli {

class LiveOwners {
public:
    explicit LiveOwners(const std::string& host_root);

    // Reads table and names for the first time. `all_net_namespaces`: connections of other network namespaces are
    // looked at, too.
    void start(bool all_net_namespaces);
    // From now on the kernel tells who opens a connection (eBPF); BPF-… where it cannot. `also`, if given, is told of
    // every connection and listener, those of other network namespaces included.
    using Also = std::function<void(const SocketLife&)>;
    Status watch(Also also = {});
    [[nodiscard]] int watch_fd() const { return watcher_ ? watcher_->fd() : -1; }
    // Takes what the kernel has told; names the ends of sessions that waited for it.
    void take_signs(chain::Builder& builder);
    // Connections that are over, by the kernel, for a second or longer, each once: if the capture does not know it by
    // now, it has missed their end. Without eBPF those sessions among `sessions` that are silent are asked for.
    std::vector<std::pair<Endpoint, Endpoint>> over(const chain::Model& model, Timestamp now);
    // Signs that were lost since the last call, for want of room.
    std::uint64_t newly_lost();
    // Reads the table again when it is time; then names the ends of sessions that waited for it. True: it was read.
    bool refresh(chain::Builder& builder);
    // Both ends of a connection that was just seen, as far as they can be told at once; what is missing is tried again
    // by refresh().
    chain::Ends ends_of(const chain::Session& session);
    // The session is over: nothing more will be told about it.
    void forget(std::uint32_t session);
    // Hands the names of all known containers to the builder.
    void name_containers(chain::Builder& builder) const;

    [[nodiscard]] const std::vector<ContainerNames>& containers() const { return containers_; }
    // The table is read as soon as its share of a core allows: something has begun that only it can tell.
    void look_soon() { listener_new_ = true; }
    // Adds the names of a chain's container, where they are known.
    void name(chain::Chain& chain) const;

    // The table as it was read last.
    [[nodiscard]] const SocketTable& table() const { return table_; }
    // What the process with this number is called, by the table.
    [[nodiscard]] std::optional<chain::Process> process_now(std::uint32_t pid) const {
        return process(ProcessId{.pid = pid});
    }

    // TCP ports on which a kubelet or a container runtime listens, sorted.
    [[nodiscard]] std::vector<std::uint16_t> component_ports() const;
    // Addresses that listeners on the kubelet's port are bound to.
    [[nodiscard]] std::vector<IpAddress> kubelet_addresses() const;
    // What cannot be told, in sentences.
    [[nodiscard]] std::vector<std::string> limits() const;

private:
    using Clock = std::chrono::steady_clock;
    struct Waiting {
        std::uint32_t session = 0;
        Endpoint client, server;
        std::uint64_t client_inode = 0, server_inode = 0;
        chain::Ends ends;
        int tries = 0;
    };

    using Pair = std::pair<Endpoint, Endpoint>;  // client, server

    void on(const SocketLife& life);
    [[nodiscard]] std::optional<chain::Process> process(const ProcessId& id, const Untrusted& comm);
    void name_waiting(chain::Builder& builder);
    void read_table();
    void index_table();
    void note_runtime_sockets();
    // A runtime's socket has come, gone or been made anew since the table was read: a look costs microseconds.
    bool runtime_sockets_changed();
    // The process that holds the socket, by the table; else by the descriptors of component processes.
    std::optional<chain::Process> holder(std::uint64_t inode);
    std::optional<chain::Process> in_table(const Endpoint& local, const Endpoint& remote, std::uint64_t inode) const;
    std::optional<chain::Process> listener(const Endpoint& server) const;
    // Does a connection to it end in that namespace (0: any)? Asked of our interfaces, and of what is connected there.
    [[nodiscard]] bool is_address_of(const IpAddress& address, std::uint64_t net_namespace) const;
    [[nodiscard]] std::optional<chain::Process> process(const ProcessId& id) const;
    void look(Waiting& waiting);

    procmap::HostRoot root_;
    std::unique_ptr<procmap::SocketWatcher> watcher_;
    procmap::SocketLifeBook lives_book_;
    Also also_;
    std::map<Pair, chain::Ends> lives_;  // what the kernel told, of the last limits::kLiveLivesMax connections
    std::deque<Pair> lives_order_;
    // Processes that the table does not have yet, asked for one by one since it was read: by number and start.
    std::map<std::pair<std::uint32_t, std::uint64_t>, chain::Process> strangers_;
    struct Over {
        Pair pair;
        Clock::time_point told_at;
    };
    std::deque<Over> over_;
    std::uint64_t net_namespace_ = 0;  // whose lives count; 0: all
    std::uint64_t told_lost_ = 0;
    bool lives_changed_ = false;
    bool listener_new_ = false;  // a port may have to be followed: the table is read soon
    procmap::TableReader reader_;
    procmap::ConnectionEnds exact_;
    SocketTable table_;
    std::vector<ContainerNames> containers_;
    std::vector<std::string> trouble_;
    std::vector<ProcessId> components_;
    std::vector<Waiting> waiting_;
    std::vector<std::uint32_t> listeners_, connections_;                 // positions in the table
    std::vector<IpAddress> own_addresses_;                               // of our network namespace, as last seen
    std::map<std::string, std::uint64_t, std::less<>> runtime_sockets_;  // inode by path; 0: nothing is there
    Clock::time_point read_at_{}, allowance_at_{}, asked_at_{}, runtimes_at_{};
    Clock::duration read_cost_{}, allowance_{};
};

}  // namespace hopscope::cli
