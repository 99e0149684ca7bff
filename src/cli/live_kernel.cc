#include "cli/live_kernel.h"

#include <algorithm>
#include <utility>

#include "cli/live_shim.h"
#include "procmap/bpf/clock.h"

namespace hopscope::cli {

Status LiveKernel::open(const LiveKernelOptions& options) {
    missing_.clear();
    root_ = procmap::HostRoot(options.host_root);
    if (!options.unix_payload)
        without_calls_ = "not captured, --unix-payload off";
    else if (!options.ebpf)
        without_calls_ = "not captured, --ebpf off";
    sight_.calls = without_calls_;
    if (!options.ebpf) sight_.processes = "not watched, --ebpf off";
    if (!options.ebpf) {
        missing_.push_back("CRI calls: " + without_calls_);
        missing_.emplace_back("processes in containers: not watched, --ebpf off");
        know_processes();
        late_.begin(root_, owners_.table(), book_, false);
        return Done{};
    }
    if (options.unix_payload) {
        auto tap = LiveTap::open(owners_.table(), options.tap_ring_bytes);
        if (!tap && options.required) return unexpected(std::move(tap.error()));
        if (tap) {
            tap_ = std::move(*tap);
            tap_->also_tell(options.also_chunk);
        } else {
            sight_.calls = without_calls_ = "no eBPF, " + tap.error().why;
        }
    }
    if (!without_calls_.empty()) missing_.push_back("CRI calls: " + without_calls_);
    also_process_ = options.also_process;
    // Packets and ticks ask for the events, too.
    auto watcher = procmap::ProcessWatcher::open(limits::kProcessRingBytes, limits::kProcessRingBytes / 4);
    if (!watcher && options.required) return unexpected(std::move(watcher.error()));
    if (watcher)
        watcher_ = std::move(*watcher);
    else
        missing_.push_back("processes in containers: " + (sight_.processes = "no eBPF, " + watcher.error().why));
    know_processes();
    late_.begin(root_, owners_.table(), book_, watcher_ != nullptr);
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

// The kernel tells no end of a unix socket, and the table is read too seldom for it.
void LiveKernel::tick(pipeline::Pipeline& pipeline, Timestamp now) {
    drain_processes();
    constexpr std::int64_t kAskPauseNs = kNanosecondsPerSecond;
    if ((open_unix_.empty() && gone_unix_.empty()) || !tap_ || (now - asked_at_).ns < kAskPauseNs) return;
    asked_at_ = now;
    // What was written last has been read by now.
    for (const std::uint64_t inode : gone_unix_) tap_->end(inode, pipeline, now);
    const auto gone = std::stable_partition(open_unix_.begin(), open_unix_.end(),
                                            [this](std::uint64_t inode) { return exact_.has_unix(inode); });
    gone_unix_.assign(gone, open_unix_.end());
    open_unix_.erase(gone, open_unix_.end());
}

void LiveKernel::session_opened(const chain::Session& session, chain::Builder& builder) {
    session_processes_.opened(session);
    watch_end(session);
    late_.opened(session, builder);
    name_container(session, builder);
}

void LiveKernel::session_ended(const chain::Session& session, chain::Builder& builder) {
    if (late_.waits_for(session.number)) {
        drain_processes();
        late_.look(session, builder, book_, session_processes_);
    }
    name_container(session, builder);
}

void LiveKernel::name_container(const chain::Session& session, chain::Builder& builder) {
    if (!session.k8s.pod.empty()) return;
    const Untrusted& id = session.container.id.empty() ? session.container.sandbox_id : session.container.id;
    if (id.empty()) return;
    const ContainerNames* names = names_.find(id.raw(), owners_.table(), root_, session.end);  // raw-ok: compared only
    if (names) builder.name_container(session.number, *names);
}

void LiveKernel::watch_end(const chain::Session& session) {
    if (!session.unix_socket || open_unix_.size() >= limits::kTapConnectionsMax) return;
    // One of another network namespace is not found here, whether it is there or not.
    if (exact_.has_unix(session.unix_socket->inode)) open_unix_.push_back(session.unix_socket->inode);
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
    if (!without_processes()) return;
    const procmap::BootClock clock;
    seen_.read(owners_.table().processes, [&](const ProcessId& id) {
        return clock.wall(id.start_ticks * 10'000'000);  // USER_HZ is 100
    });
}

void LiveKernel::drain_processes() {
    if (!watcher_) return;
    watcher_->drain([this](const ProcessEvent& event) {
        book_.on(event);
        if (also_process_) also_process_(event);
    });
}

chain::Process LiveKernel::process_of(std::uint32_t pid) const {
    chain::Process process{.pid = pid, .comm = {}, .exe = {}};
    if (tap_) process.comm = tap_->comm_of(pid);
    if (auto known = owners_.process_now(pid)) {
        process.exe = known->exe;
        if (process.comm.empty()) process.comm = known->comm;
    }
    return process;
}

void LiveKernel::name(std::optional<chain::Process>& process) const {
    if (process && process->pid != 0 && process->comm.empty()) process = process_of(process->pid);
}

void LiveKernel::name_ends(const chain::Session& session, chain::Builder& builder) const {
    if (!session.ends) return;
    chain::Ends ends = *session.ends;
    name(ends.from);
    name(ends.to);
    builder.name_ends(session.number, std::move(ends));
}

std::string LiveKernel::path_of(std::uint32_t pid, std::string_view name) const {
    for (const Socket& socket : owners_.table().sockets) {
        const bool by_it = std::any_of(socket.owners.begin(), socket.owners.end(),
                                       [&](const SocketOwner& owner) { return owner.process.pid == pid; });
        if (by_it && socket.state == SocketState::listen && socket.unix_local.path.ends_with(name))
            return socket.unix_local.path;
    }
    return {};
}

void LiveKernel::complete(chain::Chain& chain, const chain::Model& model) {
    drain_processes();
    sight_.pieces_lost = tap_lost();
    book_.complete(chain, model.sessions);
    const bool late = late_.complete(chain, model.sessions, book_);
    forwards_.complete(chain, model.sessions);
    if (without_processes() && seen_.complete(chain, model.sessions)) owners_.name(chain);
    // A container that came after the start may be in no list that was seen.
    names_.complete(chain, owners_.table(), root_, chain.end);
    add_shim_by_table(chain, model.sessions, owners_.table(),
                      !without_calls_.empty() ? without_calls_
                      : late                  ? "those that started it were made before hopscope looked"
                                              : "no call about the container was seen");
    for (chain::Hop& hop : chain.hops) {
        name(hop.from);
        name(hop.to);
        // A shim that was started a moment ago: its socket is known since the last look at the table.
        if (tap_ && hop.kind == chain::HopKind::shim && hop.unix_socket && hop.unix_socket->path.empty() && hop.to)
            hop.unix_socket->path = tap_->path_of(hop.to->pid);
        // Both listen on several; what carries the API is told by its name.
        if (hop.kind == chain::HopKind::shim && hop.unix_socket && hop.unix_socket->path.empty() && hop.to) {
            if (hop.proto == "docker") hop.unix_socket->path = path_of(hop.to->pid, "docker.sock");
            if (hop.proto == "grpc") hop.unix_socket->path = path_of(hop.to->pid, "/containerd.sock");
        }
    }
}

void LiveKernel::tell_processes(chain::Builder& builder, Timestamp now, const chain::SessionProcesses::Tell& tell) {
    drain_processes();
    late_.look_at_all(builder, book_, session_processes_, now);
    session_processes_.look(builder, book_, now, tell);
}

std::uint64_t LiveKernel::newly_lost() {
    const std::uint64_t lost = watcher_ ? watcher_->lost() : 0;
    return lost - std::exchange(told_lost_, lost) + (tap_ ? tap_->newly_lost() : 0);
}

}  // namespace hopscope::cli
