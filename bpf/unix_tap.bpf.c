// SPDX-License-Identifier: GPL-2.0-or-later
// Bytes written on chosen unix stream sockets, exactly as many as the kernel took (raw tracepoints, kernel 5.8+).
//
// Copied when the call returns: then the number of bytes taken is known, and the pages are resident. Stamped with the time at
// which it was entered: nobody can have read, and answered, before. Writes of both ends are recorded, no reads.
// Not seen: sendmmsg, io_uring, splice, sendfile; more than 16 buffers, or 1 MiB in one of them (counted as lost).
#include "kernel_types.h"

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#include "events.h"
#include "counters.h"
#include "owner.h"
#include "socket_read.h"
#include "hs_syscall.h"

char _license[] SEC("license") = "GPL";

volatile const long nr_write = -1;
volatile const long nr_writev = -1;
volatile const long nr_sendto = -1;
volatile const long nr_sendmsg = -1;

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 16 * 1024 * 1024);
} ring SEC(".maps");

struct path_key {
    char bytes[HS_TAP_PATH_BYTES];
};

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 1024);
    __type(key, struct path_key);
    __type(value, __u32);
} paths SEC(".maps");

// Goes up when a path is added: what was passed over before may be watched now.
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, __u64);
} generation SEC(".maps");

struct passed_over {
    __u64 inode;
    __u64 generation;
};

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 16384);
    __type(key, __u64);
    __type(value, struct passed_over);
} others SEC(".maps");

// A map of its own: the many sockets that are not watched must not push out the few that are.
struct stream {
    __u64 inode;
    __u64 offset;
    __u64 by_server;
};

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 16384);
    __type(key, __u64);
    __type(value, struct stream);
} streams SEC(".maps");

enum { ONE_BUFFER = 1, VECTOR = 2, MESSAGE = 3 };

struct call {
    __u64 at_boot_ns;
    __u64 sk;
    __u64 user;      // buffer, vector or message
    __u64 count;     // of the vector
    __u64 kind;
    __u64 offset;    // while it is copied
    __u64 peer_inode;
    __u64 peer_pid;
};

// By thread. LRU: a thread that is killed inside the call leaves its entry behind.
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 8192);
    __type(key, __u64);
    __type(value, struct call);
} calls SEC(".maps");

struct record {
    struct hs_tap_record head;
    char data[HS_TAP_CHUNK_BYTES];
};

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct record);
} scratch SEC(".maps");

static __always_inline int is_watched(struct unix_sock *sk) {
    struct unix_address *address = BPF_CORE_READ(sk, addr);
    if (!address) return 0;
    int length = BPF_CORE_READ(address, len) - 2;
    if (length <= 0 || length > HS_UNIX_PATH_BYTES) return 0;
    struct path_key key = {};
    __u32 bytes = length;
    bytes &= 127;
    if (bytes > HS_TAP_PATH_BYTES) return 0;
    bpf_probe_read_kernel(key.bytes, bytes, address->name[0].sun_path);
    if (bpf_map_lookup_elem(&paths, &key)) return 1;
    // A digest and its zero byte in a watched folder: whoever binds it next is watched from its first byte.
    if (bytes <= HS_TAP_DIGEST_BYTES + 1) return 0;
    struct path_key folder = {};
    __u32 head = bytes - HS_TAP_DIGEST_BYTES - 1;
    asm volatile("%0 &= 63" : "+r"(head));
    bpf_probe_read_kernel(folder.bytes, head, address->name[0].sun_path);
    return bpf_map_lookup_elem(&paths, &folder) != 0;
}

// The stream of this socket, begun if it is a watched one; 0: not watched.
static __always_inline struct stream *stream_of(struct sock *sk) {
    if (BPF_CORE_READ(sk, __sk_common.skc_family) != AF_UNIX || BPF_CORE_READ(sk, sk_type) != SOCK_STREAM) return 0;
    __u64 key = (__u64)sk, inode = inode_of(sk);
    struct stream *known = bpf_map_lookup_elem(&streams, &key);
    // The kernel gives the memory of a closed socket to the next one.
    if (known && known->inode == inode) return known;
    __u32 zero = 0;
    __u64 *now = bpf_map_lookup_elem(&generation, &zero);
    if (!now) return 0;
    struct passed_over *passed = bpf_map_lookup_elem(&others, &key);
    if (passed && passed->inode == inode && passed->generation == *now) return 0;
    struct unix_sock *own = (struct unix_sock *)sk;
    struct sock *peer = BPF_CORE_READ(own, peer);
    struct stream fresh = {};
    fresh.inode = inode;
    fresh.by_server = is_watched(own);
    if (!fresh.by_server && (!peer || !is_watched((struct unix_sock *)peer))) {
        struct passed_over not_this = {};
        not_this.inode = inode;
        not_this.generation = *now;
        // Not yet connected: it may become one.
        if (peer) bpf_map_update_elem(&others, &key, &not_this, BPF_ANY);
        return 0;
    }
    bpf_map_update_elem(&streams, &key, &fresh, BPF_ANY);
    return bpf_map_lookup_elem(&streams, &key);
}

