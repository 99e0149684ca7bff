#include "chain/filter_value.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cmath>

#include "chain/suggest.h"
#include "chain/url.h"
#include "core/untrusted.h"

namespace hopscope::chain {
namespace {

struct Unit {
    std::string_view name;
    double factor;
};
constexpr std::array<Unit, 6> kDurationUnits{
    {{"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}, {"d", 86400e9}}};
constexpr std::array<Unit, 5> kSizeUnits{{{"B", 1}, {"kB", 1e3}, {"KiB", 1024}, {"MiB", 1048576}, {"GiB", 1073741824}}};

// Words that people use for what the table calls otherwise.
struct Synonym {
    std::string_view field, typed, meant;
};
constexpr std::array<Synonym, 11> kSynonyms{{{"proto", "ws", "websocket"},
                                             {"proto", "spdy", "spdy/3.1"},
                                             {"proto", "http", "http/1.1"},
                                             {"proto", "http1", "http/1.1"},
                                             {"op", "port-forward", "portforward"},
                                             {"op", "pf", "portforward"},
                                             {"stream.type", "in", "stdin"},
                                             {"stream.type", "out", "stdout"},
                                             {"stream.type", "err", "stderr"},
                                             {"severity", "warn", "warning"},
                                             {"role", "streaming", "cri-streaming-server"}}};

ValueResult trouble(std::string why, std::string hint, std::size_t at = 0) {
    return {std::nullopt, {std::move(why), std::move(hint), at}};
}
ValueResult number(std::int64_t n) {
    return {FilterValue{.kind = FilterValue::Kind::number, .number = n, .text = {}, .address = {}}, {}};
}

std::string quoted(std::string_view text) { return "'" + display(text) + "'"; }

// Splits "1.5KiB" into "1.5" and "KiB".
std::size_t number_length(std::string_view text) {
    std::size_t n = !text.empty() && (text[0] == '-' || text[0] == '+') ? 1 : 0;
    const std::size_t digits = n;
    while (n < text.size() && ((text[n] >= '0' && text[n] <= '9') || text[n] == '.')) ++n;
    return n == digits ? 0 : n;
}

std::optional<double> decimal(std::string_view text) {
    if (text.starts_with('+')) text.remove_prefix(1);
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

std::optional<std::int64_t> scaled(double value, double factor) {
    const double result = std::round(value * factor);
    if (!(std::fabs(result) < 9.2e18)) return std::nullopt;
    return static_cast<std::int64_t>(result);
}

ValueResult read_integer(std::string_view text) {
    std::string_view digits = text;
    if (digits.starts_with('+')) digits.remove_prefix(1);
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error == std::errc{} && end == digits.data() + digits.size() && !digits.empty()) return number(value);
    if (error == std::errc::result_out_of_range) return trouble(quoted(text) + " is too large", "");
    const std::size_t length = number_length(text);
    if (length > 0 && length < text.size())
        return trouble("unknown unit " + quoted(text.substr(length)),
                       "this field has no unit: write " + display(text.substr(0, length)), length);
    return trouble(quoted(text) + " is no number", "write a whole number, for instance 404");
}

ValueResult read_measure(FieldType type, std::string_view text) {
    const bool is_size = type == FieldType::size;
    const std::size_t length = number_length(text);
    const std::string digits(text.substr(0, length));
    const std::string_view unit = text.substr(length);
    const std::string shown = length == 0 ? "5" : display(digits);
    const std::string hint =
        is_size ? "write " + shown + ", " + shown + "kB, " + shown + "KiB, " + shown + "MiB or " + shown + "GiB"
                : "write " + shown + "ms, " + shown + "s or " + shown + "us (also m, h, d)";
    const auto value = decimal(digits);
    if (!value) return trouble(quoted(text) + (is_size ? " is no size" : " is no duration"), hint);
    if (unit.empty()) {
        if (!is_size && *value != 0) return trouble("a unit is missing after " + quoted(digits), hint, length);
        const auto plain = scaled(*value, 1);
        return plain ? number(*plain) : trouble(quoted(text) + " is too large", "");
    }
    const auto factor = unit_factor(type, unit);
    if (!factor) return trouble("unknown unit " + quoted(unit), hint, length);
    const auto result = scaled(*value, *factor);
    return result ? number(*result) : trouble(quoted(text) + " is too large", "");
}

// "17:04", "17:04:00", "17:04:00.25".
std::optional<std::int64_t> parse_clock(std::string_view text) {
    const auto two_digits = [&](std::size_t at, int below) -> int {
        if (at + 2 > text.size() || text[at] < '0' || text[at] > '9' || text[at + 1] < '0' || text[at + 1] > '9')
            return -1;
        const int value = (text[at] - '0') * 10 + (text[at + 1] - '0');
        return value < below ? value : -1;
    };
    if (text.size() < 5 || text[2] != ':') return std::nullopt;
    const int hour = two_digits(0, 24), minute = two_digits(3, 60);
    if (hour < 0 || minute < 0) return std::nullopt;
    std::int64_t ns = (std::int64_t{hour} * 3600 + minute * 60) * kNanosecondsPerSecond;
    if (text.size() == 5) return ns;
    const int second = two_digits(6, 60);
    if (text[5] != ':' || second < 0) return std::nullopt;
    ns += second * kNanosecondsPerSecond;
    if (text.size() == 8) return ns;
    if (text[8] != '.' || text.size() == 9 || text.size() > 18) return std::nullopt;
    std::int64_t digit_worth = kNanosecondsPerSecond / 10;
    for (const char c : text.substr(9)) {
        if (c < '0' || c > '9') return std::nullopt;
        ns += (c - '0') * digit_worth;
        digit_worth /= 10;
    }
    return ns;
}

ValueResult read_time(std::string_view text) {
    if (text == "now")
        return {FilterValue{.kind = FilterValue::Kind::from_now, .number = 0, .text = {}, .address = {}}, {}};
    if (text.starts_with('-') || text.starts_with('+')) {
        ValueResult span = read_measure(FieldType::duration, text);
        if (span.value) span.value->kind = FilterValue::Kind::from_now;
        return span;
    }
    if (const auto clock = parse_clock(text))
        return {FilterValue{.kind = FilterValue::Kind::time_of_day, .number = *clock, .text = {}, .address = {}}, {}};
    if (const auto at = parse_rfc3339(text)) return number(at->ns);
    return trouble(quoted(text) + " is no time", "write 17:04:00 (UTC), 2026-11-21T17:04:00Z or -5m");
}

ValueResult read_address(std::string_view text) {
    const auto slash = text.find('/');
    std::string_view host = text.substr(0, slash);
    if (host.size() >= 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
    const auto address = IpAddress::parse(host);
    if (!address) return trouble(quoted(text) + " is no IP address", "write 10.0.0.1, 10.0.0.0/8 or fe80::/10");
    FilterValue value{.kind = FilterValue::Kind::network, .number = 0, .text = {}, .address = *address};
    if (slash == std::string_view::npos) return {value, {}};
    const std::string_view digits = text.substr(slash + 1);
    const unsigned bits_max = address->is_v4() ? 32 : 128;
    unsigned bits = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
    if (error != std::errc{} || end != digits.data() + digits.size() || bits > bits_max)
        return trouble(quoted(digits) + " is no prefix length", "write 0 to " + std::to_string(bits_max), slash + 1);
    value.prefix_bits = 128 - bits_max + bits;  // IPv4 is kept in the last 32 of 128 bits
    return {value, {}};
}

ValueResult read_flag(std::string_view text) {
    for (const std::string_view yes : {"true", "yes", "1", "on"}) {
        if (equal_ignoring_case(text, yes)) return number(1);
    }
    for (const std::string_view no : {"false", "no", "0", "off"}) {
        if (equal_ignoring_case(text, no)) return number(0);
    }
    return trouble(quoted(text) + " is neither true nor false", "write true or false");
}

ValueResult read_word(const Field& field, std::string_view text) {
    for (const Synonym& synonym : kSynonyms) {
        if (synonym.field == field.name && equal_ignoring_case(text, synonym.typed)) text = synonym.meant;
    }
    FilterValue value{.kind = FilterValue::Kind::text, .number = 0, .text = std::string(text), .address = {}};
    if (field.ordered) {
        value.number = word_rank(field.values, text);
        if (value.number < 0)
            return trouble(quoted(text) + " is none of: " + std::string(field.values), "write one of these words");
    }
    return {std::move(value), {}};
}

}  // namespace

int word_rank(std::string_view words, std::string_view word) {
    for (int rank = 0; !words.empty(); ++rank) {
        const auto end = std::min(words.find(' '), words.size());
        if (equal_ignoring_case(words.substr(0, end), word)) return rank;
        words.remove_prefix(std::min(end + 1, words.size()));
    }
    return -1;
}

std::optional<double> unit_factor(FieldType type, std::string_view unit) {
    const auto find = [&](const auto& units) -> std::optional<double> {
        for (const Unit& each : units) {
            if (each.name == unit) return each.factor;
        }
        return std::nullopt;
    };
    if (type == FieldType::duration || type == FieldType::time) return find(kDurationUnits);
    return type == FieldType::size ? find(kSizeUnits) : std::nullopt;
}

bool is_bare_number(std::string_view text) { return !text.empty() && number_length(text) == text.size(); }

std::optional<Timestamp> parse_rfc3339(std::string_view text) {
    if (text.size() < 17 || text.back() != 'Z' || text[4] != '-' || text[7] != '-' || text[10] != 'T')
        return std::nullopt;
    const auto digits = [&](std::size_t at, std::size_t n) {
        int value = 0;
        const auto [end, error] = std::from_chars(text.data() + at, text.data() + at + n, value);
        return error == std::errc{} && end == text.data() + at + n && value >= 0 ? value : -1;
    };
    const int year = digits(0, 4), month = digits(5, 2), day = digits(8, 2);
    const auto clock = parse_clock(text.substr(11, text.size() - 12));
    if (year < 1970 || year > 2261 || month < 1 || day < 1 || !clock) return std::nullopt;
    const std::chrono::year_month_day date{std::chrono::year{year}, std::chrono::month{static_cast<unsigned>(month)},
                                           std::chrono::day{static_cast<unsigned>(day)}};
    if (!date.ok()) return std::nullopt;
    const std::int64_t days = std::chrono::sys_days{date}.time_since_epoch().count();
    return Timestamp{days * 86400 * kNanosecondsPerSecond + *clock};
}

ValueResult read_value(const Field& field, std::string_view text) {
    switch (field.type) {
        case FieldType::word: return read_word(field, text);
        case FieldType::text:
            return {FilterValue{.kind = FilterValue::Kind::text, .number = 0, .text = std::string(text), .address = {}},
                    {}};
        case FieldType::integer: return read_integer(text);
        case FieldType::size:
        case FieldType::duration: return read_measure(field.type, text);
        case FieldType::time: return read_time(text);
        case FieldType::address: return read_address(text);
        case FieldType::flag: return read_flag(text);
    }
    return trouble("the field has no type", "");
}

bool in_network(const IpAddress& address, const FilterValue& network) {
    unsigned left = network.prefix_bits;
    for (std::size_t i = 0; i < address.bytes.size() && left > 0; ++i) {
        const unsigned bits = std::min(left, 8U);
        const unsigned mask = 0xffU << (8 - bits) & 0xffU;
        if ((address.bytes[i] & mask) != (network.address.bytes[i] & mask)) return false;
        left -= bits;
    }
    return true;
}

}  // namespace hopscope::chain
