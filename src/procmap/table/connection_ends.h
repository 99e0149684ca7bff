// The two ends of one TCP connection of this network namespace, without reading the whole table: for connections that
// have just been seen and may be gone in a moment.
//
// The kernel is asked for exactly this connection (sock_diag without NLM_F_DUMP: a look into its hash table, some
// microseconds); then the descriptors of a few processes are searched for the socket. It does not guess: a socket that
// none of the given processes holds has no owner here.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "core/endpoint.h"
#include "core/socket_table.h"
#include "procmap/host_root.h"

namespace hopscope::procmap {

class ConnectionEnds {
public:
    explicit ConnectionEnds(HostRoot root);
    ~ConnectionEnds();
    ConnectionEnds(const ConnectionEnds&) = delete;
    ConnectionEnds& operator=(const ConnectionEnds&) = delete;

    // Inode of the connected socket with this local and remote end; 0: none here (any more), or not to be told.
    [[nodiscard]] std::uint64_t socket(const Endpoint& local, const Endpoint& remote);
    // Whether this unix socket of this network namespace is there and not shut down on both sides (unix_diag,
    // Linux 3.3). False also where the kernel cannot be asked: believe it only of one that was there before.
    [[nodiscard]] bool has_unix(std::uint64_t inode);
    // The first of `pids` that holds the socket.
    [[nodiscard]] std::optional<SocketOwner> holder(std::uint64_t inode, std::span<const ProcessId> pids) const;

private:
    // Asks for one socket; true where it was answered with one, whose message begins at answer_ + NLMSG_HDRLEN.
    bool ask(const void* question, std::size_t size);

    alignas(8) char answer_[4096] = {};
    HostRoot root_;
    int netlink_ = -1;
};

}  // namespace hopscope::procmap
