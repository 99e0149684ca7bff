#include "capture/time_scale.h"

#include <algorithm>
#include <limits>

namespace hopscope::capture {
namespace {

__extension__ typedef unsigned __int128 Wide;

constexpr std::uint64_t kLatest = std::numeric_limits<std::int64_t>::max();

std::uint64_t power_of_ten(unsigned exponent) {
    std::uint64_t power = 1;
    for (unsigned i = 0; i < exponent; ++i) power *= 10;
    return power;
}

}  // namespace

TimeScale::TimeScale(Kind kind, std::uint64_t number, std::uint8_t shift)
    : number_(number), kind_(kind), shift_(shift) {
    set_ticks_max();
}

std::optional<TimeScale> TimeScale::from_option(std::uint8_t resolution) {
    const unsigned exponent = resolution & 0x7fU;
    if ((resolution & 0x80U) != 0) {
        if (exponent > 63) return std::nullopt;
        return TimeScale(Kind::binary, 0, static_cast<std::uint8_t>(exponent));
    }
    if (exponent > 19) return std::nullopt;
    if (exponent <= 9) return TimeScale(Kind::multiply, power_of_ten(9 - exponent), 0);
    return TimeScale(Kind::divide, power_of_ten(exponent - 9), 0);
}

bool TimeScale::set_offset(std::int64_t seconds) {
    constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max() / kNanosecondsPerSecond;
    if (seconds > kMost || seconds < -kMost) return false;
    offset_ns_ = seconds * kNanosecondsPerSecond;
    set_ticks_max();
    return true;
}

void TimeScale::set_ticks_max() {
    const auto later = static_cast<std::uint64_t>(std::max<std::int64_t>(offset_ns_, 0));
    // Zero ticks give the offset itself with every kind.
    ticks_max_ = kind_ == Kind::multiply ? (kLatest - later) / number_ : 0;
}

bool TimeScale::to_timestamp_slowly(std::uint64_t ticks, Timestamp& at) const {
    Wide ns = 0;
    switch (kind_) {
        case Kind::multiply: ns = Wide{ticks} * number_; break;
        case Kind::divide: ns = ticks / number_; break;
        case Kind::binary: ns = Wide{ticks} * static_cast<std::uint64_t>(kNanosecondsPerSecond) >> shift_; break;
    }
    // A negative offset may bring a number back that is too large by itself.
    const auto earlier = static_cast<std::uint64_t>(std::max<std::int64_t>(-offset_ns_, 0));
    if (ns > Wide{kLatest} + earlier) return false;
    if (offset_ns_ > 0 && ns > Wide{kLatest - static_cast<std::uint64_t>(offset_ns_)}) return false;
    at.ns = static_cast<std::int64_t>(static_cast<std::uint64_t>(ns) + static_cast<std::uint64_t>(offset_ns_));
    return true;
}

}  // namespace hopscope::capture
