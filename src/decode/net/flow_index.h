// Open addressing from a hash to a number below 2^32 - 1; the owner of the numbers compares the keys.
//
// Linear probing, at most two thirds full, 8 bytes per place, nothing marked as deleted (erasing moves the followers
// back).
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

namespace hopscope::decode::net {

class FlowIndex {
public:
    static constexpr std::uint32_t kNone = 0xffffffff;

    // The number stored under `hash` for which `is_it(number)` holds, or kNone.
    template <typename IsIt>
    std::uint32_t find(std::uint32_t hash, IsIt&& is_it) const {
        for (std::uint32_t at = hash & mask_;; at = (at + 1) & mask_) {
            const Entry& entry = entries_[at];
            if (entry.number == kNone) return kNone;
            if (entry.hash == hash && is_it(entry.number)) return entry.number;
        }
    }

    void insert(std::uint32_t hash, std::uint32_t number) {
        if (++used_ * 3 > entries_.size() * 2) grow();
        put({hash, number});
    }

    void erase(std::uint32_t hash, std::uint32_t number) {
        std::uint32_t hole = hash & mask_;
        while (entries_[hole].number != number) {
            if (entries_[hole].number == kNone) return;
            hole = (hole + 1) & mask_;
        }
        --used_;
        for (std::uint32_t at = (hole + 1) & mask_; entries_[at].number != kNone; at = (at + 1) & mask_) {
            // An entry may move back to the hole unless its home lies behind the hole.
            const std::uint32_t home = entries_[at].hash & mask_;
            if (((at - home) & mask_) < ((at - hole) & mask_)) continue;
            entries_[hole] = entries_[at];
            hole = at;
        }
        entries_[hole] = Entry{};
    }

private:
    struct Entry {
        std::uint32_t hash = 0;
        std::uint32_t number = kNone;
    };

    void put(Entry entry) {
        std::uint32_t at = entry.hash & mask_;
        while (entries_[at].number != kNone) at = (at + 1) & mask_;
        entries_[at] = entry;
    }

    void grow() {
        std::vector<Entry> old(entries_.size() * 2);
        old.swap(entries_);
        mask_ = static_cast<std::uint32_t>(entries_.size() - 1);
        for (const Entry& entry : old)
            if (entry.number != kNone) put(entry);
    }

    std::uint32_t mask_ = 63;
    std::uint32_t used_ = 0;
    std::vector<Entry> entries_ = std::vector<Entry>(64);
};

}  // namespace hopscope::decode::net
