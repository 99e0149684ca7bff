// The part of check_capabilities() that loads programs.
#pragma once

#include "procmap/bpf/capabilities.h"

namespace hopscope::procmap {

struct BpfCapabilities {
    Capability programs, iterator, ring;
};
BpfCapabilities check_bpf();

Capability programs_capability();  // BPF-01, named and without verdict
Capability iterator_capability();  // BPF-04
Capability ring_capability();      // BPF-06

}  // namespace hopscope::procmap
