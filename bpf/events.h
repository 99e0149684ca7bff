// SPDX-License-Identifier: GPL-2.0-or-later OR Apache-2.0
// What passes between the programs in the kernel and hopscope: the one header that both sides compile.
// Plain data with explicit padding; numbers in host order; addresses as IPv6 (IPv4 mapped); times CLOCK_BOOTTIME in ns.
#pragma once

#ifndef __bpf__
#include <linux/types.h>
#endif

#define HS_UNIX_PATH_BYTES 109  // sockaddr_un.sun_path and the zero byte that the kernel adds behind a full one
#define HS_COMM_BYTES 16        // TASK_COMM_LEN

// scan.bpf.c: one per (process, descriptor) that is a socket, followed by `path_bytes` bytes of a unix socket's name.
struct hs_scanned_socket {
    __u64 sk;            // address of the kernel's object: tells equal sockets, nothing else
    __u64 inode;
    __u64 peer_inode;    // unix: of the other end; 0: none, or not accepted yet
    __u64 file_inode;    // unix: of the file that bind made
    __u32 file_device;   // kernel's dev_t: major << 20 | minor
    __u32 net_namespace;
    __u32 pid;           // thread group, in the reader's pid namespace
    __u32 fd;
    __u32 receive_queue;
    __u32 send_queue;
    __u8 local[16];
    __u8 remote[16];
    __u16 local_port;
    __u16 remote_port;
    __u16 family;
    __u16 type;
    __u16 protocol;
    __u16 path_bytes;
    __u8 state;
    __u8 pad[3];
};
