// Tells what happens to TCP sockets while we look (raw tracepoints inet_sock_set_state and sys_exit, kernel 5.8+,
// CAP_BPF and CAP_PERFMON): listening, opened, accepted, closed, with the process that did it.
//
// Attached from open() to destruction and no longer: sys_exit costs every system call of the node some 30 to 60 ns.
// Nothing is pinned. Raw signs only: SocketLifeBook makes lives of them. It does not see what was there before (Scanner
// does), nor who owns a socket that was passed on or inherited, nor an accept through io_uring (the owner then comes
// when it closes).
//
// Where it is asked for, also every connection to a unix stream or seqpacket socket, when it is accepted: both ends and
// their owners come as one, so that a connection of a millisecond is told whole. Their ring is of its own. Not seen:
// one that nobody accepts, an accept through io_uring or by a 32-bit program, and when a connection ends.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "core/limits.h"
#include "core/result.h"
#include "procmap/bpf/socket_life.h"

namespace hopscope::procmap {

struct UnixAccept {
    Timestamp at;
    std::uint64_t listener_inode = 0, server_inode = 0;
    std::uint64_t client_inode = 0;  // 0: the client has closed its end already
    std::uint64_t net_namespace = 0;
    ProcessId server, client;  // who accepted, who connected; start 0 where the client was gone
    Untrusted server_comm, client_comm;
};

class SocketWatcher {
public:
    // `ring_bytes`: a power of two times the page size. `wake_bytes`: fd() becomes readable only when so much waits;
    // whoever drains by itself, several times a second, saves a wake-up per record. `unix_ring_bytes`: like ring_bytes;
    // 0: unix sockets are not told.
    static Result<std::unique_ptr<SocketWatcher>> open(std::uint32_t ring_bytes = limits::kLifeRingBytes,
                                                       std::uint32_t wake_bytes = 0, std::uint32_t unix_ring_bytes = 0);
    ~SocketWatcher();
    SocketWatcher(const SocketWatcher&) = delete;
    SocketWatcher& operator=(const SocketWatcher&) = delete;

    [[nodiscard]] int fd() const;  // readable when there is something to drain
    // In the order of the kernel, each kind for itself. Returns how many.
    std::size_t drain(const std::function<void(const SocketSign&)>& callback,
                      const std::function<void(const UnixAccept&)>& unix_callback = nullptr);
    [[nodiscard]] std::uint64_t lost() const;    // signs for which a ring had no room, counted in the kernel
    [[nodiscard]] std::uint64_t events() const;  // signs written to the rings

private:
    struct State;
    explicit SocketWatcher(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace hopscope::procmap
