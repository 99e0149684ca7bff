// The values of a filter: read once when the filter is parsed, by the type of the field they are compared with.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "chain/fields.h"

namespace hopscope::chain {

struct FilterValue {
    enum class Kind {
        number,  // integer, size, duration, absolute time, flag
        text,
        network,      // address and the number of leading bits that count, of 128
        time_of_day,  // nanoseconds since midnight UTC
        from_now,     // nanoseconds relative to now
    };
    Kind kind = Kind::number;
    std::int64_t number = 0;
    std::string text;
    IpAddress address;
    unsigned prefix_bits = 128;
};

// What is wrong with a value: told without a place, which the parser knows.
struct ValueTrouble {
    std::string why, hint;
    std::size_t at = 0;  // offset in the value
};

struct ValueResult {
    std::optional<FilterValue> value;
    ValueTrouble trouble;
};

ValueResult read_value(const Field& field, std::string_view text);
// "ms" and its like for durations, "KiB" for sizes; nothing for what is no unit of this type.
std::optional<double> unit_factor(FieldType type, std::string_view unit);
// Position of `word` among `words` (separated by blanks), case ignored; -1 if it is none of them.
int word_rank(std::string_view words, std::string_view word);
// True for a number without a unit, as in "5".
bool is_bare_number(std::string_view text);
// "2026-11-21T17:04:00.5Z".
std::optional<Timestamp> parse_rfc3339(std::string_view text);
bool in_network(const IpAddress& address, const FilterValue& network);

}  // namespace hopscope::chain
