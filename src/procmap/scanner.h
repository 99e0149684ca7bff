// One pass over all sockets of all processes, as the eBPF iterator does it (procmap/bpf/scanner); the table reader
// takes whichever scanner it is given and falls back to sock_diag and /proc without one.
#pragma once

#include <vector>

#include "core/result.h"
#include "core/socket_table.h"

namespace hopscope::procmap {

class SocketScanner {
public:
    virtual ~SocketScanner() = default;
    // Sockets that some process has open, of all network namespaces; owners have pid and fd, start_ticks 0.
    // Sockets that nobody has open (TIME-WAIT, not yet accepted) are not among them.
    virtual Result<std::vector<Socket>> scan() = 0;
};

}  // namespace hopscope::procmap
