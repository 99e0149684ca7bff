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
    __u64 sk;  // address of the kernel's object: tells equal sockets, nothing else
    __u64 inode;
    __u64 peer_inode;   // unix: of the other end; 0: none, or not accepted yet
    __u64 file_inode;   // unix: of the file that bind made
    __u32 file_device;  // kernel's dev_t: major << 20 | minor
    __u32 net_namespace;
    __u32 pid;  // thread group, in the reader's pid namespace
    __u32 fd;
    __u32 receive_queue;
    __u32 send_queue;
    __u32 local[4];  // network order
    __u32 remote[4];
    __u16 local_port;
    __u16 remote_port;
    __u16 family;
    __u16 type;
    __u16 protocol;
    __u16 path_bytes;
    __u8 state;
    __u8 v6_only;
    __u8 pad[2];
};

// Who did it: taken only where the kernel runs in the process itself (connect, listen, accept, close), never from
// a softirq, where `current` is whoever happened to run.
struct hs_owner {
    __u64 start_boot_ns;  // of the process; 0: unknown owner
    __u32 pid;            // thread group, in the initial pid namespace
    __u32 pad;
    char comm[HS_COMM_BYTES];
};

enum hs_life_kind {
    HS_LIFE_STATE = 1,   // the state changed from `old_state` to `new_state`
    HS_LIFE_ACCEPT = 2,  // accept(2) gave the connection to `owner`
};

// life.bpf.c: one TCP socket changed.
struct hs_life_event {
    __u64 at_boot_ns;
    __u64 sk;          // address of the kernel's object: the key from the first to the last event of a socket
    __u64 inode;       // 0: not accepted yet
    __u64 sent_bytes;  // payload that it has sent, each byte once; only where `new_state` is TCP_CLOSE
    struct hs_owner owner;
    __u32 local[4];
    __u32 remote[4];
    __u32 net_namespace;
    __u16 local_port;  // 0 where the kernel has cleared it already (end of a listener, end from FIN-WAIT-2)
    __u16 remote_port;
    __u8 kind;
    __u8 old_state;
    __u8 new_state;
    __u8 pad[5];
};

// life.bpf.c: accept(2) gave a connection of a unix stream or seqpacket listener to `server`.
struct hs_unix_accept {
    __u64 at_boot_ns;
    __u64 listener_inode;
    __u64 server_inode;
    __u64 client_inode;  // 0: the client has closed its end already
    struct hs_owner server;
    struct hs_owner client;  // who connected
    __u32 net_namespace;
    __u32 pad;
};

#define HS_CGROUP_LEVELS 4
#define HS_CGROUP_NAME_BYTES 128  // "cri-containerd-" and 64 digits and ".scope" take 86
#define HS_FILENAME_BYTES 256
#define HS_ARGUMENT_BYTES 512  // a power of two

enum hs_process_kind {
    HS_PROCESS_EXEC = 1,
    HS_PROCESS_EXIT = 2,
    HS_PROCESS_FORK = 3,
};

// process.bpf.c: a process made another one. Laid out as hs_process_event begins.
struct hs_fork_event {
    __u64 at_boot_ns;
    __u64 start_boot_ns;  // of the new process
    __u32 pid;            // of the new process
    __u32 parent_pid;     // who made it, whoever its parent is
    __u32 kind;
    __u32 pad;
};

// process.bpf.c: a process ended, or the first part of a start.
struct hs_process_event {
    __u64 at_boot_ns;
    __u64 start_boot_ns;
    __u32 pid;  // thread group, in the initial pid namespace
    __u32 parent_pid;
    __u32 kind;
    __u32 exit_code;  // as wait(2) gives it
    char comm[HS_COMM_BYTES];
    char cgroup[HS_CGROUP_LEVELS][HS_CGROUP_NAME_BYTES];  // leaf first; "" at and above the root
};

// A program was started.
struct hs_exec_event {
    struct hs_process_event process;
    __u32 argument_bytes;
    __u32 pad;
    char filename[HS_FILENAME_BYTES];
    char arguments[HS_ARGUMENT_BYTES];  // each ends with a zero byte; the last may be cut
};

#define HS_TAP_CHUNK_BYTES 16384  // of one record; a power of two
#define HS_TAP_CHUNKS 64          // of one buffer: 1 MiB
#define HS_TAP_BUFFERS 16         // of one writev or sendmsg
#define HS_TAP_PATH_BYTES 112     // HS_UNIX_PATH_BYTES, filled up with zero bytes
#define HS_TAP_DIGEST_BYTES 64    // names in a watched folder: SHA-256 in hexadecimal

// unix_tap.bpf.c: bytes that a process wrote on a watched unix socket; `bytes` bytes follow.
struct hs_tap_record {
    __u64 at_boot_ns;  // when the system call was entered
    __u64 inode;       // of the socket written to
    __u64 peer_inode;  // of the other end; 0: not accepted yet
    __u64 offset;      // in the stream of this socket since it was first seen; goes on over what was lost
    struct hs_owner writer;
    __u32 peer_pid;  // who connected, or listened; 0: unknown
    __u32 bytes;
    __u8 by_server;  // the watched path is the writer's own
    __u8 pad[7];
};

// Places in the maps `counters`, one 64-bit number per processor.
enum hs_counter {
    HS_COUNTER_LOST = 0,        // events for which the ring had no room
    HS_COUNTER_EVENTS = 1,      // events written
    HS_COUNTER_LOST_BYTES = 2,  // unix_tap: bytes in the lost events
    HS_COUNTER_BYTES = 3,       // unix_tap: bytes written on watched sockets, the lost ones included
    HS_COUNTERS = 4,
};
