// What it costs everybody on the node that written bytes of unix sockets are tapped: a system call of this thread,
// measured with the tap and without it.
//
// Some 20,000 calls of each kind on /dev/null and /dev/zero, 20 to 50 ms in all, and one attached UnixTap for a moment.
// Processor time of this thread, the best of several rounds: other load does not count, but a host that takes the
// processor away does a little.
#pragma once

#include "core/result.h"

namespace hopscope::procmap {

struct CallCost {
    double plain_ns = 0, tapped_ns = 0;
    [[nodiscard]] double more_ns() const { return tapped_ns - plain_ns; }
};

struct TapCost {
    CallCost write, read;
};

// BPF-… where the kernel refuses the tap.
Result<TapCost> measure_tap_cost();

}  // namespace hopscope::procmap
