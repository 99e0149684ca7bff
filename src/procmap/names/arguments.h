// Names that stand in command lines: containerd's shims, conmon; and containers by the cgroups of their processes.
// They need no permission but reading /proc, and hold where no runtime answers.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/node.h"

namespace hopscope::procmap {

struct ShimArguments {
    std::string namespace_;  // containerd's: "k8s.io", "moby"
    std::string id;          // 64 hexadecimal digits: the sandbox under k8s.io, the container under moby
    std::string address;     // containerd's gRPC socket
};
// containerd-shim-runc-v2 ("-namespace … -id … -address …"), the older containerd-shim ("-workdir …/ID"), and
// docker-containerd-shim of Docker up to 17.09 ("ID bundle runtime", no namespace).
std::optional<ShimArguments> shim_arguments(const Process& process);

struct ConmonArguments {
    std::string id;    // of the container
    std::string name;  // CRI-O's: "k8s_CONTAINER_POD_NAMESPACE_UID_ATTEMPT"
};
std::optional<ConmonArguments> conmon_arguments(const Process& process);

// One per container that the table's processes tell of, each id once.
std::vector<ContainerNames> names_from_processes(const SocketTable& table);

}  // namespace hopscope::procmap
