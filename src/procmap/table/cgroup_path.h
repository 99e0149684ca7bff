// Which container and which pod a cgroup path names.
//
// The forms of containerd, CRI-O, Docker, Podman and nerdctl, with the cgroupfs and the systemd driver, cgroup v1 and
// v2, Kubernetes in a container (kind), static pods. Not known: runtimes whose container ids are not 64 hexadecimal
// digits.
#pragma once

#include <string>
#include <string_view>

namespace hopscope::procmap {

struct CgroupNames {
    std::string container_id;  // 64 hexadecimal digits; empty: none
    std::string pod_uid;       // with '-'; 32 hexadecimal digits for a static pod; empty: none
    bool is_monitor = false;   // the path is that of conmon, which is beside its container and not in it
};
// `path` as in /proc/PID/cgroup: "/kubepods/burstable/pod…/…". The last pod counts, and the last container below it: a
// node that is itself a container has its own id further left.
CgroupNames names_of_cgroup(std::string_view path);

// The path of the line of /proc/PID/cgroup that tells most: one that names a container, else the longest.
std::string_view telling_cgroup(std::string_view file);

// Whether a process of a login session or of a user's own services is in it (systemd's user.slice, systemd.special(7)).
bool is_of_user_session(std::string_view path);

}  // namespace hopscope::procmap
