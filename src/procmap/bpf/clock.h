// CLOCK_BOOTTIME, which the programs in the kernel stamp with, as wall time.
#pragma once

#include <cstdint>
#include <ctime>

#include "core/time.h"

namespace hopscope::procmap {

inline std::int64_t clock_ns(clockid_t clock) {
    timespec now{};
    ::clock_gettime(clock, &now);
    return std::int64_t{now.tv_sec} * kNanosecondsPerSecond + now.tv_nsec;
}

// Taken anew for each drain, so that a step of the wall clock shows in what is told after it.
class BootClock {
public:
    // Both clocks are read at the same moment as nearly as can be: who is put to sleep between two readings tries
    // again.
    BootClock() {
        std::int64_t nearest_ns = INT64_MAX;
        for (int tries = 0; tries < kTriesMax && nearest_ns > kNearNs; ++tries) {
            const std::int64_t before = clock_ns(CLOCK_BOOTTIME), wall = clock_ns(CLOCK_REALTIME),
                               after = clock_ns(CLOCK_BOOTTIME);
            if (after - before >= nearest_ns) continue;
            nearest_ns = after - before;
            offset_ns_ = wall - before - nearest_ns / 2;
        }
    }
    [[nodiscard]] Timestamp wall(std::uint64_t boot_ns) const {
        return {static_cast<std::int64_t>(boot_ns) + offset_ns_};
    }

private:
    static constexpr int kTriesMax = 4;
    static constexpr std::int64_t kNearNs = 20'000;

    std::int64_t offset_ns_ = 0;
};

}  // namespace hopscope::procmap
