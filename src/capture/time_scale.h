// Turns the ticks of a pcapng interface into nanoseconds (if_tsresol, if_tsoffset).
#pragma once

#include <cstdint>
#include <optional>

#include "core/time.h"

namespace hopscope::capture {

class TimeScale {
public:
    // Microseconds since 1970, the format's default.
    TimeScale() : TimeScale(Kind::multiply, 1000, 0) {}
    // `resolution` is the option's byte: 10^-v seconds, or 2^-(v & 127) with bit 7. Nothing: finer than 10^-19 or
    // 2^-63.
    static std::optional<TimeScale> from_option(std::uint8_t resolution);
    // Adds whole seconds to every time; false, and no change, when that is more than nanoseconds can count.
    bool set_offset(std::int64_t seconds);

    // False: beyond the years 1678 to 2262.
    bool to_timestamp(std::uint64_t ticks, Timestamp& at) const {
        if (ticks <= ticks_max_) [[likely]] {
            at.ns = static_cast<std::int64_t>(ticks * number_) + offset_ns_;
            return true;
        }
        return to_timestamp_slowly(ticks, at);
    }

private:
    enum class Kind : std::uint8_t { multiply, divide, binary };
    TimeScale(Kind kind, std::uint64_t number, std::uint8_t shift);
    bool to_timestamp_slowly(std::uint64_t ticks, Timestamp& at) const;
    void set_ticks_max();

    std::uint64_t ticks_max_ = 0;  // up to here one multiplication does it
    std::uint64_t number_;         // multiply: nanoseconds per tick; divide: ticks per nanosecond
    std::int64_t offset_ns_ = 0;
    Kind kind_;
    std::uint8_t shift_;  // binary
};

}  // namespace hopscope::capture
