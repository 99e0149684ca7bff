// The bytes on the container runtimes' unix sockets, from the kernel into the pipeline.
//
// Which sockets: every one that a container runtime or a shim listens on, and the kubelet's own runtime socket; not
// those that only shims report events on (".ttrpc"). A runtime that is started again listens on the same path and needs
// nothing; containerd's shims put theirs into one folder, which is watched as a whole, so a new shim is seen from its
// first byte; any other path that is new is watched from the next look at the socket table.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "cli/tap_streams.h"
#include "core/result.h"
#include "core/socket_table.h"
#include "core/time.h"
#include "pipeline/pipeline.h"
#include "procmap/bpf/unix_tap.h"

namespace hopscope::cli {

struct RuntimeSockets {
    // Sorted, as given to bind; folders of shims end with '/' and stand for the sockets in them.
    std::vector<std::string> paths;
    std::unordered_map<std::uint32_t, std::string> served;  // process: the path it listens on, if it is one only
    std::unordered_set<std::uint64_t> connected;            // inodes of all connected unix stream sockets of the node
};
RuntimeSockets runtime_sockets(const SocketTable& table);

class LiveTap {
public:
    // BPF-… where the kernel refuses.
    static Result<std::unique_ptr<LiveTap>> open(const SocketTable& table, std::uint32_t ring_bytes);
    ~LiveTap();
    LiveTap(const LiveTap&) = delete;
    LiveTap& operator=(const LiveTap&) = delete;

    // Told each piece after the pipeline.
    void also_tell(TapStreams::Tell also) { also_ = std::move(also); }
    [[nodiscard]] int fd() const { return tap_->fd(); }
    [[nodiscard]] int clock_fd() const { return clock_; }  // readable when what has waited is due
    // Both descriptors' drain.
    void drain(pipeline::Pipeline& pipeline);
    // Before packets are read: tells what was written until now, so that a call is known when its session opens. Waits
    // for it, limits::kTapHoldMs at most and no more than a share of the time; a call that then comes later still
    // joins.
    void catch_up(pipeline::Pipeline& pipeline);
    // Everything that waits, at the end of a run.
    void flush(pipeline::Pipeline& pipeline);
    // The socket table was read again: new paths are watched, connections that are gone end.
    Status follow(const SocketTable& table, pipeline::Pipeline& pipeline, Timestamp now);
    // This end of a connection is gone.
    void end(std::uint64_t inode, pipeline::Pipeline& pipeline, Timestamp now) {
        streams_.end(inode, now, [&](const StreamChunk& chunk) { tell(chunk, pipeline); });
    }
    // Records that were lost since the last call, for want of room.
    std::uint64_t newly_lost();
    [[nodiscard]] std::uint64_t lost() const { return tap_->lost(); }
    [[nodiscard]] const std::vector<std::string>& paths() const { return paths_; }
    // The path that this process listens on; empty: not known, or several.
    [[nodiscard]] std::string path_of(std::uint32_t pid) const { return streams_.path_of(pid); }
    // What a process that has written there is called; empty: unknown.
    [[nodiscard]] Untrusted comm_of(std::uint32_t pid) const;

private:
    LiveTap() = default;
    void set_clock(bool on);
    void pass(const procmap::UnixWrite& write, pipeline::Pipeline& pipeline);
    void tell(const StreamChunk& chunk, pipeline::Pipeline& pipeline) const;

    std::unique_ptr<procmap::UnixTap> tap_;
    TapStreams streams_;
    TapStreams::Tell also_;
    std::unordered_map<std::uint32_t, Untrusted> comms_;  // by process
    std::vector<std::string> paths_;                      // sorted
    int clock_ = -1;
    bool clock_on_ = false;
    std::uint64_t told_lost_ = 0;
    std::chrono::steady_clock::time_point allowance_at_ = std::chrono::steady_clock::now();
    std::chrono::steady_clock::duration allowance_{};
};

}  // namespace hopscope::cli
