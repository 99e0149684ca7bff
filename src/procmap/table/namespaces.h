// The sockets of all network namespaces: of our own by netlink, of the others by netlink from a thread that enters
// them.
//
// Entering needs CAP_SYS_ADMIN (setns(2)); without it the text files of a process of the namespace are read. Only
// namespaces that some process is in are found: one that is only bound to a file (ip netns add) has no sockets with
// owners. The calling thread never leaves its namespace.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/socket_table.h"
#include "procmap/host_root.h"

namespace hopscope::procmap {

struct NetNamespace {
    std::uint64_t inode = 0;          // 0: unknown
    std::vector<std::uint32_t> pids;  // some of the processes in it; empty: our own is meant
};

struct NamespaceSockets {
    std::vector<Socket> sockets;
    bool used_netlink = false, used_text = false;
    std::uint64_t not_entered = 0;          // namespaces of which only the text files were read
    std::uint64_t not_read = 0;             // … of which nothing was read
    std::uint64_t processes_elsewhere = 0;  // processes whose namespace could not be asked
    bool peers_unknown = false;             // unix sockets came from text
    std::uint64_t not_believed = 0;         // lines of that text
    std::vector<std::string> limits;
};

// What is asked for beside unix sockets.
struct SocketKinds {
    bool tcp = true, udp = true;
};

// Inode of the calling thread's network namespace; 0: unknown.
std::uint64_t own_net_namespace();

void read_own_namespace(const HostRoot& root, std::uint64_t inode, bool netlink, SocketKinds kinds,
                        NamespaceSockets& out);
void read_other_namespaces(const HostRoot& root, const std::vector<NetNamespace>& others, bool netlink,
                           SocketKinds kinds, NamespaceSockets& out);
// A root that is not the live node: text only. `fallback`: /proc/net belongs to this namespace where no process has its
// own.
void read_text_namespace(const HostRoot& root, const NetNamespace& space, bool fallback, SocketKinds kinds,
                         NamespaceSockets& out);

}  // namespace hopscope::procmap
