#include "decode/net/recent_segments.h"

#include <algorithm>

#include "core/limits.h"

namespace hopscope::decode::net {

RecentSegments::Comparison RecentSegments::compare(std::uint32_t head, std::uint64_t owner, std::uint32_t sequence,
                                                   Bytes repeat) const {
    Comparison result;
    if (history_ == nullptr || ring_.empty()) return result;
    const auto size = static_cast<std::int64_t>(repeat.size());
    std::uint32_t number = head;
    for (std::uint32_t looked = 0; looked < limits::kRecentSegmentsLooked && number != 0; ++looked) {
        if (count_ - number >= limits::kRecentSegments) break;  // overwritten since
        const Entry& entry = ring_[number % limits::kRecentSegments];
        if (entry.owner >> 1 != owner >> 1) break;  // the counter went round
        number = entry.previous;
        if (entry.owner != owner) continue;
        // The part of `repeat` that this entry covers.
        const std::int64_t place = ahead(entry.sequence, sequence);
        const std::int64_t begin = std::max<std::int64_t>(place, 0), end = std::min(place + entry.size, size);
        if (begin >= end) continue;
        const auto length = static_cast<std::size_t>(end - begin);
        const Bytes first = history_->recent(entry.position + static_cast<std::uint64_t>(begin - place), length);
        if (first.size() < length) continue;
        const Bytes again = repeat.subspan(static_cast<std::size_t>(begin), length);
        result.compared += length;
        if (std::memcmp(first.data(), again.data(), length) != 0) {
            std::size_t differing = 0, at = length;
            for (std::size_t i = length; i-- > 0;) {
                if (first[i] == again[i]) continue;
                ++differing;
                at = i;
            }
            const auto where = sequence + static_cast<std::uint32_t>(begin) + static_cast<std::uint32_t>(at);
            if (result.differing == 0 || ahead(where, result.first_difference) < 0) result.first_difference = where;
            result.differing += differing;
        }
        if (result.compared == repeat.size()) break;
    }
    return result;
}

}  // namespace hopscope::decode::net
