#include "chain/tokens.h"

#include "chain/routes.h"
#include "core/limits.h"

namespace hopscope::chain {
namespace {

// Eight characters of base64url are 48 bits: two tokens are equal if their keys are.
std::uint64_t key_of(std::string_view token) {
    std::uint64_t key = 0;
    for (const char c : token) {
        unsigned digit = 63;  // '_'
        if (c >= 'A' && c <= 'Z')
            digit = static_cast<unsigned>(c - 'A');
        else if (c >= 'a' && c <= 'z')
            digit = static_cast<unsigned>(c - 'a') + 26;
        else if (c >= '0' && c <= '9')
            digit = static_cast<unsigned>(c - '0') + 52;
        else if (c == '-')
            digit = 62;
        key = key << 6 | digit;
    }
    return key;
}

constexpr std::size_t kOddBytesCompared = 256;

}  // namespace

bool TokenTable::is_full() const { return facts_.size() >= limits::kTokensMax; }

TokenFacts* TokenTable::facts(std::uint32_t number) {
    if (number <= forgotten_ || number - forgotten_ > facts_.size()) return nullptr;
    return &facts_[number - 1 - forgotten_];
}

std::uint32_t TokenTable::find(std::string_view token) const {
    if (!has_token_form(token)) {
        const auto found = odd_.find(std::string(token.substr(0, kOddBytesCompared)));
        return found == odd_.end() ? 0 : found->second;
    }
    const std::uint64_t key = key_of(token);
    const std::uint32_t position = usual_.find(key, [&](std::uint32_t place) { return at(place).key == key; });
    return position == IndexTable::kNone ? 0 : position + 1;
}

std::uint32_t TokenTable::see(std::string_view token, Timestamp at_time) {
    if (const std::uint32_t known = find(token); known != 0) return known;
    const std::size_t number_64 = forgotten_ + facts_.size() + 1;
    if (facts_.size() >= limits::kTokensMax || number_64 >= IndexTable::kNone) return 0;
    const auto number = static_cast<std::uint32_t>(number_64);
    TokenFacts fresh;
    fresh.first = at_time;
    if (has_token_form(token)) {
        fresh.key = key_of(token);
        facts_.push_back(fresh);
        usual_.insert(number - 1, [&](std::uint32_t place) { return at(place).key; });
        return number;
    }
    if (odd_.size() >= limits::kOddTokensMax) return 0;
    fresh.odd = true;
    facts_.push_back(fresh);
    odd_order_.emplace_back(token.substr(0, kOddBytesCompared));
    odd_.emplace(odd_order_.back(), number);
    return number;
}

void TokenTable::forget_oldest() {
    if (facts_.front().odd) {
        odd_.erase(odd_order_.front());
        odd_order_.pop_front();
    } else {
        usual_.erase(forgotten_, [&](std::uint32_t place) { return at(place).key; });
    }
    facts_.pop_front();
    ++forgotten_;
}

}  // namespace hopscope::chain
