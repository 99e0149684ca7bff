#include "decode/net/copies.h"

#include <algorithm>

#include "core/limits.h"

namespace hopscope::decode::net {
namespace {
// Devices that a packet passes one after the other see it within this time; TCP sends nothing again that soon.
constexpr std::uint64_t kSameInstantNs = 10'000'000;
constexpr std::uint64_t kOldNs = static_cast<std::uint64_t>(limits::kCopySeconds * kNanosecondsPerSecond);

// Timestamps of a capture file may be anything: the difference of two need not fit in 63 bits.
std::uint64_t distance_ns(std::int64_t a, std::int64_t b) {
    const auto x = static_cast<std::uint64_t>(a), y = static_cast<std::uint64_t>(b);
    return a > b ? x - y : y - x;
}
}  // namespace

CopyFilter::CopyFilter() : sights_(limits::kCopiesKept) {}

std::size_t CopyFilter::number_of(const Place& place) {
    const std::uint64_t packed = std::uint64_t{place.interface & 0xffffffU} << 40 |
                                 std::uint64_t{place.interface_index} << 8 | place.packet_type;
    if (last_place_ < places_.size() && places_[last_place_] == packed) return last_place_;
    const auto at = std::find(places_.begin(), places_.end(), packed);
    if (at == places_.end()) {
        if (places_.size() == kPlacesMax) return kPlacesMax;
        places_.push_back(packed);
        return last_place_ = places_.size() - 1;
    }
    return last_place_ = static_cast<std::size_t>(at - places_.begin());
}

bool CopyFilter::count(Sight& sight, std::uint8_t place, bool same_instant) {
    for (std::size_t i = 0; i < kPlacesPerPacket; ++i) {
        if (sight.seen[i] == 0) {
            sight.place[i] = place;
            sight.seen[i] = 1;
            return true;
        }
        if (sight.place[i] != place) continue;
        if (same_instant) return true;
        if (sight.seen[i] == UINT8_MAX) return false;
        if (++sight.seen[i] <= sight.passed) return true;
        ++sight.passed;
        return false;
    }
    return true;  // seen at more places than are told apart
}

bool CopyFilter::is_copy(std::uint64_t fingerprint, const Place& place, bool id_known, Timestamp at) {
    const std::size_t number = number_of(place);
    if (number == kPlacesMax) return false;
    Sight* set = &sights_[fingerprint % (limits::kCopiesKept / kWays) * kWays];
    Sight* oldest = set;
    for (Sight* sight = set; sight != set + kWays; ++sight) {
        if (sight->passed == 0) {
            oldest = sight;
            break;
        }
        if (sight->fingerprint == fingerprint) {
            const std::uint64_t apart = distance_ns(at.ns, sight->at_ns);
            if (apart > kOldNs) {
                oldest = sight;
                break;
            }
            const bool copy =
                count(*sight, static_cast<std::uint8_t>(number), !place.known && id_known && apart < kSameInstantNs);
            if (copy) {
                ++dropped_;
            } else {
                sight->at_ns = at.ns;
            }
            return copy;
        }
        if (sight->at_ns < oldest->at_ns) oldest = sight;
    }
    *oldest = Sight{.fingerprint = fingerprint,
                    .at_ns = at.ns,
                    .place = {static_cast<std::uint8_t>(number)},
                    .seen = {1},
                    .passed = 1};
    return false;
}

}  // namespace hopscope::decode::net
