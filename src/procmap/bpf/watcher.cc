#include "procmap/bpf/watcher.h"

#include <bpf/libbpf.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstring>

#include "events.h"
#include "procmap/bpf/clock.h"
#include "procmap/bpf/convert.h"
#include "procmap/bpf/embedded.h"
#include "procmap/bpf/object.h"

namespace hopscope::procmap {
namespace {

SocketSign sign_of(const hs_life_event& raw, const BootClock& clock) {
    SocketSign sign;
    sign.kind = raw.kind == HS_LIFE_ACCEPT ? SocketSign::Kind::accept : SocketSign::Kind::state;
    sign.at = clock.wall(raw.at_boot_ns);
    sign.socket = raw.sk;
    sign.inode = raw.inode;
    sign.net_namespace = raw.net_namespace;
    sign.local = endpoint_of(raw.local, raw.local_port);
    sign.remote = endpoint_of(raw.remote, raw.remote_port);
    sign.old_state = tcp_state(raw.old_state);
    sign.new_state = tcp_state(raw.new_state);
    sign.sent_bytes = raw.sent_bytes;
    sign.owner = {.pid = raw.owner.pid, .start_ticks = start_ticks(raw.owner.start_boot_ns)};
    sign.comm = Untrusted(field_text(raw.owner.comm, sizeof raw.owner.comm));
    return sign;
}

}  // namespace

struct SocketWatcher::State {
    BpfObject object;
    BpfRing ring;
};

SocketWatcher::SocketWatcher(std::unique_ptr<State> state) : state_(std::move(state)) {}
SocketWatcher::~SocketWatcher() = default;

Result<std::unique_ptr<SocketWatcher>> SocketWatcher::open(std::uint32_t ring_bytes, std::uint32_t wake_bytes) {
    auto object = BpfObject::load("hopscope_life", bpf_object_life(), [&](BpfSetup& setup) {
        setup.ring_bytes("ring", ring_bytes);
        setup.constant("nr_accept", std::int64_t{SYS_accept});
        setup.constant("nr_accept4", std::int64_t{SYS_accept4});
        setup.constant("wake_bytes", wake_bytes);
    });
    if (!object) return unexpected(std::move(object.error()));
    auto ring = BpfRing::open(object->map_fd("ring"));
    if (!ring) return unexpected(std::move(ring.error()));
    auto state = std::make_unique<State>(State{std::move(*object), std::move(*ring)});
    for (const char* program : {"on_state", "on_accept"})
        if (Status attached = state->object.attach(program); !attached) return unexpected(std::move(attached.error()));
    return std::unique_ptr<SocketWatcher>(new SocketWatcher(std::move(state)));
}

int SocketWatcher::fd() const { return state_->ring.fd(); }

std::size_t SocketWatcher::drain(const std::function<void(const SocketSign&)>& callback) {
    const BootClock clock;
    return state_->ring.drain([&](std::span<const std::uint8_t> bytes) {
        hs_life_event raw;
        if (bytes.size() < sizeof raw) return;
        std::memcpy(&raw, bytes.data(), sizeof raw);
        callback(sign_of(raw, clock));
    });
}

std::uint64_t SocketWatcher::lost() const { return state_->object.counter("counters", HS_COUNTER_LOST); }
std::uint64_t SocketWatcher::events() const { return state_->object.counter("counters", HS_COUNTER_EVENTS); }

}  // namespace hopscope::procmap
