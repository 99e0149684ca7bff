// The sockets of one network namespace, asked of the kernel over netlink: sock_diag(7), inet_diag and unix_diag
// (Linux 3.3).
//
// Read-only. Needs no capability: the kernel tells every socket of the namespace of the calling thread to anybody.
// Borrowed limits: unix_diag tells 32 bits of a bound file's inode (Socket::file_inode is then its lower half), and on
// overlayfs the numbers may differ from those of stat(2). Listeners: the queues are waiting connections and the
// backlog. TCP sockets that were bound and neither listen nor connect are not told, as by kernels before 6.8 and by
// /proc/net.
#pragma once

#include <cstdint>
#include <vector>

#include "core/socket_table.h"

struct mnl_socket;
struct nlmsghdr;

namespace hopscope::procmap {

class SockDiag {
public:
    SockDiag();  // in the network namespace of the calling thread, for as long as the object lives
    ~SockDiag();
    SockDiag(const SockDiag&) = delete;
    SockDiag& operator=(const SockDiag&) = delete;

    // Each appends to `out` and returns 0, or errno and appends nothing: ENOENT where the module is missing.
    int inet(int family, int protocol, std::vector<Socket>& out);  // AF_INET or AF_INET6, IPPROTO_TCP or IPPROTO_UDP
    // TCP over IPv4 and IPv6 in one pass over the kernel's table, by the older form of the request (tcp_diag,
    // Linux 2.6).
    int tcp(std::vector<Socket>& out);
    int unix_sockets(std::vector<Socket>& out);

    void name_namespace(std::uint64_t inode) { net_namespace_ = inode; }

private:
    int dump(std::uint16_t type, Transport transport, const void* request, std::size_t size,
             int (*take)(const nlmsghdr*, void*), std::vector<Socket>& out);

    mnl_socket* socket_ = nullptr;
    int open_error_ = 0;
    std::uint32_t sequence_ = 0;
    std::uint64_t net_namespace_ = 0;
    std::vector<char> buffer_;
};

}  // namespace hopscope::procmap
