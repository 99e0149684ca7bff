#include "procmap/table/socket_index.h"

#include <algorithm>
#include <bit>

namespace hopscope::procmap {

void SocketIndex::put(std::uint64_t inode, std::size_t position) {
    std::size_t at = home(inode);
    while (slots_[at].position_plus_1 != 0) at = (at + 1) & (slots_.size() - 1);
    slots_[at] = {inode, static_cast<std::uint32_t>(position + 1)};
}

void SocketIndex::add_from(const std::vector<Socket>& sockets) {
    if (sockets.size() * 3 > slots_.size() * 2) {
        const std::size_t size = std::bit_ceil(std::max<std::size_t>(sockets.size() * 3 / 2 + 1, 64));
        slots_.assign(size, {});
        shift_ = 64 - static_cast<unsigned>(std::countr_zero(size));
        added_ = 0;
    }
    for (; added_ < sockets.size(); ++added_)
        if (sockets[added_].inode != 0) put(sockets[added_].inode, added_);
}

void SocketIndex::clear() {
    std::fill(slots_.begin(), slots_.end(), Slot{});
    added_ = 0;
}

}  // namespace hopscope::procmap
