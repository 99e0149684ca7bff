// SPDX-License-Identifier: GPL-2.0-or-later
// How the programs read a socket.
#pragma once

#define HS_NOINLINE __attribute__((noinline))

// Inode number of the socket's file; 0 as long as no file belongs to it (a connection that nobody has accepted yet).
static __always_inline __u64 inode_of(struct sock* sk) {
    struct socket* socket = BPF_CORE_READ(sk, sk_socket);
    if (!socket) return 0;
    // The inode lies behind the socket in the same object.
    struct socket_alloc* both = (struct socket_alloc*)socket;
    return BPF_CORE_READ(both, vfs_inode.i_ino);
}

static __always_inline void map_v4(__u32* out, __be32 address) {
    out[0] = out[1] = 0;
    out[2] = __builtin_bswap32(0xffff);
    out[3] = address;
}

// Both addresses as IPv6. `local` and `remote` must point into memory that the program may write.
static __always_inline void addresses_of(struct sock* sk, __u16 family, __u32* local, __u32* remote) {
    if (family == AF_INET) {
        map_v4(local, BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr));
        map_v4(remote, BPF_CORE_READ(sk, __sk_common.skc_daddr));
    } else if (bpf_core_field_exists(((struct sock_common*)0)->skc_v6_daddr)) {
        BPF_CORE_READ_INTO((struct in6_addr*)local, sk, __sk_common.skc_v6_rcv_saddr);
        BPF_CORE_READ_INTO((struct in6_addr*)remote, sk, __sk_common.skc_v6_daddr);
    }
}

static __always_inline __u16 from_be16(__be16 value) { return __builtin_bswap16(value); }

static __always_inline __u32 net_namespace_of(struct sock* sk) {
    return BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
}