SEC("raw_tp/sys_enter")
int on_enter(struct bpf_raw_tracepoint_args *ctx) {
    long number = ctx->args[1];
    __u64 kind;
    if (number == nr_write || number == nr_sendto)
        kind = ONE_BUFFER;
    else if (number == nr_writev)
        kind = VECTOR;
    else if (number == nr_sendmsg)
        kind = MESSAGE;
    else
        return 0;
    void *regs = (void *)ctx->args[0];
    struct sock *sk = sock_of_fd(argument_of_syscall(regs, 0));
    if (!sk || !stream_of(sk)) return 0;
    struct call call = {};
    call.at_boot_ns = bpf_ktime_get_boot_ns();
    call.sk = (__u64)sk;
    call.user = argument_of_syscall(regs, 1);
    call.count = argument_of_syscall(regs, 2);
    call.kind = kind;
    __u64 thread = bpf_get_current_pid_tgid();
    bpf_map_update_elem(&calls, &thread, &call, BPF_ANY);
    return 0;
}

static __always_inline void lose(struct call *call, __u64 bytes) {
    count(HS_COUNTER_LOST);
    count_by(HS_COUNTER_LOST_BYTES, bytes);
    call->offset += bytes;
}

static __always_inline void copy(struct call *call, struct record *record, __u64 user, __u32 bytes) {
    record->head.offset = call->offset;
    record->head.bytes = bytes;
    if (bpf_probe_read_user(record->data, bytes, (void *)user) != 0 ||
        bpf_ringbuf_output(&ring, record, sizeof record->head + bytes, 0) != 0) {
        lose(call, bytes);
        return;
    }
    count(HS_COUNTER_EVENTS);
    call->offset += bytes;
}

// One buffer, in pieces of constant size and a tail. A function of its own with plain numbers: the verifier walks it once, not once
// for each of the 16 buffers.
HS_NOINLINE int copy_buffer(__u64 user, __u64 bytes) {
    __u64 thread = bpf_get_current_pid_tgid();
    __u32 zero = 0;
    struct call *call = bpf_map_lookup_elem(&calls, &thread);
    struct record *record = bpf_map_lookup_elem(&scratch, &zero);
    if (!call || !record) return 0;
    for (int i = 0; i < HS_TAP_CHUNKS; ++i) {
        if (bytes < HS_TAP_CHUNK_BYTES) break;
        copy(call, record, user, HS_TAP_CHUNK_BYTES);
        user += HS_TAP_CHUNK_BYTES;
        bytes -= HS_TAP_CHUNK_BYTES;
    }
    if (bytes >= HS_TAP_CHUNK_BYTES) {
        lose(call, bytes);
        return 0;
    }
    __u32 tail = bytes;
    // By hand: the compiler knows the bound already and would leave it out, but older verifiers have lost it.
    asm volatile("%0 &= 16383" : "+r"(tail));
    if (tail) copy(call, record, user, tail);
    return 0;
}

SEC("raw_tp/sys_exit")
int on_exit(struct bpf_raw_tracepoint_args *ctx) {
    __u64 thread = bpf_get_current_pid_tgid();
    struct call *call = bpf_map_lookup_elem(&calls, &thread);
    if (!call) return 0;
    long taken = ctx->args[1];
    __u32 zero = 0;
    struct record *record = bpf_map_lookup_elem(&scratch, &zero);
    struct stream *stream = bpf_map_lookup_elem(&streams, &call->sk);
    if (taken <= 0 || !record || !stream) {
        bpf_map_delete_elem(&calls, &thread);
        return 0;
    }
    struct unix_sock *sk = (struct unix_sock *)call->sk;
    struct sock *peer = BPF_CORE_READ(sk, peer);
    struct hs_tap_record *head = &record->head;
    __builtin_memset(head, 0, sizeof *head);
    head->at_boot_ns = call->at_boot_ns;
    head->inode = stream->inode;
    head->by_server = stream->by_server != 0;
    head->peer_inode = peer ? inode_of(peer) : 0;
    struct pid *peer_id = BPF_CORE_READ(sk, sk.sk_peer_pid);
    if (peer_id) head->peer_pid = BPF_CORE_READ(peer_id, numbers[0].nr);
    owner_from_current(&head->writer);
    call->offset = stream->offset;
    stream->offset += taken;
    count_by(HS_COUNTER_BYTES, taken);

    __u64 left = taken;
    if (call->kind == ONE_BUFFER) {
        copy_buffer(call->user, left);
        left = 0;
    } else {
        __u64 vector = call->user, buffers = call->count;
        if (call->kind == MESSAGE) {
            struct user_msghdr message = {};
            bpf_probe_read_user(&message, sizeof message, (void *)call->user);
            vector = message.msg_iov;
            buffers = message.msg_iovlen;
        }
        for (int i = 0; i < HS_TAP_BUFFERS; ++i) {
            if (i >= buffers || !left) break;
            struct iovec one = {};
            if (bpf_probe_read_user(&one, sizeof one, (void *)(vector + i * sizeof one)) != 0) break;
            __u64 bytes = one.iov_len < left ? one.iov_len : left;
            if (bytes) copy_buffer(one.iov_base, bytes);
            left -= bytes;
        }
    }
    if (left) lose(call, left);
    bpf_map_delete_elem(&calls, &thread);
    return 0;
}
