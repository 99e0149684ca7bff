// A process of the node, as /proc tells it. Its identity is (pid, start time): pids are used again.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <vector>

#include "core/time.h"
#include "core/untrusted.h"

namespace hopscope {

struct ProcessId {
    std::uint32_t pid = 0;
    std::uint64_t start_ticks = 0;  // field 22 of /proc/PID/stat: clock ticks since boot; 0: unknown
    auto operator<=>(const ProcessId&) const = default;
};

// Which part of a Kubernetes node a process is. Told by executable, arguments and sockets, never by name alone.
enum class ProcessRole : std::uint8_t {
    unknown,
    kubelet,
    containerd,
    containerd_shim,
    dockerd,
    docker_proxy,
    cri_dockerd,
    crio,
    conmon,
    runc,
    kube_proxy,
    etcd,
    apiserver,
    controller_manager,
    scheduler,
    in_container,
};
std::string_view to_string(ProcessRole role);  // "containerd-shim"; empty for unknown

struct Process {
    ProcessId id;
    Timestamp started;  // by the node's clock, to a hundredth of a second; 0: unknown
    std::uint32_t parent_pid = 0;
    Untrusted comm;                  // 15 bytes at most
    Untrusted exe;                   // target of /proc/PID/exe; empty: not permitted to read
    std::vector<Untrusted> cmdline;  // arguments; may hold secrets; empty for a program known to be of no component
    Untrusted cgroup;                // the longest path of /proc/PID/cgroup
    Untrusted container_id;          // 64 hexadecimal digits, from the cgroup path
    Untrusted pod_uid;               // from the cgroup path
    ProcessRole role = ProcessRole::unknown;
    // What proves the role: sentences of our own, the first is the strongest ("exe is a Go program of module
    // github.com/containerd/containerd"). A role told by the name alone is not given; `role_doubt` then says why.
    std::vector<std::string> role_proof;
    std::string role_doubt;  // "is named containerd, but its executable holds no such program"; empty: none
    std::string version;     // of the program, from its build info or arguments: "1.6.20"; empty: unknown
    std::uint64_t pid_namespace = 0, net_namespace = 0;  // inode numbers; 0: unknown
};

}  // namespace hopscope
