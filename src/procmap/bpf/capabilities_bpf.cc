#include "procmap/bpf/capabilities_bpf.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/descriptor.h"
#include "procmap/bpf/lockdown.h"
#include "procmap/bpf/object.h"

namespace hopscope::procmap {
namespace {

using State = Capability::State;

constexpr bpf_insn instruction(unsigned code, unsigned to, unsigned from, int number) {
    return {.code = static_cast<__u8>(code),
            .dst_reg = static_cast<__u8>(to & 0xfU),
            .src_reg = static_cast<__u8>(from & 0xfU),
            .off = 0,
            .imm = number};
}

// Reads kernel memory, as all of our programs do: lockdown "confidentiality" forbids just that.
constexpr bpf_insn kTry[] = {
    instruction(BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_1, BPF_REG_10, 0),
    instruction(BPF_ALU64 | BPF_ADD | BPF_K, BPF_REG_1, 0, -8),
    instruction(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_2, 0, 8),
    instruction(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_3, 0, 0),
    instruction(BPF_JMP | BPF_CALL, 0, 0, BPF_FUNC_probe_read_kernel),
    instruction(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0),
    instruction(BPF_JMP | BPF_EXIT, 0, 0, 0),
};
constexpr std::size_t kTryLength = sizeof kTry / sizeof kTry[0];

void fail(Capability& row, State state, const char* step, int error, const char* lost) {
    const bool locked = is_refused_by_lockdown(error);
    row.state = state;
    row.detail = std::string(step) + ": " + std::strerror(error);
    if (locked) row.detail += ", lockdown \"confidentiality\" forbids it to read kernel memory";
    row.lost = lost;
    row.remedy = locked                              ? kLockdownRemedy
                 : error == EPERM || error == EACCES ? "sudo hopscope, or: setcap cap_bpf,cap_perfmon+ep hopscope"
                                                     : "a kernel of version 5.10 or later with BTF";
}

Capability programs() {
    Capability row = programs_capability();
    const char* lost = "short connections, unix socket contents and process starts are not seen; ports and pcap work";
    const Descriptor program(
        bpf_prog_load(BPF_PROG_TYPE_RAW_TRACEPOINT, "hopscope_try", "GPL", kTry, kTryLength, nullptr));
    if (!program.ok()) {
        fail(row, State::missing, "a raw tracepoint does not load", errno, lost);
        return row;
    }
    const Descriptor attached(bpf_raw_tracepoint_open("sched_process_exit", program.get()));
    if (attached.ok())
        row.detail = "raw tracepoint loaded and attached";
    else
        fail(row, State::missing, "a raw tracepoint loads, but does not attach", errno, lost);
    return row;
}

Capability iterator() {
    Capability row = iterator_capability();
    const char* lost =
        "sockets are read with netlink and a walk of /proc: slower, other network namespaces need CAP_SYS_ADMIN";
    const int type = libbpf_find_vmlinux_btf_id("task_file", BPF_TRACE_ITER);
    if (type < 0) {
        fail(row, State::limited, "no type bpf_iter_task_file", -type, lost);
        return row;
    }
    bpf_prog_load_opts options{};
    options.sz = sizeof options;
    options.expected_attach_type = BPF_TRACE_ITER;
    options.attach_btf_id = static_cast<std::uint32_t>(type);
    const Descriptor program(bpf_prog_load(BPF_PROG_TYPE_TRACING, "hopscope_try", "GPL", kTry, kTryLength, &options));
    if (!program.ok()) {
        fail(row, State::limited, "iter/task_file does not load", errno, lost);
        return row;
    }
    const Descriptor link(bpf_link_create(program.get(), 0, BPF_TRACE_ITER, nullptr));
    const Descriptor pass(link.ok() ? bpf_iter_create(link.get()) : -1);
    char nothing = 0;
    if (pass.ok() && ::read(pass.get(), &nothing, 1) >= 0)
        row.detail = "iter/task_file runs";
    else
        fail(row, State::limited, "iter/task_file loads, but does not run", errno, lost);
    return row;
}

Capability ring() {
    Capability row = ring_capability();
    const Descriptor map(bpf_map_create(BPF_MAP_TYPE_RINGBUF, "hopscope_try", 0, 0,
                                        static_cast<std::uint32_t>(::getpagesize()), nullptr));
    if (map.ok()) {
        row.detail = "made";
        return row;
    }
    const int error = errno;
    fail(row, State::missing, "no ring buffer", error,
         "short connections, unix socket contents and process starts are not seen");
    // Before 5.11 maps count against RLIMIT_MEMLOCK, and EPERM is also how that is told.
    if (error == EPERM) row.remedy += "; on kernels before 5.11 also: ulimit -l unlimited";
    return row;
}

}  // namespace

BpfCapabilities check_bpf() {
    capture_bpf_log();
    BpfCapabilities all{.programs = programs(), .iterator = iterator(), .ring = ring()};
    take_bpf_log();
    return all;
}

}  // namespace hopscope::procmap
