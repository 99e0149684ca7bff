#include "cli/live_inputs.h"

#include <string>
#include <vector>

#include "cli/report_error.h"
#include "core/limits.h"

namespace hopscope::cli {

void add_live_inputs(pipeline::LiveRunner& runner, const LiveInputs& inputs,
                     const std::function<void(const Packet&)>& also) {
    const auto add = [&runner](pipeline::LiveInput input) {
        if (const Status added = runner.add(std::move(input)); !added) report_error(added.error());
    };
    LiveOwners& owners = inputs.owners;
    LiveKernel& kernel = inputs.kernel;
    pipeline::Pipeline& pipeline = inputs.pipeline;
    // First: who opened a connection is then known when its packets are read.
    if (owners.watch_fd() >= 0) {
        add({.name = "sockets", .fd = owners.watch_fd(), .drain = [&owners, &pipeline]() -> Result<bool> {
                 owners.take_signs(pipeline.builder());
                 return false;
             }});
    }
    if (const Status added = kernel.add_to(runner, pipeline); !added) report_error(added.error());
    if (const Status added = inputs.pods.add_to(runner); !added) report_error(added.error());
    const std::vector<std::string> names = inputs.sources.names();
    for (std::size_t i = 0; i < names.size(); ++i) {
        capture::LiveSource* source = inputs.sources.all()[i].get();
        add({.name = names[i], .fd = source->fd(), .drain = [&owners, &kernel, &pipeline, &runner, source, also] {
                 owners.take_signs(pipeline.builder());
                 kernel.catch_up(pipeline);
                 return source->drain(limits::kLivePacketsPerTurn, [&runner, &also](Packet packet) {
                     runner.packet(packet);
                     if (!also) return;
                     packet.frame = runner.packets();
                     also(packet);
                 });
             }});
    }
}

}  // namespace hopscope::cli
