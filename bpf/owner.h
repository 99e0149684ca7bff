// SPDX-License-Identifier: GPL-2.0-or-later
// Which process it is: the one that runs now, or the one that a number stands for.
#pragma once

static __always_inline void describe_owner(struct hs_owner* owner, struct task_struct* leader) {
    owner->start_boot_ns = BPF_CORE_READ(leader, start_boottime);
    // The name of the process, not that of the thread that made the call.
    BPF_CORE_READ_INTO(&owner->comm, leader, comm);
}

static __always_inline void owner_from_current(struct hs_owner* owner) {
    struct task_struct* task = (struct task_struct*)bpf_get_current_task();
    owner->pid = bpf_get_current_pid_tgid() >> 32;
    owner->pad = 0;
    describe_owner(owner, BPF_CORE_READ(task, group_leader));
}

// `id` may be 0. Start and name stay zero where the process has ended and been waited for.
static __always_inline void owner_from_pid(struct hs_owner* owner, struct pid* id) {
    if (!id) return;
    owner->pid = BPF_CORE_READ(id, numbers[0].nr);
    struct hlist_node* first = BPF_CORE_READ(id, tasks[PIDTYPE_TGID].first);
    if (!first) return;
    __u64 links = __builtin_preserve_field_info(((struct task_struct*)0)->pid_links, BPF_FIELD_BYTE_OFFSET);
    links += PIDTYPE_TGID * sizeof(struct hlist_node);
    describe_owner(owner, (struct task_struct*)((__u64)first - links));
}
