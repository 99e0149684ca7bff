#include "procmap/bpf/capabilities.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/magic.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netpacket/packet.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string_view>

#include "core/descriptor.h"
#include "procmap/bpf/capabilities_bpf.h"
#include "procmap/bpf/lockdown.h"
#include "procmap/own_capabilities.h"

namespace hopscope::procmap {
namespace {

using State = Capability::State;

struct CloseDirectory {
    void operator()(DIR* directory) const { ::closedir(directory); }
};

std::string first_line(const char* path) {
    const Descriptor file(::open(path, O_RDONLY | O_CLOEXEC));
    char text[256];
    const ssize_t got = file.ok() ? ::read(file.get(), text, sizeof text) : -1;
    if (got <= 0) return {};
    const std::string_view all(text, static_cast<std::size_t>(got));
    return std::string(all.substr(0, all.find('\n')));
}

std::string why(int error) { return std::strerror(error); }

Capability packet_capture() {
    Capability row{.code = "CAP-01", .name = "packet capture"};
    const Descriptor packets(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
    sockaddr_ll loopback{};
    loopback.sll_family = AF_PACKET;
    loopback.sll_ifindex = static_cast<int>(::if_nametoindex("lo"));
    // Protocol 0: bound, but no packet is delivered.
    if (packets.ok() && ::bind(packets.get(), reinterpret_cast<const sockaddr*>(&loopback), sizeof loopback) == 0) {
        row.detail = "CAP_NET_RAW, lo opens";
        return row;
    }
    const int error = errno;
    row.state = State::missing;
    row.detail =
        error == EPERM ? "CAP_NET_RAW is missing (uid " + std::to_string(::getuid()) + ")" : "lo: " + why(error);
    row.lost = "live, record: no packets; analyze FILE and ports work";
    row.remedy = "sudo hopscope, or: setcap cap_net_raw+ep hopscope";
    return row;
}

// 0: the first descriptor of this process can be read, or it has none; else the errno.
int first_descriptor_error(const std::string& pid) {
    const std::unique_ptr<DIR, CloseDirectory> directory(::opendir(("/proc/" + pid + "/fd").c_str()));
    if (!directory) return errno;
    while (const dirent* entry = ::readdir(directory.get())) {
        if (entry->d_name[0] == '.') continue;
        char target[64];
        return ::readlinkat(::dirfd(directory.get()), entry->d_name, target, sizeof target) >= 0 ? 0 : errno;
    }
    return 0;
}

Capability process_of_socket() {
    Capability row{.code = "CAP-03", .name = "process of a socket"};
    constexpr int kProcessesTried = 512;
    int tried = 0, refused = 0;
    const std::unique_ptr<DIR, CloseDirectory> processes(::opendir("/proc"));
    while (const dirent* entry = processes ? ::readdir(processes.get()) : nullptr) {
        if (entry->d_name[0] < '1' || entry->d_name[0] > '9') continue;
        const int error = first_descriptor_error(entry->d_name);
        if (error == EACCES || error == EPERM) ++refused;
        if (++tried == kProcessesTried) break;
    }
    const std::string lacks = missing_to_list_descriptors(effective_capabilities());
    const std::string share = std::to_string(refused) + " of " + std::to_string(tried) + " processes";
    if (refused == 0 && tried > 0) {
        row.detail = "the descriptors of all " + std::to_string(tried) + " processes tried can be read";
    } else if (lacks.empty() && refused < tried) {
        row.detail = "CAP_SYS_PTRACE + CAP_DAC_READ_SEARCH; " + share + " refuse all the same (a security module)";
    } else {
        row.state = State::limited;
        row.detail = share + " keep their descriptors from us: ";
        if (lacks.empty())
            row.detail += "a security module refuses";
        else
            row.detail += lacks + (lacks.find(" and ") == std::string::npos ? " is missing" : " are missing");
        row.lost = "ports, why, chain: sockets of other users' processes have no owner";
        row.remedy = "sudo hopscope, or: setcap cap_sys_ptrace,cap_dac_read_search+ep hopscope";
    }
    return row;
}

Capability network_namespaces() {
    Capability row{.code = "CAP-04", .name = "network namespaces"};
    // Into the one we are in: it takes the same right as any other and changes nothing.
    const Descriptor own(::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
    if (own.ok() && ::setns(own.get(), CLONE_NEWNET) == 0) {
        row.detail = "CAP_SYS_ADMIN, setns works";
        return row;
    }
    const int error = errno;
    row.state = State::limited;
    row.detail = error == EPERM ? "CAP_SYS_ADMIN is missing" : why(error);
    row.lost =
        "pods with a network of their own: their sockets are seen by the eBPF iterator only, their packets (the last "
        "leg of a port-forward, --netns) not at all";
    row.remedy = "sudo hopscope, or: setcap cap_sys_admin+ep hopscope";
    return row;
}

// 0, or the errno with which the kernel refuses a dump of listeners of this family.
int dump_error(std::uint8_t family) {
    const Descriptor netlink(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
    if (!netlink.ok()) return errno;
    struct {
        nlmsghdr head;
        union {
            inet_diag_req_v2 inet;
            unix_diag_req local;
        } body;
    } request{};
    request.head.nlmsg_type = SOCK_DIAG_BY_FAMILY;
    request.head.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    constexpr std::uint32_t kListening = 1U << 10;
    if (family == AF_UNIX) {
        request.head.nlmsg_len = NLMSG_LENGTH(sizeof request.body.local);
        request.body.local.sdiag_family = family;
        request.body.local.udiag_states = kListening;
    } else {
        request.head.nlmsg_len = NLMSG_LENGTH(sizeof request.body.inet);
        request.body.inet.sdiag_family = family;
        request.body.inet.sdiag_protocol = IPPROTO_TCP;
        request.body.inet.idiag_states = kListening;
    }
    const timeval patience{.tv_sec = 0, .tv_usec = 50'000};
    ::setsockopt(netlink.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (::send(netlink.get(), &request, request.head.nlmsg_len, 0) < 0) return errno;
    alignas(nlmsghdr) char answer[16 * 1024];
    const ssize_t got = ::recv(netlink.get(), answer, sizeof answer, 0);
    if (got < 0) return errno;
    nlmsghdr head;
    if (static_cast<std::size_t>(got) < sizeof head + sizeof(nlmsgerr)) return 0;
    std::memcpy(&head, answer, sizeof head);
    if (head.nlmsg_type != NLMSG_ERROR) return 0;
    nlmsgerr error;
    std::memcpy(&error, answer + NLMSG_HDRLEN, sizeof error);
    return -error.error;
}

Capability socket_tables() {
    Capability row{.code = "CAP-05", .name = "socket tables by netlink"};
    const struct {
        std::uint8_t family;
        const char* name;
        const char* module;
    } families[] = {{AF_INET, "IPv4", "tcp_diag"}, {AF_INET6, "IPv6", "tcp_diag"}, {AF_UNIX, "unix", "unix_diag"}};
    std::string works, fails;
    for (const auto& family : families) {
        const int error = dump_error(family.family);
        std::string& list = error == 0 ? works : fails;
        if (!list.empty()) list += ", ";
        list += family.name;
        if (error == 0) continue;
        list += ": " + (error == ENOENT ? "module missing" : why(error));
        row.state = State::limited;
        row.remedy += std::string(row.remedy.empty() ? "modprobe " : " ") + family.module;
    }
    row.detail = works.empty()   ? fails
                 : fails.empty() ? "sock_diag for " + works
                                 : "sock_diag for " + works + "; " + fails;
    if (row.state != State::ok)
        row.lost = "without eBPF these are read from /proc/net: slower, and no peers of unix sockets";
    return row;
}

Capability host_pid_namespace() {
    Capability row{.code = "CAP-06", .name = "host pid namespace"};
    constexpr ino_t kInitialPidNamespace = 0xEFFFFFFC;  // PROC_PID_INIT_INO, the same on every kernel
    struct stat own {};
    if (::stat("/proc/self/ns/pid", &own) == 0 && own.st_ino == kInitialPidNamespace) {
        row.detail = "all processes of the node are visible";
        return row;
    }
    row.state = State::limited;
    row.detail = own.st_ino == 0 ? "/proc is not mounted" : "in a pid namespace of its own";
    row.lost = "processes outside this container: sockets of the node have no owner, also with eBPF";
    row.remedy = "hostPID: true in the pod, or: docker run --pid=host";
    return row;
}

Capability control_groups() {
    Capability row{.code = "CAP-07", .name = "control groups"};
    struct statfs mounted {};
    const int error = ::statfs("/sys/fs/cgroup", &mounted) == 0 ? 0 : errno;
    // An empty directory of sysfs: nothing is mounted there.
    if (error != 0 || mounted.f_type == SYSFS_MAGIC) {
        row.state = State::limited;
        row.detail = "/sys/fs/cgroup: " + (error != 0 ? why(error) : std::string("nothing is mounted"));
        row.lost = "whether version 1 or 2 is in use; containers are told from /proc/PID/cgroup all the same";
        row.remedy = "mount /sys/fs/cgroup";
        return row;
    }
    const bool unified_inside = ::access("/sys/fs/cgroup/unified", F_OK) == 0;
    row.detail = mounted.f_type == CGROUP2_SUPER_MAGIC ? "version 2"
                 : unified_inside                      ? "version 1, hybrid"
                                                       : "version 1";
    return row;
}

Capability kernel_types() {
    Capability row{.code = "BPF-02", .name = "kernel types"};
    struct stat types {};
    if (::stat("/sys/kernel/btf/vmlinux", &types) == 0 && ::access("/sys/kernel/btf/vmlinux", R_OK) == 0) {
        char text[64];
        std::snprintf(text, sizeof text, "/sys/kernel/btf/vmlinux %.1f MiB",
                      static_cast<double>(types.st_size) / (1024 * 1024));
        row.detail = text;
        return row;
    }
    row.state = State::missing;
    row.detail = "/sys/kernel/btf/vmlinux: " + why(errno);
    row.lost =
        "all of eBPF: unix socket contents, process starts, short connections; ports, pcap, SPDY, WebSocket work";
    row.remedy = "a kernel with CONFIG_DEBUG_INFO_BTF=y, or --ebpf off to hide this";
    return row;
}

Capability tracefs() {
    Capability row{.code = "BPF-03", .name = "tracefs"};
    struct statfs mounted {};
    const bool there = ::statfs("/sys/kernel/tracing", &mounted) == 0 && mounted.f_type == TRACEFS_MAGIC;
    row.detail =
        there ? "mounted; not needed, raw tracepoints are used" : "not mounted; not needed, raw tracepoints are used";
    return row;
}

Capability kprobes() {
    Capability row{.code = "BPF-05", .name = "kprobes"};
    const bool built = ::access("/sys/bus/event_source/devices/kprobe/type", F_OK) == 0;
    row.detail = std::string(built ? "in this kernel" : "not in this kernel") +
                 "; not needed: sys_enter, sys_exit, inet_sock_set_state and sched_process_* are used instead";
    const std::string paranoid = first_line("/proc/sys/kernel/perf_event_paranoid");
    if (!paranoid.empty()) row.detail += "; perf_event_paranoid " + paranoid + " does not matter";
    return row;
}

// "lockdown integrity, unprivileged_bpf_disabled 2": what an administrator looks at when eBPF is refused.
std::string policy() {
    const std::string lockdown = lockdown_mode();
    const std::string unprivileged = first_line("/proc/sys/kernel/unprivileged_bpf_disabled");
    std::string text = "lockdown " + (lockdown.empty() ? "unknown" : lockdown);
    if (!unprivileged.empty()) text += ", unprivileged_bpf_disabled " + unprivileged;
    return text;
}

}  // namespace

Capability programs_capability() { return {.code = "BPF-01", .name = "eBPF programs"}; }
Capability iterator_capability() { return {.code = "BPF-04", .name = "socket iterator"}; }
Capability ring_capability() { return {.code = "BPF-06", .name = "ring buffer"}; }

std::vector<Capability> check_capabilities() {
    BpfCapabilities bpf = check_bpf();
    bpf.programs.detail += "; " + policy();
    return {packet_capture(), process_of_socket(),     network_namespaces(), socket_tables(), host_pid_namespace(),
            control_groups(), std::move(bpf.programs), kernel_types(),       tracefs(),       std::move(bpf.iterator),
            kprobes(),        std::move(bpf.ring)};
}

}  // namespace hopscope::procmap
