// What happens to sockets and processes of the node while we look: events of the eBPF watchers (procmap/bpf).
// Times are CLOCK_BOOTTIME turned into wall time by the reader.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/endpoint.h"
#include "core/process.h"
#include "core/time.h"
#include "core/untrusted.h"

namespace hopscope {

// One TCP connection or listener from its first to its last sign, with the owners of both ends where both are on this
// node. Made by procmap/bpf/socket_life from raw events; told when it changes.
struct SocketLife {
    enum class Kind : std::uint8_t { listen, unlisten, opened, closed } kind{};
    Timestamp at;
    Endpoint client, server;  // listen, unlisten: `server` only
    std::uint64_t net_namespace = 0;
    std::uint64_t client_inode = 0, server_inode = 0;
    ProcessId client_owner, server_owner;  // pid 0: unknown
    Untrusted client_comm, server_comm;
    Duration lived;                                                     // closed: since opened
    std::optional<std::uint64_t> client_sent_bytes, server_sent_bytes;  // closed: payload, by the kernel's own count
};

// A process was made, started a program or ended (raw_tp sched_process_fork, _exec, _exit).
struct ProcessEvent {
    enum class Kind : std::uint8_t { fork, exec, exit } kind{};
    Timestamp at;
    ProcessId process;
    std::uint32_t parent_pid = 0;  // fork: who made it; else its parent at this moment
    // What follows is empty where `kind` is fork.
    Untrusted comm, filename;
    std::vector<Untrusted> cmdline;       // exec: arguments, read in the kernel, cut at 512 bytes together
    std::vector<Untrusted> cgroup_names;  // leaf first, up to 4
    int exit_code = 0;                    // exit: status; 128 + signal where killed
};

}  // namespace hopscope
