#include "procmap/bpf/watcher.h"

#include <bpf/libbpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstring>

#include "events.h"
#include "procmap/bpf/clock.h"
#include "procmap/bpf/convert.h"
#include "procmap/bpf/embedded.h"
#include "procmap/bpf/object.h"
#include "procmap/kernel_numbers.h"

namespace hopscope::procmap {
namespace {

ProcessId process_of(const hs_owner& owner) {
    return {.pid = owner.pid, .start_ticks = start_ticks(owner.start_boot_ns)};
}

Untrusted comm_of(const hs_owner& owner) { return Untrusted(field_text(owner.comm, sizeof owner.comm)); }

SocketSign sign_of(const hs_life_event& raw, const BootClock& clock) {
    SocketSign sign;
    sign.kind = raw.kind == HS_LIFE_ACCEPT ? SocketSign::Kind::accept : SocketSign::Kind::state;
    sign.at = clock.wall(raw.at_boot_ns);
    sign.socket = raw.sk;
    sign.inode = raw.inode;
    sign.net_namespace = raw.net_namespace;
    sign.local = endpoint_of(raw.local, raw.local_port);
    sign.remote = endpoint_of(raw.remote, raw.remote_port);
    sign.old_state = state_of_number(raw.old_state);
    sign.new_state = state_of_number(raw.new_state);
    sign.sent_bytes = raw.sent_bytes;
    sign.owner = process_of(raw.owner);
    sign.comm = comm_of(raw.owner);
    return sign;
}

UnixAccept accept_of(const hs_unix_accept& raw, const BootClock& clock) {
    UnixAccept accept;
    accept.at = clock.wall(raw.at_boot_ns);
    accept.listener_inode = raw.listener_inode;
    accept.server_inode = raw.server_inode;
    accept.client_inode = raw.client_inode;
    accept.net_namespace = raw.net_namespace;
    accept.server = process_of(raw.server);
    accept.client = process_of(raw.client);
    accept.server_comm = comm_of(raw.server);
    accept.client_comm = comm_of(raw.client);
    return accept;
}

// Which of the two a record is, its size tells.
static_assert(sizeof(hs_unix_accept) != sizeof(hs_life_event));

}  // namespace

struct SocketWatcher::State {
    BpfObject object;
    BpfRing ring;
};

SocketWatcher::SocketWatcher(std::unique_ptr<State> state) : state_(std::move(state)) {}
SocketWatcher::~SocketWatcher() = default;

Result<std::unique_ptr<SocketWatcher>> SocketWatcher::open(std::uint32_t ring_bytes, std::uint32_t wake_bytes,
                                                           std::uint32_t unix_ring_bytes) {
    auto object = BpfObject::load("hopscope_life", bpf_object_life(), [&](BpfSetup& setup) {
        setup.ring_bytes("ring", ring_bytes);
        setup.constant("nr_accept", std::int64_t{SYS_accept});
        setup.constant("nr_accept4", std::int64_t{SYS_accept4});
        setup.constant("wake_bytes", wake_bytes);
        setup.constant("tell_unix", unix_ring_bytes != 0 ? 1 : 0);
        setup.ring_bytes("unix_ring",
                         unix_ring_bytes != 0 ? unix_ring_bytes : static_cast<std::uint32_t>(::getpagesize()));
    });
    if (!object) return unexpected(std::move(object.error()));
    auto ring = BpfRing::open(object->map_fd("ring"));
    if (!ring) return unexpected(std::move(ring.error()));
    if (unix_ring_bytes != 0)
        if (Status added = ring->add(object->map_fd("unix_ring")); !added) return unexpected(std::move(added.error()));
    auto state = std::make_unique<State>(State{std::move(*object), std::move(*ring)});
    for (const char* program : {"on_state", "on_accept"})
        if (Status attached = state->object.attach(program); !attached) return unexpected(std::move(attached.error()));
    return std::unique_ptr<SocketWatcher>(new SocketWatcher(std::move(state)));
}

int SocketWatcher::fd() const { return state_->ring.fd(); }

std::size_t SocketWatcher::drain(const std::function<void(const SocketSign&)>& callback,
                                 const std::function<void(const UnixAccept&)>& unix_callback) {
    const BootClock clock;
    return state_->ring.drain([&](std::span<const std::uint8_t> bytes) {
        // The kernel rounds nothing: a record is as long as it was reserved.
        if (bytes.size() == sizeof(hs_unix_accept)) {
            hs_unix_accept raw;
            std::memcpy(&raw, bytes.data(), sizeof raw);
            if (unix_callback) unix_callback(accept_of(raw, clock));
            return;
        }
        hs_life_event raw;
        if (bytes.size() < sizeof raw) return;
        std::memcpy(&raw, bytes.data(), sizeof raw);
        callback(sign_of(raw, clock));
    });
}

std::uint64_t SocketWatcher::lost() const { return state_->object.counter("counters", HS_COUNTER_LOST); }
std::uint64_t SocketWatcher::events() const { return state_->object.counter("counters", HS_COUNTER_EVENTS); }

}  // namespace hopscope::procmap
