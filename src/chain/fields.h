// The one table of fields: what a row of any view can be filtered by, its name in every place, and how it is read.
//
// The same names serve as filter fields, column names and (where they have one) JSON paths. Text that views mask is
// masked here, too: a filter cannot be used to guess a token, a command line or credentials.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "chain/model.h"

namespace hopscope::chain {

enum class FieldType : std::uint8_t {
    word,  // one of a few words; case does not matter
    text,  // any text
    integer,
    size,      // bytes
    duration,  // nanoseconds inside; needs a unit in a filter
    time,      // point in time
    address,   // IP address; compares with addresses and CIDR blocks
    flag,      // true or false
};
std::string_view to_string(FieldType type);

// Views that have rows with this field.
enum class View : std::uint8_t { session = 1, stream = 2, finding = 4, port = 8, chain = 16 };
std::string_view to_string(View view);

struct Verdict;  // chain/verdict.h

// One row of one view. Everything is borrowed. A stream's or finding's row has the fields of its session, too, where
// the session is given.
struct Row {
    View view = View::session;
    const Session* session = nullptr;
    const Stream* stream = nullptr;
    const Finding* finding = nullptr;
    const PortFact* port = nullptr;
    const Chain* chain = nullptr;
    const Verdict* verdict = nullptr;  // with `port`: what is known of its owners and peers
};
Row row_of(const Session& session);
Row row_of(const Session& session, const Stream& stream);
Row row_of(const Finding& finding, const Session* session = nullptr);
Row row_of(const PortFact& port);
Row row_of(const Verdict& verdict, const PortFact& port);  // `port` is port_fact(verdict)
Row row_of(const Chain& chain);

// One value of a field. `text` is borrowed until the sink returns.
struct FieldValue {
    std::string_view text;    // word, text
    std::int64_t number = 0;  // integer, size, duration, time (nanoseconds), flag (0 or 1)
    IpAddress address;        // address
};

class ValueSink {
public:
    virtual ~ValueSink() = default;
    virtual void on(const FieldValue& value) = 0;
};

struct Field {
    std::string_view name;     // "bytes.in"
    std::string_view aliases;  // separated by blanks; may be empty
    std::string_view json;     // path in the JSON objects; empty: computed for the view
    FieldType type = FieldType::text;
    std::uint8_t views = 0;    // View bits
    std::string_view values;   // word: the words there are, separated by blanks; empty: any
    bool ordered = false;      // word: `values` rise, < and > make sense
    std::string_view example;  // "bytes.in > 1MiB"
    std::string_view says;     // what it is
    // Tells every value that the row has (several for a list); none if it has none. `now` is 0 where it is unknown.
    void (*get)(const Row& row, Timestamp now, ValueSink& sink) = nullptr;
};

std::span<const Field> fields();
// By name or alias; null if there is none.
const Field* find_field(std::string_view name);
// The known name that is nearest to `name`; empty if none is near.
std::string_view closest_field(std::string_view name);

// Words of a filter that stand for a test: "exec", "ws", "refused", "gap" …
struct Flag {
    std::string_view name;
    std::string_view says;
    bool (*is)(const Row& row) = nullptr;
};
std::span<const Flag> flags();
const Flag* find_flag(std::string_view name);

}  // namespace hopscope::chain
