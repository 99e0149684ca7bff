// Finds the place of a key in a list that somebody else owns: open addressing, four bytes per place.
//
// The table holds only positions; hash and comparison come from the caller, who reads the key in his list.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace hopscope::chain {

class IndexTable {
public:
    static constexpr std::uint32_t kNone = UINT32_MAX;

    // `equal(position)` says whether the key stands there.
    template <typename Equal>
    [[nodiscard]] std::uint32_t find(std::uint64_t hash, Equal equal) const {
        if (places_.empty()) return kNone;
        const std::size_t mask = places_.size() - 1;
        for (std::size_t at = spread(hash) & mask; places_[at] != 0; at = (at + 1) & mask) {
            if (equal(places_[at] - 1)) return places_[at] - 1;
        }
        return kNone;
    }

    // `position` must not be in the table yet. `hash_of(position)` is asked for the others when the table grows.
    template <typename HashOf>
    void insert(std::uint32_t position, HashOf hash_of) {
        if ((used_ + 1) * 2 > places_.size()) grow(hash_of);
        put(hash_of(position), position);
        ++used_;
    }

    // `position` must be in the table. What stands behind it closes up, so that no dead place is ever looked at.
    template <typename HashOf>
    void erase(std::uint32_t position, HashOf hash_of) {
        const std::size_t mask = places_.size() - 1;
        std::size_t hole = spread(hash_of(position)) & mask;
        while (places_[hole] != position + 1) hole = (hole + 1) & mask;
        for (std::size_t at = (hole + 1) & mask; places_[at] != 0; at = (at + 1) & mask) {
            const std::size_t home = spread(hash_of(places_[at] - 1)) & mask;
            // It may move only if that brings it no nearer than its home, going round.
            if (((at - home) & mask) < ((at - hole) & mask)) continue;
            places_[hole] = places_[at];
            hole = at;
        }
        places_[hole] = 0;
        --used_;
    }

    [[nodiscard]] std::size_t memory_bytes() const { return places_.capacity() * sizeof(std::uint32_t); }

private:
    // Keys are small numbers or chosen by a peer: neighbours and multiples must not meet (splitmix64's last step).
    static std::size_t spread(std::uint64_t hash) {
        hash = (hash ^ hash >> 30) * 0xbf58476d1ce4e5b9U;
        hash = (hash ^ hash >> 27) * 0x94d049bb133111ebU;
        return static_cast<std::size_t>(hash ^ hash >> 31);
    }
    void put(std::uint64_t hash, std::uint32_t position) {
        const std::size_t mask = places_.size() - 1;
        std::size_t at = spread(hash) & mask;
        while (places_[at] != 0) at = (at + 1) & mask;
        places_[at] = position + 1;
    }
    template <typename HashOf>
    void grow(HashOf hash_of) {
        std::vector<std::uint32_t> old(places_.empty() ? 16 : places_.size() * 2, 0);
        old.swap(places_);
        for (const std::uint32_t place : old) {
            if (place != 0) put(hash_of(place - 1), place - 1);
        }
    }

    std::vector<std::uint32_t> places_;  // position + 1; 0: free
    std::size_t used_ = 0;
};

}  // namespace hopscope::chain
