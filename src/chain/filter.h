// The filter language: which rows are shown (hopscope help filter).
//
//   expr   = or ;  or = and { ("or"|"||") and } ;  and = not { ("and"|"&&"|<nothing>) not }
//   not    = ("not"|"!") not | "(" expr ")" | test | word
//   test   = field op value | field "in" "{" value { [","] value } "}"
//   op     = "==" | "!=" | "<" | "<=" | ">" | ">=" | "~" (regular expression, linear time) | "!~" | "has" (part of it)
//   value  = number [unit] | 'text' | "text" | bareword | CIDR | time
//   word   = bareword or quoted text without op: part of any text column; a bareword may be a flag (exec, ws, gap …)
//
// A field that a row does not have makes every test false, != and !~ too. A list has a value if one of its items has
// it;
// != and !~ ask it of all items. `has` and words do not mind ASCII case, neither do fields of a few words.
// Bounded: length, depth and number of tests; regular expressions are RE2 with a memory limit.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "chain/fields.h"
#include "core/result.h"

namespace hopscope::chain {

class Filter {
public:
    // Errors: FLT-01 no such field, FLT-02 a value that its field cannot have, FLT-03 grammar. `why` ends with the text
    // and a caret below the place.
    static Result<Filter> parse(std::string_view text);

    Filter(Filter&&) noexcept;
    Filter& operator=(Filter&&) noexcept;
    ~Filter();

    // Counts, too: see leaves().
    bool matches(const Row& row);

    // Times relative to now ("-5m") and age need it; 0: unknown, then they match nothing. Live: the clock; offline: the
    // last packet.
    void set_now(Timestamp now);

    // The tests in order of the text, with what they saw. A test that the one before it had settled is not tried.
    struct Leaf {
        std::string text;           // "op == exec"
        std::uint64_t tried = 0;    // rows
        std::uint64_t present = 0;  // rows that have the field
        std::uint64_t hits = 0;
    };
    [[nodiscard]] const std::vector<Leaf>& leaves() const;
    [[nodiscard]] std::uint64_t rows() const;
    // Why nothing matched, for the user: `0 of 8,411 rows match; "op == exex" matched none`.
    [[nodiscard]] std::string explain_no_match() const;

private:
    struct State;
    explicit Filter(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace hopscope::chain
