// What the kernel tells a live command beside packets (eBPF): the bytes on the runtimes' sockets, and the programs that
// are started. Both go into the pipeline's model: the first as connections, the second when a chain is told.
//
// Attached from open() to destruction; nothing is pinned. What cannot be had is a sentence of missing(), no error,
// unless it is required. One descriptor per ring and one timer, served by the live runner.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "chain/joins_forward.h"
#include "chain/joins_missing.h"
#include "chain/joins_seen.h"
#include "chain/process_book.h"
#include "chain/session_processes.h"
#include "cli/live_late.h"
#include "cli/live_names.h"
#include "cli/live_owners.h"
#include "cli/live_tap.h"
#include "core/limits.h"
#include "pipeline/live_runner.h"
#include "pipeline/pipeline.h"
#include "procmap/bpf/process_watcher.h"
#include "procmap/table/connection_ends.h"

namespace hopscope::cli {

struct LiveKernelOptions {
    bool ebpf = true;          // false: nothing is opened
    bool required = false;     // what cannot be had is an error
    bool unix_payload = true;  // false: the sockets' bytes are not asked for
    std::uint32_t tap_ring_bytes = limits::kTapRingBytes;
    std::string host_root = "/";  // below it the runtimes' sockets are asked for names
    // Told what goes into the pipeline and into the book, too; may be empty.
    std::function<void(const StreamChunk&)> also_chunk;
    std::function<void(const ProcessEvent&)> also_process;
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
    // What packets in pods tell of them, and where none are captured: chain/joins_forward.
    [[nodiscard]] chain::ForwardBook& forwards() { return forwards_; }
    // One that a runtime makes: it may be a forwarded connection.
    [[nodiscard]] bool may_forward(const SocketLife& life) const { return forwards_.is_by_runtime(life); }
    // Now and then: sessions on unix sockets that are gone end. Cheap where none is open.
    void tick(pipeline::Pipeline& pipeline, Timestamp now);
    // The owners have read their table again.
    Status follow(pipeline::Pipeline& pipeline, Timestamp now);
    // The run is over: what waits is told.
    void finish(pipeline::Pipeline& pipeline);
    // Before a chain is told: the process that was started and what it ran, the shim where none of its calls was read,
    // the connections that were made for a port-forward, and names of processes that are known by number only.
    void complete(chain::Chain& chain, const chain::Model& model);
    // A session that processes are looked for, and whose end is; what is known of one that was joined late is added.
    void session_opened(const chain::Session& session, chain::Builder& builder);
    // Of a connection that was there at the start: which end has opened it; nothing where that is not known.
    [[nodiscard]] std::optional<bool> first_is_client(const Endpoint& first, const Endpoint& second) const {
        return late_.first_is_client(first, second);
    }
    // Before its end is told: the same.
    void session_ended(const chain::Session& session, chain::Builder& builder);
    // The latter alone.
    void watch_end(const chain::Session& session);
    // What the processes of open sessions have done since the last call.
    void tell_processes(chain::Builder& builder, Timestamp now, const chain::SessionProcesses::Tell& tell);

    // What is known of a process by its number: the name may be empty.
    [[nodiscard]] chain::Process process_of(std::uint32_t pid) const;
    // Something is watched.
    [[nodiscard]] bool is_open() const { return tap_ || watcher_; }
    // A session on a unix socket: the processes at its ends, of which the numbers are known, get their names.
    void name_ends(const chain::Session& session, chain::Builder& builder) const;
    // The kernel does not tell what is started: the owners' table is all there is.
    [[nodiscard]] bool without_processes() const { return !sight_.processes.empty(); }
    // Why what cannot be seen cannot; complete after open() and without_connections().
    [[nodiscard]] const chain::Sight& sight() const { return sight_; }
    // The owners are not told by the kernel who opens connections.
    void without_connections(std::string why) { sight_.connections = std::move(why); }

    // Records that were lost since the last call, for want of room.
    std::uint64_t newly_lost();
    // Of all of them, pieces of sockets' bytes.
    [[nodiscard]] std::uint64_t tap_lost() const { return tap_ ? tap_->lost() : 0; }
    [[nodiscard]] std::vector<std::string> missing() const { return missing_; }

private:
    void know_processes();
    void drain_processes();
    // Where a process listens on a unix socket whose path ends so, by the table; empty: unknown.
    [[nodiscard]] std::string path_of(std::uint32_t pid, std::string_view name) const;
    void name(std::optional<chain::Process>& process) const;
    // The container or Pod that its CRI call tells by id: a list of them may have been asked for before we listened.
    void name_container(const chain::Session& session, chain::Builder& builder);

    const LiveOwners& owners_;
    std::unique_ptr<LiveTap> tap_;
    std::unique_ptr<procmap::ProcessWatcher> watcher_;
    std::function<void(const ProcessEvent&)> also_process_;
    chain::ProcessBook book_;
    chain::ForwardBook forwards_;
    chain::SessionProcesses session_processes_;
    LateSessions late_;
    LiveNames names_;
    procmap::HostRoot root_;
    procmap::ConnectionEnds exact_{procmap::HostRoot()};
    std::vector<std::uint64_t> open_unix_;  // sockets that open sessions are on and that can be asked for
    std::vector<std::uint64_t> gone_unix_;  // of them, not there when they were asked for last
    Timestamp asked_at_;
    std::string without_calls_;  // why no socket's bytes are read; empty: they are
    chain::SeenBook seen_;       // used where the kernel does not tell what is started
    chain::Sight sight_;
    std::vector<std::string> missing_;
    std::uint64_t told_lost_ = 0;
};

}  // namespace hopscope::cli
