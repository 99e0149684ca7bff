// SPDX-License-Identifier: GPL-2.0-or-later
// Counts what was told and what was lost, where it happens. One ring and one `counters` map per object.
#pragma once

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, HS_COUNTERS);
    __type(key, __u32);
    __type(value, __u64);
} counters SEC(".maps");

static __always_inline void count_by(__u32 which, __u64 more) {
    __u64* value = bpf_map_lookup_elem(&counters, &which);
    if (value) *value += more;
}

static __always_inline void count(__u32 which) { count_by(which, 1); }
