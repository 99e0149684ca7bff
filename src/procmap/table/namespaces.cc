#include "procmap/table/namespaces.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>
#include <thread>

#include "core/limits.h"
#include "procmap/table/net_text.h"
#include "procmap/table/sock_diag.h"

namespace hopscope::procmap {
namespace {

struct Source {
    int family, protocol;
    Transport transport;
    const char* file;
};
constexpr Source kSources[]{
    {AF_INET, IPPROTO_TCP, Transport::tcp, "/tcp"},
    {AF_INET6, IPPROTO_TCP, Transport::tcp, "/tcp6"},
    {AF_INET, IPPROTO_UDP, Transport::udp, "/udp"},
    {AF_INET6, IPPROTO_UDP, Transport::udp, "/udp6"},
};

bool wants(SocketKinds kinds, const Source& source) { return source.protocol == IPPROTO_TCP ? kinds.tcp : kinds.udp; }

// False: the file is not there (no IPv6), or may not be read.
bool take_text(const HostRoot& root, const std::string& path, const Source* source, std::uint64_t inode,
               NamespaceSockets& out) {
    const auto text = root.read(path, limits::kNetTextBytesMax);
    if (!text) return false;
    out.used_text = true;
    if (source != nullptr) {
        take_inet_text(*text, source->transport, inode, out.sockets);
    } else {
        out.peers_unknown = true;
        out.not_believed += take_unix_text(*text, inode, out.sockets);
    }
    return true;
}

bool take_all_text(const HostRoot& root, const std::string& folder, std::uint64_t inode, SocketKinds kinds,
                   NamespaceSockets& out) {
    bool any = false;
    for (const Source& source : kSources)
        if (wants(kinds, source)) any |= take_text(root, folder + source.file, &source, inode, out);
    any |= take_text(root, folder + "/unix", nullptr, inode, out);
    return any;
}

// In the namespace of the calling thread. Where the kernel lacks a module, the text file in `folder` stands in.
void take_here(const HostRoot& root, const std::string& folder, std::uint64_t inode, SocketKinds kinds,
               NamespaceSockets& out) {
    SockDiag diag;
    diag.name_namespace(inode);
    const bool all_tcp = kinds.tcp && diag.tcp(out.sockets) == 0;
    out.used_netlink |= all_tcp;
    for (const Source& source : kSources) {
        if (!wants(kinds, source) || (all_tcp && source.protocol == IPPROTO_TCP)) continue;
        if (diag.inet(source.family, source.protocol, out.sockets) == 0)
            out.used_netlink = true;
        else
            take_text(root, folder + source.file, &source, inode, out);
    }
    if (diag.unix_sockets(out.sockets) == 0)
        out.used_netlink = true;
    else
        take_text(root, folder + "/unix", nullptr, inode, out);
}

std::string net_folder(std::uint32_t pid) { return "/proc/" + std::to_string(pid) + "/net"; }

enum class Entered { yes, gone, refused };

// The process may have ended and its number may be another's now: the namespace must be the one that was meant.
Entered enter(const HostRoot& root, std::uint32_t pid, std::uint64_t inode) {
    const int fd = ::open(root.path("/proc/" + std::to_string(pid) + "/ns/net").c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return errno == EACCES || errno == EPERM ? Entered::refused : Entered::gone;
    struct stat status {};
    Entered result = Entered::gone;
    if (::fstat(fd, &status) == 0 && status.st_ino == inode)
        result = ::setns(fd, CLONE_NEWNET) == 0 ? Entered::yes : Entered::refused;
    ::close(fd);
    return result;
}

void take_other(const HostRoot& root, const NetNamespace& space, bool netlink, SocketKinds kinds,
                NamespaceSockets& out) {
    bool refused = !netlink;
    for (const std::uint32_t pid : space.pids) {
        const Entered entered = netlink ? enter(root, pid, space.inode) : Entered::refused;
        if (entered == Entered::yes) return take_here(root, net_folder(pid), space.inode, kinds, out);
        if (entered == Entered::gone) continue;
        refused = true;
        if (!take_all_text(root, net_folder(pid), space.inode, kinds, out)) continue;
        if (netlink) ++out.not_entered;
        return;
    }
    if (refused) ++out.not_read;  // else all of its processes have ended, and it with them
}

}  // namespace

std::uint64_t own_net_namespace() {
    struct stat status {};
    return ::stat("/proc/thread-self/ns/net", &status) == 0 ? status.st_ino : 0;
}

void read_own_namespace(const HostRoot& root, std::uint64_t inode, bool netlink, SocketKinds kinds,
                        NamespaceSockets& out) {
    if (netlink)
        take_here(root, "/proc/thread-self/net", inode, kinds, out);
    else if (!take_all_text(root, "/proc/thread-self/net", inode, kinds, out))
        ++out.not_read;
}

void read_other_namespaces(const HostRoot& root, const std::vector<NetNamespace>& others, bool netlink,
                           SocketKinds kinds, NamespaceSockets& out) {
    if (others.empty()) return;
    // setns(2) is of one thread: this one ends in the last namespace that it entered.
    try {
        std::thread([&] {
            for (const NetNamespace& space : others) take_other(root, space, netlink, kinds, out);
        }).join();
    } catch (const std::system_error&) {
        out.limits.emplace_back("sockets of other network namespaces are missing: no thread could be started");
    }
}

void read_text_namespace(const HostRoot& root, const NetNamespace& space, bool fallback, SocketKinds kinds,
                         NamespaceSockets& out) {
    for (const std::uint32_t pid : space.pids)
        if (take_all_text(root, net_folder(pid), space.inode, kinds, out)) return;
    if (!fallback || !take_all_text(root, "/proc/net", space.inode, kinds, out)) ++out.not_read;
}

}  // namespace hopscope::procmap
