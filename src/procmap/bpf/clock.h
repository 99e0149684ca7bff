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
    BootClock() : offset_ns_(clock_ns(CLOCK_REALTIME) - clock_ns(CLOCK_BOOTTIME)) {}
    [[nodiscard]] Timestamp wall(std::uint64_t boot_ns) const {
        return {static_cast<std::int64_t>(boot_ns) + offset_ns_};
    }

private:
    std::int64_t offset_ns_;
};

}  // namespace hopscope::procmap
