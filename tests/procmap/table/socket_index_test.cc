#include "procmap/table/socket_index.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

namespace hopscope::procmap {
namespace {

std::vector<std::size_t> positions(const SocketIndex& index, std::uint64_t inode) {
    std::vector<std::size_t> all;
    const bool any = index.each(inode, [&](std::size_t position) { all.push_back(position); });
    EXPECT_EQ(any, !all.empty());
    return all;
}

TEST(SocketIndex, FindsWhatWasAdded) {
    std::mt19937_64 chance(4711);
    SocketIndex index;
    EXPECT_TRUE(positions(index, 5).empty());
    for (int round = 0; round < 3; ++round) {
        index.clear();
        std::vector<Socket> sockets;
        std::map<std::uint64_t, std::vector<std::size_t>> expected;
        // In pieces, past several sizes of the table; few enough numbers that some come twice.
        for (const std::size_t piece : std::initializer_list<std::size_t>{1, 0, 40, 3, 5000, 1, 20'000}) {
            for (std::size_t i = 0; i < piece; ++i) {
                const std::uint64_t inode = chance() % 30'000;
                if (inode != 0) expected[inode].push_back(sockets.size());
                sockets.emplace_back().inode = inode;
            }
            index.add_from(sockets);
        }
        for (std::uint64_t inode = 0; inode < 30'010; ++inode) {
            auto found = positions(index, inode);
            std::sort(found.begin(), found.end());
            EXPECT_EQ(found, expected.contains(inode) ? expected[inode] : std::vector<std::size_t>()) << inode;
        }
    }
}

TEST(SocketIndex, AnyStopsAtTheFirstThatIsIt) {
    std::vector<Socket> sockets(3);
    for (Socket& socket : sockets) socket.inode = 7;
    SocketIndex index;
    index.add_from(sockets);
    int asked = 0;
    EXPECT_TRUE(index.any(7, [&](std::size_t) { return ++asked == 2; }));
    EXPECT_EQ(asked, 2);
    EXPECT_FALSE(index.any(7, [](std::size_t position) { return position > 2; }));
    EXPECT_FALSE(index.any(8, [](std::size_t) { return true; }));
}

}  // namespace
}  // namespace hopscope::procmap
