// Which process an exec started, where the kernel does not tell of programs that start (no eBPF): by the processes that
// are there when the node's are read again.
//
// Only what lives long enough to be seen is seen. A process belongs to a session if it was started in a container, from
// outside of it, shortly after the session's request, and if it is the only one and nobody else's. Where the session's
// container is not known either, time is all there is: the hop is then `inferred`. Pure; bounded by
// limits::kBookProgramsMax.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "chain/model.h"
#include "core/process.h"

namespace hopscope::chain {

class SeenBook {
public:
    // Processes of a reading, `begun` tells when one was started (to 10 ms). Those of the first reading were there
    // before.
    void read(std::span<const hopscope::Process> processes, const std::function<Timestamp(const ProcessId&)>& begun);
    // Adds the hop to the process to an exec's chain that has none, or the candidates. True: it was added.
    bool complete(Chain& chain, std::span<const std::unique_ptr<Session>> all) const;

private:
    struct Seen {
        ProcessId id;
        Timestamp started;
        Untrusted comm, exe, container_id, pod_uid;
        Process starter;  // pid 0: unknown
    };
    [[nodiscard]] std::vector<const Seen*> choices(const Session& session) const;

    std::deque<Seen> seen_;         // by the order in which they were read
    std::vector<ProcessId> known_;  // of the last reading, sorted
    bool first_ = true;
};

}  // namespace hopscope::chain
