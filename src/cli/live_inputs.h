// What a live command listens to, and in which order: sockets' owners, what eBPF tells, packets,
// packets in pods.
#pragma once

#include <functional>

#include "cli/live_kernel.h"
#include "cli/live_owners.h"
#include "cli/live_sources.h"
#include "cli/pod_captures.h"
#include "pipeline/live_runner.h"
#include "pipeline/pipeline.h"

namespace hopscope::cli {

// All borrowed for as long as the runner runs. `also`, if given, is told each packet after the pipeline, with its
// number in the run. An input that cannot be added is told on stderr, and the others go on.
struct LiveInputs {
    LiveOwners& owners;
    LiveKernel& kernel;
    LiveSources& sources;
    PodCaptures& pods;
    pipeline::Pipeline& pipeline;
};
void add_live_inputs(pipeline::LiveRunner& runner, const LiveInputs& inputs,
                     const std::function<void(const Packet&)>& also = {});

}  // namespace hopscope::cli
