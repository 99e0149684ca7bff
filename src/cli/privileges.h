// Gives up what a capture does not need once everything is open: capabilities (libcap-ng), and the user on request.
//
// The bounding set is emptied, and no_new_privs is set, so nothing comes back. Files that are open stay so. Only the
// calling thread is changed: call it while there is no other.
#pragma once

#include <string>
#include <vector>

#include "core/result.h"

namespace hopscope::cli {

struct PrivilegeOptions {
    std::string user;       // become this user, with its groups; empty: stay who we are
    std::vector<int> keep;  // CAP_… numbers to go on with; those that we do not have are passed over
};

// What reading other users' processes and sockets again and again needs: CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH, CAP_BPF
// and CAP_PERFMON; CAP_SYS_ADMIN for tables of other network namespaces.
std::vector<int> capabilities_for_owners(bool other_net_namespaces);

// What the process that opens packet sockets in pods' network namespaces (capture/namespace_opener.h) needs and the
// caller has not: "CAP_SYS_ADMIN"; empty: it has it.
std::string lacks_for_opener();
// In that process: its capabilities are CAP_SYS_ADMIN, CAP_NET_RAW and CAP_SYS_PTRACE from now on (to enter a
// namespace, to make a packet socket, to open /proc/PID/ns/net of any process), and the sandbox `opener` is entered.
// False: not confined, so nothing may be opened.
bool confine_opener();

// PRV-01: no such user; PRV-02: the kernel refused.
Status drop_privileges(const PrivilegeOptions& options);

// Both at once for a command that watches the node: privileges are dropped, and the sandbox `live` is entered. A kernel
// without seccomp is told on stderr, it is no reason not to go on.
Status go_on_with_least(const PrivilegeOptions& options);

}  // namespace hopscope::cli
