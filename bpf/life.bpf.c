// SPDX-License-Identifier: GPL-2.0-or-later
// TCP sockets from their first to their last sign, with the process that owns each (kernel 5.8+, raw tracepoints only).
//
// Four of the eleven states are entered by the owner itself; the others by whoever runs the softirq. So the owner is noted at
// those four and at accept, and looked up at the rest. A connection becomes ESTABLISHED on the server's side before anybody
// has accepted it: its owner comes with the ACCEPT event, or is noted when it closes.
#include "kernel_types.h"

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#include "events.h"
#include "counters.h"
#include "owner.h"
#include "socket_read.h"
#include "hs_syscall.h"
#include "wake.h"

char _license[] SEC("license") = "GPL";

volatile const long nr_accept = -1;
volatile const long nr_accept4 = -1;
volatile const long tell_unix = 0;

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 1024 * 1024);
} ring SEC(".maps");

// Of its own, so that neither kind takes the room of the other.
struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 4096);
} unix_ring SEC(".maps");

struct known_owner {
    __u64 inode;
    struct hs_owner owner;
};

// Deleted when the socket closes; LRU, so that a lost close never fills it.
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 32768);
    __type(key, __u64);
    __type(value, struct known_owner);
} owners SEC(".maps");

static __always_inline void note_owner(__u64 key, __u64 inode) {
    struct known_owner known = {};
    known.inode = inode;
    owner_from_current(&known.owner);
    bpf_map_update_elem(&owners, &key, &known, BPF_ANY);
}

static __always_inline void tell(struct sock *sk, __u64 inode, __u8 kind, __u8 old_state, __u8 new_state) {
    struct hs_life_event *event = bpf_ringbuf_reserve(&ring, sizeof *event, 0);
    if (!event) {
        count(HS_COUNTER_LOST);
        return;
    }
    __builtin_memset(event, 0, sizeof *event);
    event->at_boot_ns = bpf_ktime_get_boot_ns();
    event->sk = (__u64)sk;
    event->inode = inode;
    event->kind = kind;
    event->old_state = old_state;
    event->new_state = new_state;
    event->net_namespace = net_namespace_of(sk);
    event->local_port = BPF_CORE_READ(sk, __sk_common.skc_num);
    event->remote_port = from_be16(BPF_CORE_READ(sk, __sk_common.skc_dport));
    addresses_of(sk, BPF_CORE_READ(sk, __sk_common.skc_family), event->local, event->remote);
    if (new_state == TCP_CLOSE) {
        struct tcp_sock *tcp = (struct tcp_sock *)sk;
        event->sent_bytes = BPF_CORE_READ(tcp, bytes_sent) - BPF_CORE_READ(tcp, bytes_retrans);
    }
    __u64 key = (__u64)sk;
    struct known_owner *known = bpf_map_lookup_elem(&owners, &key);
    // The kernel gives the memory of a closed socket to the next one. By the time of the close the inode may be gone already.
    if (known && (known->inode == inode || inode == 0)) {
        event->owner = known->owner;
        event->inode = known->inode;
    }
    bpf_ringbuf_submit(event, wake_flags(&ring));
    count(HS_COUNTER_EVENTS);
}

SEC("raw_tp/inet_sock_set_state")
int on_state(struct bpf_raw_tracepoint_args *ctx) {
    struct sock *sk = (struct sock *)ctx->args[0];
    __u8 old_state = ctx->args[1], new_state = ctx->args[2];
    if (BPF_CORE_READ(sk, sk_protocol) != IPPROTO_TCP) return 0;
    __u64 inode = inode_of(sk), key = (__u64)sk;
    switch (new_state) {
        case TCP_SYN_SENT:
            note_owner(key, inode);
            return 0;
        case TCP_LISTEN:
            note_owner(key, inode);
            break;
        case TCP_FIN_WAIT1:
        case TCP_LAST_ACK: {
            // Normally known; not so when the connection is older than we are.
            struct known_owner *known = bpf_map_lookup_elem(&owners, &key);
            if (!known) note_owner(key, inode);
            return 0;
        }
        case TCP_ESTABLISHED:
        case TCP_CLOSE:
            break;
        default:
            return 0;
    }
    // The child of a listener is born with a copy of nothing: an owner found here would be that of a socket before it.
    if (new_state == TCP_ESTABLISHED && old_state == TCP_SYN_RECV) bpf_map_delete_elem(&owners, &key);
    tell(sk, inode, HS_LIFE_STATE, old_state, new_state);
    if (new_state == TCP_CLOSE) bpf_map_delete_elem(&owners, &key);
    return 0;
}

static __always_inline void tell_unix_accept(struct sock *sk, struct sock *listener) {
    if (BPF_CORE_READ(sk, sk_type) == SOCK_DGRAM) return;
    struct hs_unix_accept *event = bpf_ringbuf_reserve(&unix_ring, sizeof *event, 0);
    if (!event) {
        count(HS_COUNTER_LOST);
        return;
    }
    __builtin_memset(event, 0, sizeof *event);
    event->at_boot_ns = bpf_ktime_get_boot_ns();
    event->server_inode = inode_of(sk);
    if (listener) event->listener_inode = inode_of(listener);
    struct sock *peer = BPF_CORE_READ((struct unix_sock *)sk, peer);
    if (peer) event->client_inode = inode_of(peer);
    owner_from_current(&event->server);
    owner_from_pid(&event->client, BPF_CORE_READ(sk, sk_peer_pid));
    event->net_namespace = net_namespace_of(sk);
    bpf_ringbuf_submit(event, wake_flags(&unix_ring));
    count(HS_COUNTER_EVENTS);
}

SEC("raw_tp/sys_exit")
int on_accept(struct bpf_raw_tracepoint_args *ctx) {
    long result = ctx->args[1];
    if (result < 0) return 0;
    long number = number_of_syscall((void *)ctx->args[0]);
    if (number != nr_accept && number != nr_accept4) return 0;
    struct sock *sk = sock_of_fd(result);
    if (!sk) return 0;
    __u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);
    if (family == AF_UNIX && tell_unix) tell_unix_accept(sk, sock_of_fd(first_argument_at_exit((void *)ctx->args[0])));
    if (family != AF_INET && family != AF_INET6) return 0;
    if (BPF_CORE_READ(sk, sk_protocol) != IPPROTO_TCP) return 0;
    __u64 inode = inode_of(sk);
    note_owner((__u64)sk, inode);
    __u8 state = BPF_CORE_READ(sk, __sk_common.skc_state);
    tell(sk, inode, HS_LIFE_ACCEPT, state, state);
    return 0;
}
