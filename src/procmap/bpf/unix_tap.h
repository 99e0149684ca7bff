// The bytes that processes write on chosen unix stream sockets, of both ends, exact and in order (raw tracepoints
// sys_enter and sys_exit, kernel 5.8+, CAP_BPF and CAP_PERFMON). Records writes only: what one end writes is what the
// other reads.
//
// Order: by the time at which the write was entered, over all streams; so a request comes before its answer. Records
// wait kTapHoldMs for earlier writes that return later; a write that blocks longer than that comes late, but within its
// stream nothing is ever out of order. Loss: `missing_before` says how many bytes of the stream are not there, and
// where. It does not see: bytes written before open() or watch() (offset 0 is the first byte seen, so a late start
// shows as a stream without its beginning), sendmmsg, io_uring, splice, sendfile, descriptors passed along (the bytes
// beside them are seen), 32-bit programs. Two threads that write on one socket at once are told in the order in which
// their calls returned. Attached from open() to destruction; every write on the node costs some 200 ns more, a recorded
// one 1.5 us. Nothing is pinned.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/bytes.h"
#include "core/limits.h"
#include "core/process.h"
#include "core/result.h"
#include "core/time.h"
#include "core/untrusted.h"

namespace hopscope::procmap {

// One piece of one write, at most 16 KiB. `bytes` is valid until the callback returns.
struct UnixWrite {
    Timestamp at;                  // when the system call was entered
    std::uint64_t inode = 0;       // of the socket written to
    std::uint64_t peer_inode = 0;  // of the other end; 0: not accepted yet
    bool by_server = false;        // the writer is the end that has the watched path
    ProcessId writer;
    Untrusted writer_comm;
    std::uint32_t peer_pid = 0;  // who connected, or called listen; from the peer's own writes where it has written
    Untrusted peer_comm;         // empty: the peer has written nothing yet
    std::uint64_t offset = 0;    // of the first byte in the writer's stream
    std::uint64_t missing_before = 0;  // bytes lost between the last piece of this stream and this one
    Bytes bytes;
};

class UnixTap {
public:
    // `paths` as given to bind ('@' begins an abstract name). `ring_bytes`: a power of two times the page size.
    static Result<std::unique_ptr<UnixTap>> open(const std::vector<std::string>& paths,
                                                 std::uint32_t ring_bytes = limits::kTapRingBytes);
    ~UnixTap();
    UnixTap(const UnixTap&) = delete;
    UnixTap& operator=(const UnixTap&) = delete;

    // One path more, from now on; connections that are open already are joined at their next write. A path that ends
    // with '/' stands for all sockets in this folder whose names are 64 bytes long, as containerd's shims have them,
    // those too that are made later.
    Status watch(const std::string& path);

    [[nodiscard]] int fd() const;  // readable when there is something to drain
    // Takes what is in the ring and tells what has waited long enough. Call it at least every kTapHoldMs while anything
    // waits.
    std::size_t drain(const std::function<void(const UnixWrite&)>& callback);
    // Tells all that waits, at the end of a run.
    std::size_t flush(const std::function<void(const UnixWrite&)>& callback);
    [[nodiscard]] bool waits() const;

    [[nodiscard]] std::uint64_t lost() const;        // records for which the ring had no room, counted in the kernel
    [[nodiscard]] std::uint64_t lost_bytes() const;  // bytes in them
    // Bytes that this socket's owner has written since it was watched, lost ones included; 0: not known (any more).
    // Goes through all watched streams: for the end of one that has lost something.
    [[nodiscard]] std::uint64_t written(std::uint64_t inode) const;
    [[nodiscard]] std::uint64_t bytes() const;  // written on watched sockets, the lost ones included

private:
    struct State;
    explicit UnixTap(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace hopscope::procmap
