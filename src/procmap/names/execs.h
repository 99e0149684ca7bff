// Execs that run now, by the FIFOs of their standard streams: containerd names them by container and exec id, and it
// and the shim hold them open. Docker's do the same. CRI-O's execs have no FIFO and are not found this way, nor are
// those of containerd 2.3 and later where streams go over a socket.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/node.h"
#include "procmap/host_root.h"

namespace hopscope::procmap {

struct StreamFifo {
    std::string_view container_id, exec_id;  // in the path that was given; the same: the container's own streams
};
// "…/io.containerd.grpc.v1.cri/containers/ID/io/NUMBER/EXEC-stdin", "…/containerd/ID/EXEC-stdout". Nothing for
// anything else.
std::optional<StreamFifo> stream_fifo(std::string_view path);

// The standard streams of one process of a container: who holds their FIFOs open.
struct HeldStreams {
    std::string container_id, exec_id;  // the same: the container's main process
    bool input = false;                 // standard input is among them
    std::vector<SocketOwner> holders;
};
// Looks at the descriptors of every containerd, shim and dockerd of the table. Sorted by container and exec. Of the
// main processes of containers only those whose FIFOs containerd's CRI made.
std::vector<HeldStreams> held_streams(const HostRoot& root, const SocketTable& table);

// The execs among them.
std::vector<RunningExec> running_execs(const HostRoot& root, const SocketTable& table);

}  // namespace hopscope::procmap
