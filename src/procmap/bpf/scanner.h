// Every open socket of every process, of all network namespaces, in one pass inside the kernel: the iterator task_file
// (kernel 5.8+, CAP_BPF and CAP_PERFMON).
//
// It does not see: sockets that no process has open (TIME-WAIT, not yet accepted), processes outside our pid namespace
// (the kernel shows only those inside: a container needs hostPID), TCP and UDP sockets that are neither bound nor
// connected, other families. Processes come and go during the pass: each descriptor is told as it was at its moment.
// Loading takes 5 to 30 ms and happens once, in open(); each scan() is one pass.
#pragma once

#include <memory>

#include "procmap/scanner.h"

namespace hopscope::procmap {

class Scanner : public SocketScanner {
public:
    static Result<std::unique_ptr<Scanner>> open();
    ~Scanner() override;
    Scanner(const Scanner&) = delete;
    Scanner& operator=(const Scanner&) = delete;

    // In the order of the first owner found (pid, fd). Queues: of a listener the waiting connections and how many may
    // wait; of a TCP connection bytes; of other sockets the memory that the kernel charges for what waits to be sent.
    Result<std::vector<Socket>> scan() override;

private:
    struct State;
    explicit Scanner(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace hopscope::procmap
