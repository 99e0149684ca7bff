#include "procmap/bpf/process_watcher.h"

#include <bpf/libbpf.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <string_view>

#include "events.h"
#include "procmap/bpf/clock.h"
#include "procmap/bpf/convert.h"
#include "procmap/bpf/embedded.h"
#include "procmap/bpf/object.h"

namespace hopscope::procmap {
namespace {

int exit_status(std::uint32_t code) {
    const int status = static_cast<int>(code);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

std::vector<Untrusted> split_arguments(std::string_view bytes) {
    std::vector<Untrusted> arguments;
    while (!bytes.empty()) {
        const std::size_t end = std::min(bytes.find('\0'), bytes.size());
        arguments.emplace_back(bytes.substr(0, end));
        bytes.remove_prefix(std::min(end + 1, bytes.size()));
    }
    return arguments;
}

ProcessEvent event_of(const hs_exec_event& raw, const BootClock& clock) {
    const hs_process_event& process = raw.process;
    ProcessEvent event;
    event.kind = process.kind == HS_PROCESS_EXEC   ? ProcessEvent::Kind::exec
                 : process.kind == HS_PROCESS_FORK ? ProcessEvent::Kind::fork
                                                   : ProcessEvent::Kind::exit;
    event.at = clock.wall(process.at_boot_ns);
    event.process = {.pid = process.pid, .start_ticks = start_ticks(process.start_boot_ns)};
    event.parent_pid = process.parent_pid;
    if (event.kind == ProcessEvent::Kind::fork) return event;
    event.comm = Untrusted(field_text(process.comm, sizeof process.comm));
    for (const auto& name : process.cgroup) {
        const std::string_view text = field_text(name, sizeof name);
        if (text.empty()) break;
        event.cgroup_names.emplace_back(text);
    }
    if (event.kind == ProcessEvent::Kind::exit) {
        event.exit_code = exit_status(process.exit_code);
        return event;
    }
    event.filename = Untrusted(field_text(raw.filename, sizeof raw.filename));
    event.cmdline = split_arguments({raw.arguments, std::min<std::size_t>(raw.argument_bytes, sizeof raw.arguments)});
    return event;
}

}  // namespace

struct ProcessWatcher::State {
    BpfObject object;
    BpfRing ring;
};

ProcessWatcher::ProcessWatcher(std::unique_ptr<State> state) : state_(std::move(state)) {}
ProcessWatcher::~ProcessWatcher() = default;

Result<std::unique_ptr<ProcessWatcher>> ProcessWatcher::open(std::uint32_t ring_bytes, std::uint32_t wake_bytes) {
    auto object = BpfObject::load("hopscope_proc", bpf_object_process(), [&](BpfSetup& setup) {
        setup.ring_bytes("ring", ring_bytes);
        setup.constant("wake_bytes", wake_bytes);
    });
    if (!object) return unexpected(std::move(object.error()));
    auto ring = BpfRing::open(object->map_fd("ring"));
    if (!ring) return unexpected(std::move(ring.error()));
    auto state = std::make_unique<State>(State{std::move(*object), std::move(*ring)});
    for (const char* program : {"on_fork", "on_exec", "on_exit"})
        if (Status attached = state->object.attach(program); !attached) return unexpected(std::move(attached.error()));
    return std::unique_ptr<ProcessWatcher>(new ProcessWatcher(std::move(state)));
}

int ProcessWatcher::fd() const { return state_->ring.fd(); }

std::size_t ProcessWatcher::drain(const std::function<void(const ProcessEvent&)>& callback) {
    const BootClock clock;
    return state_->ring.drain([&](std::span<const std::uint8_t> bytes) {
        // An exit is the first part of a start, and a fork that of an exit.
        if (bytes.size() < sizeof(hs_fork_event)) return;
        hs_exec_event raw;
        std::memset(&raw, 0, sizeof raw);
        std::memcpy(&raw, bytes.data(), std::min(bytes.size(), sizeof raw));
        callback(event_of(raw, clock));
    });
}

std::uint64_t ProcessWatcher::lost() const { return state_->object.counter("counters", HS_COUNTER_LOST); }
std::uint64_t ProcessWatcher::events() const { return state_->object.counter("counters", HS_COUNTER_EVENTS); }

}  // namespace hopscope::procmap
