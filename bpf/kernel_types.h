// SPDX-License-Identifier: GPL-2.0-or-later
// The members of kernel structures that the programs read, and no others: libbpf moves each access to where the running
// kernel keeps it (CO-RE), so neither order nor gaps matter here. Replaces a generated vmlinux.h of 2.8 MB, needs no
// kernel type information when building, and is the same for kernels 5.10 to 6.18. Names behind ___ are flavours: other
// shapes of the same structure in other kernels.
#pragma once

typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef signed char __s8;
typedef short __s16;
typedef int __s32;
typedef long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u64 __be64;
typedef __u32 __wsum;
typedef _Bool bool;

// uapi/linux/bpf.h: what the map definitions need of it.
enum {
    BPF_MAP_TYPE_HASH = 1,
    BPF_MAP_TYPE_ARRAY = 2,
    BPF_MAP_TYPE_PERCPU_ARRAY = 6,
    BPF_MAP_TYPE_LRU_HASH = 9,
    BPF_MAP_TYPE_RINGBUF = 27,
};
enum { BPF_ANY = 0, BPF_NOEXIST = 1 };
enum { BPF_RB_NO_WAKEUP = 1 };

// Which of these the kernel has says whether it has the helper (bpf_core_enum_value_exists).
enum bpf_func_id {
    BPF_FUNC_sock_from_file = 162,    // 5.11
    BPF_FUNC_skc_to_unix_sock = 178,  // 5.16
};

enum { SOCK_STREAM = 1, SOCK_DGRAM = 2 };
enum { AF_UNIX = 1, AF_INET = 2, AF_INET6 = 10 };
enum { IPPROTO_TCP = 6, IPPROTO_UDP = 17, IPPROTO_MPTCP = 262 };
enum {
    TCP_ESTABLISHED = 1,
    TCP_SYN_SENT = 2,
    TCP_SYN_RECV = 3,
    TCP_FIN_WAIT1 = 4,
    TCP_CLOSE = 7,
    TCP_LAST_ACK = 9,
    TCP_LISTEN = 10
};
enum { S_IFMT = 0170000, S_IFSOCK = 0140000 };

// Structures of user memory: their shape is fixed, nothing is to be moved.
struct iovec {
    __u64 iov_base;
    __u64 iov_len;
};

struct user_msghdr {
    __u64 msg_name;
    __u32 msg_namelen;
    __u32 pad;
    __u64 msg_iov;
    __u64 msg_iovlen;
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
    int counter;
} atomic_t;

typedef struct {
    atomic_t refs;
} refcount_t;

// --- processes

struct kernfs_node {
    const char* name;
};

struct cgroup;
struct cgroup_root;

// The number of the pids controller differs between kernels.
enum cgroup_subsys_id {
    pids_cgrp_id = 11,
};

struct cgroup_subsys_state {
    struct cgroup* cgroup;
    struct cgroup_subsys_state* parent;
};

struct cgroup {
    struct cgroup_subsys_state self;
    struct kernfs_node* kn;
    struct cgroup_root* root;
};

struct css_set {
    struct cgroup_subsys_state* subsys[16];
    struct cgroup* dfl_cgrp;
};

struct mm_struct {
    unsigned long arg_start, arg_end;
};

struct signal_struct {
    atomic_t live;
    int group_exit_code;
    unsigned int flags;
};

struct ns_common {
    unsigned int inum;
};

struct upid {
    int nr;
};

struct hlist_node {
    struct hlist_node *next, **pprev;
};

struct hlist_head {
    struct hlist_node* first;
};

// Of the kinds of tasks a number may stand for, the leader of a thread group (Linux 4.19).
enum { PIDTYPE_TGID = 1 };

struct pid {
    unsigned int level;
    struct hlist_head tasks[4];
    struct upid numbers[1];
};

struct fdtable {
    unsigned int max_fds;
    struct file** fd;
};

struct files_struct {
    struct fdtable* fdt;
};

struct task_struct {
    int pid;
    int tgid;
    int exit_code;
    struct task_struct* real_parent;
    struct task_struct* group_leader;
    struct pid* thread_pid;
    struct hlist_node pid_links[4];
    __u64 start_boottime;
    char comm[16];
    struct mm_struct* mm;
    struct files_struct* files;
    struct signal_struct* signal;
    struct css_set* cgroups;
};

struct linux_binprm {
    const char* filename;
};

// --- files

struct super_block {
    __u32 s_dev;
};

struct inode {
    __u16 i_mode;
    unsigned long i_ino;
};

struct dentry {
    struct inode* d_inode;
    struct super_block* d_sb;
};

struct path {
    struct dentry* dentry;
};

struct file {
    struct inode* f_inode;
    void* private_data;
};

// --- sockets

struct net {
    struct ns_common ns;
};

typedef struct {
    struct net* net;
} possible_net_t;

struct in6_addr {
    union {
        __be32 u6_addr32[4];
    } in6_u;
};

struct sock_common {
    __be32 skc_daddr;
    __be32 skc_rcv_saddr;
    __be16 skc_dport;
    __u16 skc_num;
    unsigned short skc_family;
    volatile unsigned char skc_state;
    unsigned char skc_ipv6only : 1;
    possible_net_t skc_net;
    struct in6_addr skc_v6_daddr;
    struct in6_addr skc_v6_rcv_saddr;
};

struct sk_buff_head {
    __u32 qlen;
};

struct sock {
    struct sock_common __sk_common;
    struct sk_buff_head sk_receive_queue;
    refcount_t sk_wmem_alloc;
    struct {
        atomic_t rmem_alloc;
    } sk_backlog;
    __u16 sk_type;
    __u16 sk_protocol;
    __u32 sk_ack_backlog;
    __u32 sk_max_ack_backlog;
    struct pid* sk_peer_pid;
    struct socket* sk_socket;
};

struct socket {
    struct file* file;
    struct sock* sk;
};

struct socket_alloc {
    struct socket socket;
    struct inode vfs_inode;
};

struct tcp_sock {
    __u32 copied_seq;
    __u32 rcv_nxt;
    __u32 snd_una;
    __u32 write_seq;
    __u64 bytes_sent;  // payload, what was sent again included
    __u64 bytes_retrans;
};

struct sockaddr_un {
    __u16 sun_family;
    char sun_path[108];
};

struct unix_address {
    int len;  // of the name, its family of two bytes included
    struct sockaddr_un name[0];
};

struct unix_sock {
    struct sock sk;
    struct unix_address* addr;
    struct path path;
    struct sock* peer;
};

// --- iterators (linux/bpf.h in the kernel, not in its UAPI)

struct seq_file;

struct bpf_iter_meta {
    struct seq_file* seq;
    __u64 session_id;
    __u64 seq_num;
};

struct bpf_iter__task_file {
    struct bpf_iter_meta* meta;
    struct task_struct* task;
    __u32 fd;
    struct file* file;
};

struct bpf_raw_tracepoint_args {
    __u64 args[0];
};

// --- registers at a system call

struct pt_regs___x86 {
    unsigned long di, si, dx, r10, r8, orig_ax;
};

struct pt_regs___arm64 {
    __u64 regs[31];
    __u64 orig_x0;
    __s32 syscallno;
};

#pragma clang attribute pop
