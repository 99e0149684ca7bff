#include "cli/live_tap.h"

#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <set>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>

#include "core/limits.h"

namespace hopscope::cli {
namespace {

// Sockets whose place tells what they are, for a runtime whose process may not be looked at.
constexpr std::string_view kUsualNames[] = {"/containerd.sock", "/crio.sock", "/cri-dockerd.sock", "/dockershim.sock",
                                            "/docker.sock"};

// Where containerd 1.4 and later makes the sockets of its shims, whatever its own settings say: known before the first
// of them is there.
constexpr std::string_view kShimFolder = "/run/containerd/s/";
constexpr std::size_t kDigestDigits = 64;

// Of the time, spent waiting for writes before packets are read; saved up at most.
constexpr int kWaitShare = 4;
constexpr std::chrono::milliseconds kWaitMax{100};

bool is_runtime(ProcessRole role) {
    return role == ProcessRole::containerd || role == ProcessRole::crio || role == ProcessRole::dockerd ||
           role == ProcessRole::cri_dockerd;
}

bool is_runtime_socket(const SocketTable& table, const Socket& socket) {
    const std::string_view path = socket.unix_local.path;
    if (path.empty() || path.ends_with(".ttrpc")) return false;
    if (std::any_of(std::begin(kUsualNames), std::end(kUsualNames),
                    [&](std::string_view name) { return path.ends_with(name); }))
        return true;
    return std::any_of(socket.owners.begin(), socket.owners.end(), [&](const SocketOwner& owner) {
        const Process* process = find_process(table, owner.process.pid);
        return process && (is_runtime(process->role) || process->role == ProcessRole::containerd_shim);
    });
}

// The folder, where the name is a digest, as shims of one containerd have them; else the path.
std::string_view folder_or_path(std::string_view path) {
    const std::size_t slash = path.rfind('/');
    if (path.starts_with('@') || slash == std::string_view::npos) return path;
    const std::string_view name = path.substr(slash + 1);
    const bool digest = name.size() == kDigestDigits && std::all_of(name.begin(), name.end(), [](char c) {
                            return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
                        });
    return digest ? path.substr(0, slash + 1) : path;
}

}  // namespace

RuntimeSockets runtime_sockets(const SocketTable& table) {
    RuntimeSockets found;
    std::set<std::uint32_t> several;
    for (const Socket& socket : table.sockets) {
        if (socket.transport != Transport::unix_stream) continue;
        if (socket.state != SocketState::listen) {
            if (socket.inode != 0) found.connected.insert(socket.inode);
            continue;
        }
        if (!is_runtime_socket(table, socket)) continue;
        found.paths.emplace_back(folder_or_path(socket.unix_local.path));
        for (const SocketOwner& owner : socket.owners) {
            const auto [known, fresh] = found.served.emplace(owner.process.pid, socket.unix_local.path);
            if (!fresh && known->second != socket.unix_local.path) several.insert(owner.process.pid);
        }
    }
    for (const std::uint32_t pid : several) found.served.erase(pid);
    if (std::any_of(table.processes.begin(), table.processes.end(),
                    [](const Process& process) { return process.role == ProcessRole::containerd; }))
        found.paths.emplace_back(kShimFolder);
    std::sort(found.paths.begin(), found.paths.end());
    found.paths.erase(std::unique(found.paths.begin(), found.paths.end()), found.paths.end());
    if (found.paths.size() > limits::kTapPathsMax) found.paths.resize(limits::kTapPathsMax);
    return found;
}

Result<std::unique_ptr<LiveTap>> LiveTap::open(const SocketTable& table, std::uint32_t ring_bytes) {
    RuntimeSockets sockets = runtime_sockets(table);
    auto tap = procmap::UnixTap::open(sockets.paths, ring_bytes);
    if (!tap) return unexpected(std::move(tap.error()));
    std::unique_ptr<LiveTap> live(new LiveTap);
    live->tap_ = std::move(*tap);
    live->paths_ = std::move(sockets.paths);
    live->streams_.open_before(std::move(sockets.connected));
    live->streams_.served_by(std::move(sockets.served));
    live->streams_.ask_written([tap = live->tap_.get()](std::uint64_t inode) {
        return tap->lost() > 0 ? tap->written(inode) : std::uint64_t{0};
    });
    live->clock_ = ::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (live->clock_ < 0)
        return unexpected(Error{.doing = "cannot make a timer",
                                .subject = {},
                                .why = std::generic_category().message(errno),
                                .errno_value = errno,
                                .hint = {},
                                .code = "LIV-01"});
    return live;
}

LiveTap::~LiveTap() {
    if (clock_ >= 0) ::close(clock_);
}

void LiveTap::set_clock(bool on) {
    if (on == clock_on_) return;
    constexpr long kHoldNs = long{limits::kTapHoldMs} * 1'000'000;
    const timespec span{.tv_sec = 0, .tv_nsec = on ? kHoldNs : 0};
    const itimerspec spec{.it_interval = span, .it_value = span};
    if (::timerfd_settime(clock_, 0, &spec, nullptr) == 0) clock_on_ = on;
}

void LiveTap::pass(const procmap::UnixWrite& write, pipeline::Pipeline& pipeline) {
    if (comms_.size() >= limits::kTapConnectionsMax && !comms_.contains(write.writer.pid)) comms_.clear();
    comms_[write.writer.pid] = write.writer_comm;
    streams_.on(write, [&](const StreamChunk& chunk) { tell(chunk, pipeline); });
}

void LiveTap::tell(const StreamChunk& chunk, pipeline::Pipeline& pipeline) const {
    pipeline.on(chunk);
    if (also_) also_(chunk);
}

Untrusted LiveTap::comm_of(std::uint32_t pid) const {
    const auto known = comms_.find(pid);
    return known == comms_.end() ? Untrusted() : known->second;
}

void LiveTap::drain(pipeline::Pipeline& pipeline) {
    std::uint64_t rounds = 0;
    [[maybe_unused]] const ssize_t got = ::read(clock_, &rounds, sizeof rounds);  // EAGAIN: it was the ring
    tap_->drain([&](const procmap::UnixWrite& write) { pass(write, pipeline); });
    set_clock(tap_->waits());
}

void LiveTap::catch_up(pipeline::Pipeline& pipeline) {
    drain(pipeline);
    if (!tap_->waits()) return;
    const auto now = std::chrono::steady_clock::now();
    allowance_ =
        std::min<std::chrono::steady_clock::duration>(kWaitMax, allowance_ + (now - allowance_at_) / kWaitShare);
    allowance_at_ = now;
    constexpr std::chrono::milliseconds kHold{limits::kTapHoldMs + 1};
    if (allowance_ < kHold) return;
    std::this_thread::sleep_for(kHold);
    allowance_ -= kHold;
    drain(pipeline);
}

void LiveTap::flush(pipeline::Pipeline& pipeline) {
    tap_->flush([&](const procmap::UnixWrite& write) { pass(write, pipeline); });
}

Status LiveTap::follow(const SocketTable& table, pipeline::Pipeline& pipeline, Timestamp now) {
    RuntimeSockets sockets = runtime_sockets(table);
    streams_.end_gone(sockets.connected, now, [&](const StreamChunk& chunk) { tell(chunk, pipeline); });
    streams_.served_by(std::move(sockets.served));
    bool first = true;
    for (const std::string& path : sockets.paths) {
        if (std::binary_search(paths_.begin(), paths_.end(), path) || paths_.size() >= limits::kTapPathsMax) continue;
        // What is connected there already is joined in the middle.
        if (std::exchange(first, false)) streams_.open_before(std::move(sockets.connected));
        if (Status watched = tap_->watch(path); !watched) return watched;
        paths_.insert(std::upper_bound(paths_.begin(), paths_.end(), path), path);
    }
    return Done{};
}

std::uint64_t LiveTap::newly_lost() {
    const std::uint64_t lost = tap_->lost();
    return lost - std::exchange(told_lost_, lost);
}

}  // namespace hopscope::cli
