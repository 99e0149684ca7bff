// SPDX-License-Identifier: GPL-2.0-or-later
// A system call as the raw tracepoints sys_enter and sys_exit show it. Its numbers differ between architectures:
// hopscope puts them into constants before the program is loaded. System calls of 32-bit programs have other numbers
// and are not seen.
#pragma once

static __always_inline long number_of_syscall(void* regs) {
    if (bpf_core_field_exists(((struct pt_regs___x86*)0)->orig_ax))
        return BPF_CORE_READ((struct pt_regs___x86*)regs, orig_ax);
    return BPF_CORE_READ((struct pt_regs___arm64*)regs, syscallno);
}

// Argument 0, 1 or 2 at sys_enter. `index` is a constant wherever this stands.
static __always_inline __u64 argument_of_syscall(void* regs, const int index) {
    if (bpf_core_field_exists(((struct pt_regs___x86*)0)->orig_ax)) {
        struct pt_regs___x86* x86 = regs;
        return index == 0 ? BPF_CORE_READ(x86, di) : index == 1 ? BPF_CORE_READ(x86, si) : BPF_CORE_READ(x86, dx);
    }
    return BPF_CORE_READ((struct pt_regs___arm64*)regs, regs[index]);
}

// Argument 0 at sys_exit, where arm64 has put the result in its register.
static __always_inline __u64 first_argument_at_exit(void* regs) {
    if (bpf_core_field_exists(((struct pt_regs___x86*)0)->orig_ax))
        return BPF_CORE_READ((struct pt_regs___x86*)regs, di);
    return BPF_CORE_READ((struct pt_regs___arm64*)regs, orig_x0);
}

// The socket behind a descriptor of the current process; 0: none.
static __always_inline struct sock* sock_of_fd(__u32 fd) {
    struct task_struct* task = (struct task_struct*)bpf_get_current_task();
    struct fdtable* table = BPF_CORE_READ(task, files, fdt);
    if (fd >= BPF_CORE_READ(table, max_fds)) return 0;
    struct file** files = BPF_CORE_READ(table, fd);
    struct file* file = 0;
    if (bpf_probe_read_kernel(&file, sizeof file, files + fd) != 0 || !file) return 0;
    if ((BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) != S_IFSOCK) return 0;
    struct socket* socket = (struct socket*)BPF_CORE_READ(file, private_data);
    return BPF_CORE_READ(socket, sk);
}
