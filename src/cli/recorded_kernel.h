// What a recording tells beside packets and bytes: processes that were there, were started and ended. Completes chains
// as LiveKernel does while it happens.
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>

#include "capture/stream_source.h"
#include "chain/builder.h"
#include "chain/joins_forward.h"
#include "chain/process_book.h"
#include "core/limits.h"

namespace hopscope::cli {

class RecordedKernel {
public:
    RecordedKernel() : book_(limits::kBookRecordedProgramsMax) {}

    // Anything but stream pieces. `builder` is told the names of containers.
    void on(const capture::UnixRecord& record, chain::Builder& builder);
    // Of packets that were captured in pods.
    void on(const chain::ForwardLeg& leg) { forwards_.on(leg); }
    // Once everything was read: the hops to shims, processes and into pods, and names of processes that are known by
    // number only.
    void complete(chain::Builder& builder);

private:
    void know(const Process& process);
    void name(std::optional<chain::Process>& process, bool of_session) const;

    chain::ProcessBook book_;
    chain::ForwardBook forwards_;
    std::unordered_map<std::uint32_t, chain::Process> processes_;  // by pid
};

}  // namespace hopscope::cli
