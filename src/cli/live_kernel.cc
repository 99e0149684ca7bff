#include "cli/live_kernel.h"

#include <utility>

namespace hopscope::cli {

Status LiveKernel::open(const LiveKernelOptions& options) {
    missing_.clear();
    know_processes();
    if (!options.unix_payload) missing_.emplace_back("CRI calls: not captured, --unix-payload off");
    if (!options.ebpf) {
        if (options.unix_payload) missing_.emplace_back("CRI calls: not captured, --ebpf off");
        missing_.emplace_back("processes in containers: not watched, --ebpf off");
        return Done{};
    }
    if (options.unix_payload) {
        auto tap = LiveTap::open(owners_.table());
        if (!tap && options.required) return unexpected(std::move(tap.error()));
        if (tap)
            tap_ = std::move(*tap);
        else
            missing_.push_back("CRI calls: no eBPF, " + tap.error().why);
    }
    auto watcher = procmap::ProcessWatcher::open();
    if (!watcher && options.required) return unexpected(std::move(watcher.error()));
    if (watcher)
        watcher_ = std::move(*watcher);
    else
        missing_.push_back("processes in containers: no eBPF, " + watcher.error().why);
    return Done{};
}

Status LiveKernel::add_to(pipeline::LiveRunner& runner, pipeline::Pipeline& pipeline) {
    if (watcher_) {
        if (Status added = runner.add({.name = "processes",
                                       .fd = watcher_->fd(),
                                       .drain = [this]() -> Result<bool> {
                                           drain_processes();
                                           return false;
                                       }});
            !added)
            return added;
    }
    if (!tap_) return Done{};
    for (const int fd : {tap_->fd(), tap_->clock_fd()}) {
        if (Status added = runner.add({.name = "unix sockets",
                                       .fd = fd,
                                       .drain = [this, &pipeline]() -> Result<bool> {
                                           tap_->drain(pipeline);
                                           return false;
                                       }});
            !added)
            return added;
    }
    return Done{};
}

Status LiveKernel::follow(pipeline::Pipeline& pipeline, Timestamp now) {
    drain_processes();
    know_processes();  // of those that only forked, too
    return tap_ ? tap_->follow(owners_.table(), pipeline, now) : Status(Done{});
}

void LiveKernel::finish(pipeline::Pipeline& pipeline) {
    drain_processes();
    if (tap_) tap_->flush(pipeline);
}

void LiveKernel::know_processes() {
    for (const Process& process : owners_.table().processes) {
        book_.know(process);
        forwards_.know(process);
    }
}

void LiveKernel::drain_processes() {
    if (watcher_) watcher_->drain([this](const ProcessEvent& event) { book_.on(event); });
}

void LiveKernel::name(std::optional<chain::Process>& process) const {
    if (!process || process->pid == 0 || !process->comm.empty()) return;
    if (tap_) process->comm = tap_->comm_of(process->pid);
    if (auto known = owners_.process_now(process->pid)) {
        process->exe = known->exe;
        if (process->comm.empty()) process->comm = known->comm;
    }
}

void LiveKernel::complete(chain::Chain& chain, const chain::Model& model) {
    drain_processes();
    book_.complete(chain, model.sessions);
    forwards_.complete(chain, model.sessions);
    for (chain::Hop& hop : chain.hops) {
        name(hop.from);
        name(hop.to);
    }
}

std::uint64_t LiveKernel::newly_lost() {
    const std::uint64_t lost = watcher_ ? watcher_->lost() : 0;
    return lost - std::exchange(told_lost_, lost) + (tap_ ? tap_->newly_lost() : 0);
}

}  // namespace hopscope::cli
