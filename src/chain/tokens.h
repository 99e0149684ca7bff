// The streaming tokens of a run: their numbers in order of first appearance, and what became of them.
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
    std::uint64_t key = 0;  // the token's 48 bits where it has the usual form, else its position among the odd ones
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
    std::uint32_t see(std::string_view token);
    // The number, 0 when it was never seen.
    [[nodiscard]] std::uint32_t find(std::string_view token) const;
    // `number` from 1.
    [[nodiscard]] TokenFacts& facts(std::uint32_t number) { return facts_[number - 1]; }
    [[nodiscard]] std::size_t size() const { return facts_.size(); }

private:
    std::deque<TokenFacts> facts_;
    IndexTable usual_;                                    // by TokenFacts::key
    std::unordered_map<std::string, std::uint32_t> odd_;  // number by text
};

}  // namespace hopscope::chain
