#include "core/time.h"

namespace hopscope {
namespace {

struct Date {
    int year, month, day;
};

// Days since 1970-01-01 to a proleptic Gregorian date; the era arithmetic of 400-year cycles.
Date date_of(std::int64_t days) {
    days += 719468;  // shift the epoch to 0000-03-01, so that leap days end a year
    const std::int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    const auto day_of_era = static_cast<unsigned>(days - era * 146097);
    const unsigned year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    const unsigned day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    const unsigned shifted_month = (5 * day_of_year + 2) / 153;
    const unsigned day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    const unsigned month = shifted_month < 10 ? shifted_month + 3 : shifted_month - 9;
    const auto year = static_cast<int>(era * 400 + year_of_era) + (month <= 2 ? 1 : 0);
    return {year, static_cast<int>(month), static_cast<int>(day)};
}

char* digits(char* out, std::uint64_t value, int width) {
    for (int i = width - 1; i >= 0; --i) {
        out[i] = static_cast<char>('0' + value % 10);
        value /= 10;
    }
    return out + width;
}

struct Split {
    std::int64_t days;
    std::uint64_t second_of_day;
    std::uint64_t nanosecond;
};

Split split(Timestamp at) {
    std::int64_t seconds = at.ns / kNanosecondsPerSecond;
    std::int64_t rest = at.ns % kNanosecondsPerSecond;
    if (rest < 0) {
        rest += kNanosecondsPerSecond;
        --seconds;
    }
    std::int64_t days = seconds / 86400;
    std::int64_t second_of_day = seconds % 86400;
    if (second_of_day < 0) {
        second_of_day += 86400;
        --days;
    }
    return {days, static_cast<std::uint64_t>(second_of_day), static_cast<std::uint64_t>(rest)};
}

char* write_clock(char* out, std::uint64_t second_of_day) {
    out = digits(out, second_of_day / 3600, 2);
    *out++ = ':';
    out = digits(out, second_of_day / 60 % 60, 2);
    *out++ = ':';
    return digits(out, second_of_day % 60, 2);
}

}  // namespace

char* write_rfc3339(char* out, Timestamp at) {
    const Split parts = split(at);
    // Neighbouring events nearly always share the day: its eleven characters are made once.
    thread_local std::int64_t cached_days = INT64_MIN;
    thread_local char cached[11];
    if (parts.days != cached_days) {
        const Date date = date_of(parts.days);
        char* p = digits(cached, static_cast<std::uint64_t>(date.year), 4);
        *p++ = '-';
        p = digits(p, static_cast<std::uint64_t>(date.month), 2);
        *p++ = '-';
        p = digits(p, static_cast<std::uint64_t>(date.day), 2);
        *p = 'T';
        cached_days = parts.days;
    }
    for (char c : cached) *out++ = c;
    out = write_clock(out, parts.second_of_day);
    *out++ = '.';
    out = digits(out, parts.nanosecond, 9);
    *out++ = 'Z';
    return out;
}

std::string rfc3339(Timestamp at) {
    char buffer[32];
    return {buffer, write_rfc3339(buffer, at)};
}

std::string clock_time(Timestamp at) {
    char buffer[32];
    const Split parts = split(at);
    char* p = write_clock(buffer, parts.second_of_day);
    *p++ = '.';
    p = digits(p, parts.nanosecond / 1000, 6);
    return {buffer, p};
}

}  // namespace hopscope
