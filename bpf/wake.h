// SPDX-License-Identifier: GPL-2.0-or-later
// Whether a record wakes the reader. One who looks often enough by himself is woken only when much waits for him: a
// wake-up for each of the six records of a short connection costs more than reading them.
#pragma once

// include/uapi/linux/bpf.h; numbers of our own names, because kernel_types.h has only what is relocated.
enum { WAKE_NEVER = 1, WAKE_ALWAYS = 2, RING_WAITING_BYTES = 0 };

// Waiting bytes from which on each record wakes the reader; 0: each does.
volatile const long wake_bytes = 0;

static __always_inline __u64 wake_flags(void* ring) {
    if (wake_bytes == 0) return 0;
    return bpf_ringbuf_query(ring, RING_WAITING_BYTES) >= (__u64)wake_bytes ? WAKE_ALWAYS : WAKE_NEVER;
}
