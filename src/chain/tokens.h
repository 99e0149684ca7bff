// The streaming tokens of a run: their numbers in order of first appearance, and what became of them.
//
// A live run has no end: the oldest are forgotten, by whoever owns the table (Builder). A number is never given twice;
// a token that comes again after it was forgotten gets a new one.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>

#include "chain/index_table.h"
#include "chain/model.h"

namespace hopscope::chain {

struct TokenFacts {
    std::uint64_t key = 0;  // the token's 48 bits where it has the usual form, else 0
    Timestamp first;        // appearance
    bool odd = false;
    std::uint32_t consumed_by = 0;   // first session whose request reached the handler; 0: none seen
    Op consumed_as = Op::unknown;    // what that request asked for
    bool consumed_by_404 = false;    // it was refused: the token was unknown, or of another kind
    std::uint32_t last_session = 0;  // last session that named it
    std::uint32_t call = 0;          // 1 + position of the CRI answer that issued it; 0: not seen
};

// Bounded: at most limits::kTokensMax tokens, limits::kOddTokensMax of them of unusual form.
class TokenTable {
public:
    // The number of `token` (from 1), a new one at its first appearance; 0 when there is no room for another.
    std::uint32_t see(std::string_view token, Timestamp at);
    // The number, 0 when it was never seen, or is forgotten.
    [[nodiscard]] std::uint32_t find(std::string_view token) const;
    // Null for 0 and for a number that is forgotten. Borrowed until the next see() or forget_oldest().
    [[nodiscard]] TokenFacts* facts(std::uint32_t number);
    [[nodiscard]] std::size_t size() const { return facts_.size(); }
    [[nodiscard]] bool is_full() const;
    // Null: there is none.
    [[nodiscard]] TokenFacts* oldest() { return facts_.empty() ? nullptr : &facts_.front(); }
    [[nodiscard]] std::uint32_t oldest_number() const { return forgotten_ + 1; }
    // There must be one.
    void forget_oldest();

private:
    [[nodiscard]] const TokenFacts& at(std::uint32_t position) const { return facts_[position - forgotten_]; }

    std::deque<TokenFacts> facts_;
    std::uint32_t forgotten_ = 0;                         // tokens before the first one here
    IndexTable usual_;                                    // positions (number - 1) by TokenFacts::key
    std::unordered_map<std::string, std::uint32_t> odd_;  // number by text
    std::deque<std::string> odd_order_;                   // the odd ones of facts_, in its order
};

}  // namespace hopscope::chain
