// SPDX-License-Identifier: GPL-2.0-or-later
// Processes that are made, programs that are started, processes that end (raw tracepoints, kernel 5.8+). The names of the control groups are read here,
// so a command that ends at once is still known to be in its container.
#include "kernel_types.h"

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#include "events.h"
#include "counters.h"
#include "wake.h"

char _license[] SEC("license") = "GPL";

enum { SIGNAL_GROUP_EXIT = 4 };

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 1024 * 1024);
} ring SEC(".maps");

// The group that names the container: of the pids controller where that has a tree of its own (version 1), else that of the
// unified tree. In the unified tree the controller's own group may lie above the process's group.
static __always_inline struct cgroup *group_of(struct task_struct *task) {
    struct css_set *set = BPF_CORE_READ(task, cgroups);
    struct cgroup *unified = BPF_CORE_READ(set, dfl_cgrp);
    if (!bpf_core_enum_value_exists(enum cgroup_subsys_id, pids_cgrp_id)) return unified;
    __u32 index = bpf_core_enum_value(enum cgroup_subsys_id, pids_cgrp_id);
    struct cgroup_subsys_state *state = 0;
    bpf_core_read(&state, sizeof state, (char *)set + bpf_core_field_offset(set->subsys) + index * sizeof(void *));
    struct cgroup *pids = BPF_CORE_READ(state, cgroup);
    return pids && BPF_CORE_READ(pids, root) != BPF_CORE_READ(unified, root) ? pids : unified;
}

static __always_inline void names_of(struct task_struct *task, struct hs_process_event *event) {
    struct cgroup *group = group_of(task);
#pragma unroll
    for (int i = 0; i < HS_CGROUP_LEVELS; ++i) {
        event->cgroup[i][0] = 0;
        if (group) {
            bpf_probe_read_kernel_str(event->cgroup[i], HS_CGROUP_NAME_BYTES, BPF_CORE_READ(group, kn, name));
            struct cgroup_subsys_state *above = BPF_CORE_READ(group, self.parent);
            group = above ? BPF_CORE_READ(above, cgroup) : 0;
        }
    }
}

static __always_inline void fill(struct task_struct *task, struct hs_process_event *event, __u32 kind) {
    struct task_struct *leader = BPF_CORE_READ(task, group_leader);
    event->at_boot_ns = bpf_ktime_get_boot_ns();
    event->start_boot_ns = BPF_CORE_READ(leader, start_boottime);
    event->pid = BPF_CORE_READ(task, tgid);
    event->parent_pid = BPF_CORE_READ(leader, real_parent, tgid);
    event->kind = kind;
    event->exit_code = 0;
    BPF_CORE_READ_INTO(&event->comm, leader, comm);
    names_of(task, event);
}

SEC("raw_tp/sched_process_fork")
int on_fork(struct bpf_raw_tracepoint_args *ctx) {
    struct task_struct *maker = (struct task_struct *)ctx->args[0], *made = (struct task_struct *)ctx->args[1];
    __u32 pid = BPF_CORE_READ(made, tgid);
    if (BPF_CORE_READ(made, pid) != pid) return 0;  // a thread
    struct hs_fork_event *event = bpf_ringbuf_reserve(&ring, sizeof *event, 0);
    if (!event) {
        count(HS_COUNTER_LOST);
        return 0;
    }
    event->at_boot_ns = bpf_ktime_get_boot_ns();
    event->start_boot_ns = BPF_CORE_READ(made, start_boottime);
    event->pid = pid;
    event->parent_pid = BPF_CORE_READ(maker, tgid);
    event->kind = HS_PROCESS_FORK;
    event->pad = 0;
    // Nobody waits for it: it is read with the next start or end, and there is one for each.
    bpf_ringbuf_submit(event, BPF_RB_NO_WAKEUP);
    count(HS_COUNTER_EVENTS);
    return 0;
}

SEC("raw_tp/sched_process_exec")
int on_exec(struct bpf_raw_tracepoint_args *ctx) {
    struct task_struct *task = (struct task_struct *)ctx->args[0];
    struct linux_binprm *program = (struct linux_binprm *)ctx->args[2];
    struct hs_exec_event *event = bpf_ringbuf_reserve(&ring, sizeof *event, 0);
    if (!event) {
        count(HS_COUNTER_LOST);
        return 0;
    }
    fill(task, &event->process, HS_PROCESS_EXEC);
    event->pad = 0;
    event->filename[0] = 0;
    bpf_probe_read_kernel_str(event->filename, HS_FILENAME_BYTES, BPF_CORE_READ(program, filename));
    // The arguments were copied there by execve just now, so the pages are there.
    struct mm_struct *mm = BPF_CORE_READ(task, mm);
    unsigned long begin = BPF_CORE_READ(mm, arg_start), bytes = BPF_CORE_READ(mm, arg_end) - begin;
    if (bytes > HS_ARGUMENT_BYTES) bytes = HS_ARGUMENT_BYTES;
    if (bpf_probe_read_user(event->arguments, bytes, (void *)begin) != 0) bytes = 0;
    event->argument_bytes = bytes;
    bpf_ringbuf_submit(event, wake_flags(&ring));
    count(HS_COUNTER_EVENTS);
    return 0;
}

SEC("raw_tp/sched_process_exit")
int on_exit(struct bpf_raw_tracepoint_args *ctx) {
    struct task_struct *task = (struct task_struct *)ctx->args[0];
    // Once for each process: when its last thread ends.
    if (BPF_CORE_READ(task, signal, live.counter) != 0) return 0;
    struct hs_process_event *event = bpf_ringbuf_reserve(&ring, sizeof *event, 0);
    if (!event) {
        count(HS_COUNTER_LOST);
        return 0;
    }
    fill(task, event, HS_PROCESS_EXIT);
    if (BPF_CORE_READ(task, signal, flags) & SIGNAL_GROUP_EXIT)
        event->exit_code = BPF_CORE_READ(task, signal, group_exit_code);
    else
        event->exit_code = BPF_CORE_READ(task, group_leader, exit_code);
    bpf_ringbuf_submit(event, wake_flags(&ring));
    count(HS_COUNTER_EVENTS);
    return 0;
}
