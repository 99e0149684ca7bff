// What the kernel tells a live command beside packets (eBPF): the bytes on the runtimes' sockets, and the programs that
// are started. Both go into the pipeline's model: the first as connections, the second when a chain is told.
//
// Attached from open() to destruction; nothing is pinned. What cannot be had is a sentence of missing(), no error,
// unless it is required. One descriptor per ring and one timer, served by the live runner.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "chain/joins_forward.h"
#include "chain/process_book.h"
#include "cli/live_owners.h"
#include "cli/live_tap.h"
#include "pipeline/live_runner.h"
#include "pipeline/pipeline.h"
#include "procmap/bpf/process_watcher.h"

namespace hopscope::cli {

struct LiveKernelOptions {
    bool ebpf = true;          // false: nothing is opened
    bool required = false;     // what cannot be had is an error
    bool unix_payload = true;  // false: the sockets' bytes are not asked for
};

class LiveKernel {
public:
    // `owners`, borrowed: which sockets are the runtimes', and what processes are called. It has read its table.
    explicit LiveKernel(const LiveOwners& owners) : owners_(owners) {}

    Status open(const LiveKernelOptions& options);
    // Both borrowed for as long as the runner runs.
    Status add_to(pipeline::LiveRunner& runner, pipeline::Pipeline& pipeline);
    // Before packets are read: calls that were made before them.
    void catch_up(pipeline::Pipeline& pipeline) {
        if (tap_) tap_->catch_up(pipeline);
    }
    // What the owners were told of connections.
    void on(const SocketLife& life) { forwards_.on(life); }
    // The owners have read their table again.
    Status follow(pipeline::Pipeline& pipeline, Timestamp now);
    // The run is over: what waits is told.
    void finish(pipeline::Pipeline& pipeline);
    // Before a chain is told: the process that was started, the connections that were made for a port-forward, and
    // names of processes that are known by number only.
    void complete(chain::Chain& chain, const chain::Model& model);

    // Records that were lost since the last call, for want of room.
    std::uint64_t newly_lost();
    [[nodiscard]] std::vector<std::string> missing() const { return missing_; }

private:
    void know_processes();
    void drain_processes();
    void name(std::optional<chain::Process>& process) const;

    const LiveOwners& owners_;
    std::unique_ptr<LiveTap> tap_;
    std::unique_ptr<procmap::ProcessWatcher> watcher_;
    chain::ProcessBook book_;
    chain::ForwardBook forwards_;
    std::vector<std::string> missing_;
    std::uint64_t told_lost_ = 0;
};

}  // namespace hopscope::cli
