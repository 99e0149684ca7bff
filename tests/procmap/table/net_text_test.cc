#include "procmap/table/net_text.h"

#include <gtest/gtest.h>

namespace hopscope::procmap {
namespace {

constexpr std::string_view kTcp =
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode                  "
    "                                   \n"
    "   0: 0100007F:A549 00000000:0000 0A 00000000:00000003 00:00000000 00000000     0        0 24881 1 ffff8881 100 0 "
    "0 10 0                     \n"
    "   1: 0100007F:D5EE 0100007F:A549 01 0000000A:00000000 02:000004D2 00000000  1000        0 24990 2 ffff8881 20 4 "
    "30 10 -1                     \n"
    "   2: 0100007F:A549 0100007F:D5F0 06 00000000:00000000 03:00000A28 00000000     0        0 0 3 ffff8881           "
    "                           \n";
constexpr std::string_view kTcp6 =
    "  sl  local_address                         remote_address                        st tx_queue rx_queue tr "
    "tm->when retrnsmt   uid  timeout inode\n"
    "   0: 00000000000000000000000000000000:280A 00000000000000000000000000000000:0000 0A 00000000:00000000 "
    "00:00000000 00000000     0        0 31 1 x\n"
    "   1: 0000000000000000FFFF00000100007F:280A 0000000000000000FFFF00000100007F:C001 01 00000000:00000000 "
    "00:00000000 00000000     0        0 32 1 x\n"
    "   2: B80D0120000000000000000001000000:0050 00000000000000000000000000000000:0000 08 00000000:00000000 "
    "00:00000000 00000000     0        0 33 1 x\n";

TEST(NetText, Tcp) {
    std::vector<Socket> sockets;
    take_inet_text(kTcp, Transport::tcp, 7, sockets);
    ASSERT_EQ(sockets.size(), 3U);
    EXPECT_EQ(to_string(sockets[0].local), "127.0.0.1:42313");
    EXPECT_EQ(sockets[0].state, SocketState::listen);
    EXPECT_EQ(sockets[0].inode, 24881U);
    EXPECT_EQ(sockets[0].net_namespace, 7U);
    EXPECT_EQ(sockets[0].receive_queue_bytes, 3U);
    EXPECT_EQ(to_string(sockets[1].remote), "127.0.0.1:42313");
    EXPECT_EQ(sockets[1].state, SocketState::established);
    EXPECT_EQ(sockets[1].send_queue_bytes, 10U);
    EXPECT_EQ(sockets[2].state, SocketState::time_wait);
    EXPECT_EQ(sockets[2].inode, 0U);
}

TEST(NetText, Tcp6AndMappedAddresses) {
    std::vector<Socket> sockets;
    take_inet_text(kTcp6, Transport::tcp, 0, sockets);
    ASSERT_EQ(sockets.size(), 3U);
    EXPECT_EQ(to_string(sockets[0].local), "[::]:10250");
    EXPECT_EQ(to_string(sockets[1].local), "127.0.0.1:10250");
    EXPECT_EQ(sockets[1].local.address, *IpAddress::parse("127.0.0.1"));
    EXPECT_EQ(to_string(sockets[2].local), "[2001:db8::1]:80");
    EXPECT_EQ(sockets[2].state, SocketState::close_wait);
}

TEST(NetText, Unix) {
    std::vector<Socket> sockets;
    take_unix_text(
        "Num       RefCount Protocol Flags    Type St Inode Path\n"
        "0000000000000000: 00000002 00000000 00010000 0001 01 21033 /run/containerd/containerd.sock\n"
        "0000000000000000: 00000003 00000000 00000000 0001 03 21034\n"
        "0000000000000000: 00000002 00000000 00010000 0005 01 21035 /run/with space/a b.sock\n"
        "0000000000000000: 00000002 00000000 00000000 0002 01 21036 @abstract@tail\n",
        9, sockets);
    ASSERT_EQ(sockets.size(), 4U);
    EXPECT_EQ(sockets[0].transport, Transport::unix_stream);
    EXPECT_EQ(sockets[0].state, SocketState::listen);
    EXPECT_EQ(sockets[0].unix_local.path, "/run/containerd/containerd.sock");
    EXPECT_EQ(sockets[0].unix_local.inode, 21033U);
    EXPECT_EQ(sockets[1].state, SocketState::established);
    EXPECT_EQ(sockets[1].unix_local.path, "");
    EXPECT_EQ(sockets[2].transport, Transport::unix_seqpacket);
    EXPECT_EQ(sockets[2].unix_local.path, "/run/with space/a b.sock");
    EXPECT_EQ(sockets[3].transport, Transport::unix_dgram);
    EXPECT_EQ(sockets[3].unix_local.path, "@abstract@tail");
    EXPECT_EQ(sockets[3].net_namespace, 9U);
}

// Every beginning of the text is read without harm, and lines cut in their addresses are not taken.
TEST(NetText, CutAnywhere) {
    std::size_t before = 0;
    for (std::size_t length = 0; length <= kTcp.size(); ++length) {
        std::vector<Socket> sockets;
        take_inet_text(kTcp.substr(0, length), Transport::tcp, 0, sockets);
        EXPECT_GE(sockets.size(), before);
        before = sockets.size();
        sockets.clear();
        take_unix_text(kTcp.substr(0, length), 0, sockets);
        EXPECT_TRUE(sockets.empty());
    }
    EXPECT_EQ(before, 3U);
}

}  // namespace
}  // namespace hopscope::procmap
