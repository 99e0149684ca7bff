// Tells every process that is made, every program that is started and every process that ends on the node, containers
// included (raw tracepoints sched_process_fork, _exec and _exit, kernel 5.8+, CAP_BPF and CAP_PERFMON); starts and ends
// with the names of the control groups.
//
// One `fork` and one `exit` per process, not per thread. A `fork` wakes nobody: it is drained with what follows. It
// does not see arguments beyond the first 512 bytes. Attached from open() to destruction; nothing is pinned. Process
// numbers are those of the initial pid namespace.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "core/limits.h"
#include "core/node_event.h"
#include "core/result.h"

namespace hopscope::procmap {

class ProcessWatcher {
public:
    // `ring_bytes`: a power of two times the page size. `wake_bytes`: fd() becomes readable only when so much waits.
    static Result<std::unique_ptr<ProcessWatcher>> open(std::uint32_t ring_bytes = limits::kProcessRingBytes,
                                                        std::uint32_t wake_bytes = 0);
    ~ProcessWatcher();
    ProcessWatcher(const ProcessWatcher&) = delete;
    ProcessWatcher& operator=(const ProcessWatcher&) = delete;

    [[nodiscard]] int fd() const;  // readable when there is something to drain
    // In the order of the kernel. Returns how many.
    std::size_t drain(const std::function<void(const ProcessEvent&)>& callback);
    [[nodiscard]] std::uint64_t lost() const;    // events for which the ring had no room, counted in the kernel
    [[nodiscard]] std::uint64_t events() const;  // events written to the ring

private:
    struct State;
    explicit ProcessWatcher(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace hopscope::procmap
