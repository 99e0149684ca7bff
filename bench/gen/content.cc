#include "content.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace hopscope::gen {
namespace {

constexpr std::array<std::string_view, 16> kWords = {
    "level=info",        "msg=ready",  "GET",    "/api/v1/items", "200",  "took=12ms", "user",
    "request",           "connection", "closed", "cache",         "miss", "worker",    "queue",
    "\x1b[32mok\x1b[0m", "caf\xc3\xa9"};

}  // namespace

Content::Content(Random& random, bool random_bytes) {
    table_.reserve(2 * kPeriodBytes);
    while (table_.size() < kPeriodBytes) {
        if (random_bytes) {
            table_.push_back(static_cast<std::uint8_t>(random.next() >> 56));
            continue;
        }
        const std::string_view word = kWords[random.below(kWords.size())];
        table_.insert(table_.end(), word.begin(), word.end());
        table_.push_back(random.below(10) == 0 ? '\n' : ' ');
    }
    table_.resize(kPeriodBytes);
    table_.resize(2 * kPeriodBytes);
    std::copy_n(table_.begin(), kPeriodBytes, table_.begin() + kPeriodBytes);
}

}  // namespace hopscope::gen
