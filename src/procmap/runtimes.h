// Which container runtimes of a node can be asked for names, and over which socket.
#pragma once

#include <span>
#include <vector>

#include "core/node.h"
#include "procmap/host_root.h"
#include "procmap/names/ask.h"

namespace hopscope::procmap {

struct RuntimeChoice {
    struct Candidate {
        RuntimeSocket socket;
        std::uint64_t inode = 0;  // of the listening socket: another one after a restart
    };
    std::vector<Candidate> ask;           // somebody listens there, root's first; at most limits::kRuntimesMax
    std::vector<RuntimeFacts> not_asked;  // is known by its settings, with the reason
};

// By the components' settings and by the usual paths (`files`). A path where nobody listens is left out.
RuntimeChoice choose_runtimes(const HostRoot& root, const SocketTable& table, std::span<const ComponentConfig> configs,
                              std::span<const SocketFile> files);

}  // namespace hopscope::procmap
