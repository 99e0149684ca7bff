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

// From 5.16 on the kernel tells us the types of what lies behind a file, and a member is one load; before, each is a call that
// copies. A third of the time for 10,000 sockets. `typed` is a constant wherever this stands.
#define READ(pointer, member) (typed ? (pointer)->member : BPF_CORE_READ(pointer, member))

// The number by which the reader knows the process: that of the reader's own pid namespace.
static __always_inline __u32 pid_for_reader(struct task_struct *task, const bool typed) {
    struct task_struct *reader = typed ? bpf_get_current_task_btf() : (struct task_struct *)bpf_get_current_task();
    struct pid *reader_id = READ(reader, thread_pid);
    unsigned int level = READ(reader_id, level);
    if (level == 0) return task->tgid;
    struct pid *id = task->group_leader->thread_pid;
    int number = 0;
    bpf_core_read(&number, sizeof number, (char *)id->numbers + level * bpf_core_type_size(struct upid));
    return number;
}

// Queues as `ss` shows them: of a listener the connections that wait and how many may, else bytes.
static __always_inline void queues_of(struct sock *sk, struct tcp_sock *tcp, struct hs_scanned_socket *out, const bool typed) {
    if (out->state == TCP_LISTEN) {
        out->send_queue = READ(sk, sk_max_ack_backlog);
        out->receive_queue = out->family == AF_UNIX ? READ(sk, sk_receive_queue.qlen) : READ(sk, sk_ack_backlog);
    } else if (tcp) {
        __u32 received = READ(tcp, rcv_nxt), read = READ(tcp, copied_seq);
        // A FIN takes a sequence number of its own, hence the sign (tcp_diag does the same).
        out->receive_queue = (__s32)(received - read) > 0 ? received - read : 0;
        out->send_queue = READ(tcp, write_seq) - READ(tcp, snd_una);
    } else {
        // Memory that is charged, as the kernel tells it for these; the counter starts at one.
        out->send_queue = READ(sk, sk_wmem_alloc.refs.counter) - 1;
        if (out->family != AF_UNIX) out->receive_queue = READ(sk, sk_backlog.rmem_alloc.counter);
    }
}

// Returns the address of the name, if there is one.
static __always_inline struct unix_address *unix_part(struct unix_sock *own, struct hs_scanned_socket *out, const bool typed) {
    struct sock *peer = READ(own, peer);
    if (peer) {
        struct socket *socket = READ(peer, sk_socket);
        struct file *file = socket ? READ(socket, file) : 0;
        struct inode *inode = file ? READ(file, f_inode) : 0;
        if (inode) out->peer_inode = READ(inode, i_ino);
    }
    struct dentry *dentry = READ(own, path.dentry);
    if (dentry) {
        struct inode *inode = READ(dentry, d_inode);
        struct super_block *super = READ(dentry, d_sb);
        if (inode) out->file_inode = READ(inode, i_ino);
        if (super) out->file_device = READ(super, s_dev);
    }
    struct unix_address *address = READ(own, addr);
    if (address) {
        int length = READ(address, len);
        if (length > 2 && length <= 2 + HS_UNIX_PATH_BYTES) out->path_bytes = length - 2;
    }
    return address;
}

static __always_inline int tell(struct bpf_iter__task_file *ctx, struct task_struct *task, struct inode *inode, struct sock *sk, const bool typed) {
    struct hs_scanned_socket out = {};
    struct tcp_sock *tcp = 0;
    struct unix_address *address = 0;
    out.family = READ(sk, __sk_common.skc_family);
    if (out.family == AF_UNIX) {
        struct unix_sock *own = typed ? bpf_skc_to_unix_sock(sk) : (struct unix_sock *)sk;
        if (!own) return 0;
        address = unix_part(own, &out, typed);
    } else if (out.family == AF_INET || out.family == AF_INET6) {
        out.local_port = READ(sk, __sk_common.skc_num);
        // Neither bound nor connected: it talks to nobody, and no other tool shows it.
        if (!out.local_port) return 0;
        out.protocol = READ(sk, sk_protocol);
        if (out.protocol == IPPROTO_TCP) {
            tcp = typed ? bpf_skc_to_tcp_sock(sk) : (struct tcp_sock *)sk;
            if (!tcp) return 0;
        } else if (out.protocol != IPPROTO_UDP && out.protocol != IPPROTO_MPTCP) {
            return 0;
        }
        out.remote_port = from_be16(READ(sk, __sk_common.skc_dport));
        if (out.family == AF_INET) {
            map_v4(out.local, READ(sk, __sk_common.skc_rcv_saddr));
            map_v4(out.remote, READ(sk, __sk_common.skc_daddr));
        } else if (bpf_core_field_exists(((struct sock_common *)0)->skc_v6_daddr)) {
            for (int i = 0; i < 4; ++i) {
                out.local[i] = READ(sk, __sk_common.skc_v6_rcv_saddr.in6_u.u6_addr32[i]);
                out.remote[i] = READ(sk, __sk_common.skc_v6_daddr.in6_u.u6_addr32[i]);
            }
        }
    } else {
        return 0;
    }
    out.sk = (__u64)sk;
    out.inode = inode->i_ino;
    out.pid = pid_for_reader(task, typed);
    out.fd = ctx->fd;
    out.type = READ(sk, sk_type);
    out.state = READ(sk, __sk_common.skc_state);
    if (out.family == AF_INET6)
        out.v6_only = typed ? BPF_CORE_READ_BITFIELD(&sk->__sk_common, skc_ipv6only) : BPF_CORE_READ_BITFIELD_PROBED(&sk->__sk_common, skc_ipv6only);
    struct net *net = READ(sk, __sk_common.skc_net.net);
    if (net) out.net_namespace = READ(net, ns.inum);
    queues_of(sk, tcp, &out, typed);

    struct seq_file *seq = ctx->meta->seq;
    bpf_seq_write(seq, &out, sizeof out);
    __u32 bytes = out.path_bytes;
    if (address && bytes && bytes <= HS_UNIX_PATH_BYTES) {
        char path[HS_UNIX_PATH_BYTES + 3] = {};
        bpf_probe_read_kernel(path, bytes, address->name[0].sun_path);
        bpf_seq_write(seq, path, bytes);
    }
    return 0;
}

SEC("iter/task_file")
int scan_sockets(struct bpf_iter__task_file *ctx) {
    // Read once: what the verifier has seen to be there is this copy.
    struct task_struct *task = ctx->task;
    struct file *file = ctx->file;
    if (!task || !file) return 0;
    struct inode *inode = file->f_inode;
    if ((inode->i_mode & S_IFMT) != S_IFSOCK) return 0;
    if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_skc_to_unix_sock)) {
        struct socket *socket = bpf_sock_from_file(file);
        if (!socket) return 0;
        struct sock *sk = socket->sk;
        return sk ? tell(ctx, task, inode, sk, 1) : 0;
    }
    struct socket *socket = (struct socket *)file->private_data;
    struct sock *sk = BPF_CORE_READ(socket, sk);
    return sk ? tell(ctx, task, inode, sk, 0) : 0;
}
