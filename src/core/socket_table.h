// Every socket of the node at one moment, with its owners.
#pragma once

#include <cstdint>
#include <vector>

#include "core/endpoint.h"
#include "core/process.h"
#include "core/time.h"
#include "core/transport.h"

namespace hopscope {

struct SocketOwner {
    ProcessId process;
    std::uint32_t fd = 0;
    auto operator<=>(const SocketOwner&) const = default;
};

enum class SocketState : std::uint8_t {
    unknown,
    listen,
    established,
    syn_sent,
    syn_recv,
    fin_wait,
    time_wait,
    close,
    close_wait,
    last_ack,
    closing
};
std::string_view to_string(SocketState state);

struct Socket {
    Transport transport{};
    SocketState state{};
    std::uint64_t inode = 0;          // 0: none (TIME-WAIT, not yet accepted)
    std::uint64_t net_namespace = 0;  // inode of the namespace; 0: unknown
    Endpoint local, remote;           // TCP and UDP
    bool v6_only = false;     // a listener on [::] that takes no IPv4; false, too, where /proc/net is all there is
    UnixEndpoint unix_local;  // its own path (as given to bind, hostile) and inode (equal to `inode`)
    std::uint64_t unix_peer_inode = 0;  // 0: none, or unknown
    std::uint64_t unix_waits_for = 0;   // inode of the listener that has not accepted it yet; 0: none, or unknown
    // The file that bind made, as stat(2) numbers it: a socket may be renamed after bind, and one path may stand for
    // different files in different mount namespaces. 0, 0: abstract, unbound or unknown.
    std::uint64_t file_device = 0, file_inode = 0;
    std::vector<SocketOwner> owners;  // a set: sockets are inherited and passed
    std::uint32_t receive_queue_bytes = 0, send_queue_bytes = 0;
};

// How the table was made, and what it therefore cannot hold.
struct SocketTable {
    Timestamp at;
    Timestamp booted;  // when the kernel began to count a process' start time; 0: unknown
    std::vector<Socket> sockets;
    std::vector<Process> processes;    // sorted by pid
    std::string method;                // "iter/task_file", "sock_diag + /proc/*/fd", "/proc/net + /proc/*/fd"
    std::vector<std::string> limits;   // sentences: "owners of 31 of 44 sockets: CAP_SYS_PTRACE is missing"
    std::uint64_t owners_unknown = 0;  // sockets without an owner though they have an inode
};

// The process with this pid; nullptr: not in the table (ended, or not visible).
const Process* find_process(const SocketTable& table, std::uint32_t pid);

}  // namespace hopscope
