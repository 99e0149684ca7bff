// SPDX-License-Identifier: GPL-2.0-or-later
// The process that runs now.
#pragma once

static __always_inline void owner_from_current(struct hs_owner* owner) {
    struct task_struct* task = (struct task_struct*)bpf_get_current_task();
    struct task_struct* leader = BPF_CORE_READ(task, group_leader);
    owner->pid = bpf_get_current_pid_tgid() >> 32;
    owner->pad = 0;
    owner->start_boot_ns = BPF_CORE_READ(leader, start_boottime);
    // The name of the process, not that of the thread that made the call.
    BPF_CORE_READ_INTO(&owner->comm, leader, comm);
}
