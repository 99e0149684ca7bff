// Points in time and spans of time, both in whole nanoseconds, as types that cannot be mixed up with counters.
#pragma once

#include <compare>
#include <cstdint>
#include <string>

namespace hopscope {

// Nanoseconds between two timestamps; may be negative where a capture's clock stepped back.
struct Duration {
    std::int64_t ns = 0;
    auto operator<=>(const Duration&) const = default;
    [[nodiscard]] double seconds() const { return static_cast<double>(ns) / 1e9; }
};

// Nanoseconds since 1970-01-01T00:00:00Z. Range: years 1678 to 2262.
struct Timestamp {
    std::int64_t ns = 0;
    auto operator<=>(const Timestamp&) const = default;
};

inline Duration operator-(Timestamp later, Timestamp earlier) { return {later.ns - earlier.ns}; }
inline Timestamp operator+(Timestamp at, Duration span) { return {at.ns + span.ns}; }

inline constexpr std::int64_t kNanosecondsPerSecond = 1'000'000'000;

// RFC 3339 in UTC with nine digits: "2026-11-21T17:01:43.880571400Z" (30 characters for years 1678 to 2262).
std::string rfc3339(Timestamp at);
// Writes the same 30 characters at `out` without allocating; returns the end.
char* write_rfc3339(char* out, Timestamp at);
// "17:01:43.880571", for lines that people read.
std::string clock_time(Timestamp at);

}  // namespace hopscope
