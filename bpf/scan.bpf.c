// SPDX-License-Identifier: GPL-2.0-or-later
// Every open TCP, UDP and unix socket of every process in one pass (iterator task_file, kernel 5.8+).
// The kernel shows the tasks of the pid namespace in which the iterator was opened, and each descriptor table once.
#include "kernel_types.h"

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#include "events.h"
#include "socket_read.h"

char _license[] SEC("license") = "GPL";

// The number by which the reader knows the process: that of the reader's own pid namespace.
static __always_inline __u32 pid_for_reader(struct task_struct *task) {
    struct task_struct *reader = (struct task_struct *)bpf_get_current_task();
    unsigned int level = BPF_CORE_READ(reader, thread_pid, level);
    if (level == 0) return task->tgid;
    struct pid *id = task->group_leader->thread_pid;
    struct upid *numbers = id->numbers;
    int number = 0;
    bpf_core_read(&number, sizeof number, (char *)numbers + level * bpf_core_type_size(struct upid));
    return number;
}

// Queues as `ss` shows them: of a listener the connections that wait and how many may, else bytes.
static __always_inline void queues_of(struct sock *sk, struct hs_scanned_socket *out) {
    if (out->state == TCP_LISTEN && out->family != AF_UNIX) {
        out->receive_queue = BPF_CORE_READ(sk, sk_ack_backlog);
        out->send_queue = BPF_CORE_READ(sk, sk_max_ack_backlog);
    } else if (out->state == TCP_LISTEN) {
        out->receive_queue = BPF_CORE_READ(sk, sk_receive_queue.qlen);
        out->send_queue = BPF_CORE_READ(sk, sk_max_ack_backlog);
    } else if (out->protocol == IPPROTO_TCP) {
        struct tcp_sock *tcp = (struct tcp_sock *)sk;
        __u32 received = BPF_CORE_READ(tcp, rcv_nxt), read = BPF_CORE_READ(tcp, copied_seq);
        // A FIN takes a sequence number of its own, hence the sign (tcp_diag does the same).
        out->receive_queue = (__s32)(received - read) > 0 ? received - read : 0;
        out->send_queue = BPF_CORE_READ(tcp, write_seq) - BPF_CORE_READ(tcp, snd_una);
    } else {
        // Memory that is charged, as the kernel tells it for these; the counter starts at one.
        out->send_queue = BPF_CORE_READ(sk, sk_wmem_alloc.refs.counter) - 1;
        if (out->family != AF_UNIX) out->receive_queue = BPF_CORE_READ(sk, sk_backlog.rmem_alloc.counter);
    }
}

SEC("iter/task_file")
int scan_sockets(struct bpf_iter__task_file *ctx) {
    struct task_struct *task = ctx->task;
    struct file *file = ctx->file;
    if (!task || !file) return 0;
    struct inode *inode = file->f_inode;
    if ((inode->i_mode & S_IFMT) != S_IFSOCK) return 0;
    struct socket *socket = (struct socket *)file->private_data;
    struct sock *sk = BPF_CORE_READ(socket, sk);
    if (!sk) return 0;

    struct hs_scanned_socket out = {};
    out.family = BPF_CORE_READ(sk, __sk_common.skc_family);
    out.protocol = BPF_CORE_READ(sk, sk_protocol);
    if (out.family == AF_INET || out.family == AF_INET6) {
        if (out.protocol != IPPROTO_TCP && out.protocol != IPPROTO_UDP && out.protocol != IPPROTO_MPTCP) return 0;
        out.local_port = BPF_CORE_READ(sk, __sk_common.skc_num);
        // Neither bound nor connected: it talks to nobody, and no other tool shows it.
        if (!out.local_port) return 0;
        out.remote_port = from_be16(BPF_CORE_READ(sk, __sk_common.skc_dport));
        addresses_of(sk, out.family, out.local, out.remote);
    } else if (out.family != AF_UNIX) {
        return 0;
    }
    out.sk = (__u64)sk;
    out.inode = inode->i_ino;
    out.pid = pid_for_reader(task);
    out.fd = ctx->fd;
    out.type = BPF_CORE_READ(sk, sk_type);
    out.state = BPF_CORE_READ(sk, __sk_common.skc_state);
    out.net_namespace = net_namespace_of(sk);
    queues_of(sk, &out);

    struct unix_address *address = 0;
    if (out.family == AF_UNIX) {
        struct unix_sock *own = (struct unix_sock *)sk;
        struct sock *peer = BPF_CORE_READ(own, peer);
        if (peer) out.peer_inode = inode_of(peer);
        struct dentry *dentry = BPF_CORE_READ(own, path.dentry);
        if (dentry) {
            out.file_inode = BPF_CORE_READ(dentry, d_inode, i_ino);
            out.file_device = BPF_CORE_READ(dentry, d_sb, s_dev);
        }
        address = BPF_CORE_READ(own, addr);
        if (address) {
            int length = BPF_CORE_READ(address, len);
            if (length > 2 && length <= 2 + HS_UNIX_PATH_BYTES) out.path_bytes = length - 2;
        }
    }
    struct seq_file *seq = ctx->meta->seq;
    bpf_seq_write(seq, &out, sizeof out);
    __u32 bytes = out.path_bytes;
    if (bytes) {
        char path[HS_UNIX_PATH_BYTES + 3] = {};
        if (bytes > HS_UNIX_PATH_BYTES) return 0;
        bpf_probe_read_kernel(path, bytes, address->name[0].sun_path);
        bpf_seq_write(seq, path, bytes);
    }
    return 0;
}
