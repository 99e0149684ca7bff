// From the inode of a socket to its places in a list of sockets: a hash table without allocations of its own per
// socket, as tens of thousands are looked up for each table.
//
// An inode may stand in the list more than once: a dump that sockets changed under can tell one twice.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/socket_table.h"

namespace hopscope::procmap {

class SocketIndex {
public:
    // The sockets that came to the end of the list since the last call; all of them after clear(). Sockets without an
    // inode are left out. At most limits::kSocketsMax sockets.
    void add_from(const std::vector<Socket>& sockets);
    void clear();

    // Whether `is_it` is true of the position of a socket that has this inode; asked until it is.
    template <typename IsIt>
    bool any(std::uint64_t inode, IsIt is_it) const {
        if (slots_.empty()) return false;
        for (std::size_t at = home(inode); slots_[at].position_plus_1 != 0; at = (at + 1) & (slots_.size() - 1))
            if (slots_[at].inode == inode && is_it(std::size_t{slots_[at].position_plus_1} - 1)) return true;
        return false;
    }
    // Calls `take` with the position of each of them. False: there is none.
    template <typename Take>
    bool each(std::uint64_t inode, Take take) const {
        bool is_there = false;
        any(inode, [&](std::size_t position) {
            is_there = true;
            take(position);
            return false;
        });
        return is_there;
    }

private:
    struct Slot {
        std::uint64_t inode = 0;
        std::uint32_t position_plus_1 = 0;  // 0: empty
    };
    // Inodes are given out in rows: multiplied by 2^64 / golden ratio, neighbours lie far apart.
    [[nodiscard]] std::size_t home(std::uint64_t inode) const {
        return static_cast<std::size_t>((inode * 0x9E3779B97F4A7C15ULL) >> shift_);
    }
    void put(std::uint64_t inode, std::size_t position);

    std::vector<Slot> slots_;  // a power of two, at most two thirds of them used
    unsigned shift_ = 64;
    std::size_t added_ = 0;
};

}  // namespace hopscope::procmap
