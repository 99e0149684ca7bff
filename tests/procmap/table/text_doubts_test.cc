#include "procmap/table/text_doubts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "core/descriptor.h"
#include "procmap/table/net_text.h"
#include "procmap/table/reader.h"

namespace hopscope::procmap {
namespace {

std::string line(std::uint64_t inode, const std::string& rest) {
    return "0000000000000000: 00000002 00000000 00010000 0001 01 " + std::to_string(inode) + rest;
}

std::vector<std::string> paths_of(const std::string& text, std::size_t left_out) {
    std::vector<Socket> sockets;
    EXPECT_EQ(take_unix_text(text, 0, sockets), left_out) << text;
    std::vector<std::string> paths;
    for (const Socket& socket : sockets) paths.push_back(socket.unix_local.path);
    return paths;
}

using Paths = std::vector<std::string>;

TEST(TextDoubts, ALineThatCanBeTheEndOfANameYieldsToOneThatCannot) {
    const std::string real = line(10, " /run/real.sock") + "\n";
    const std::string nameless = line(11, "") + "\n";  // no name: the next line is the kernel's
    const std::string liar = line(12, " @x\n" + line(10, " /evil")) + "\n";
    EXPECT_EQ(paths_of(nameless + real + liar, 1), (Paths{"", "/run/real.sock", "@x"}));
    EXPECT_EQ(paths_of(liar + nameless + real, 1), (Paths{"@x", "", "/run/real.sock"}));
    // Other text between, a name that is only the line end, and one whose end the kernel's line would not fit into.
    EXPECT_EQ(paths_of(nameless + real + line(12, " @\nx\n" + line(10, " /evil")) + "\n", 1),
              (Paths{"", "/run/real.sock", "@"}));
    EXPECT_EQ(paths_of(nameless + real + line(12, " \n" + line(10, " /evil")) + "\n", 1),
              (Paths{"", "/run/real.sock", ""}));
    const std::string full(108 - line(10, " /run/real.sock").size(), 'x');
    EXPECT_EQ(paths_of(liar + line(13, " /" + full.substr(1)) + "\n" + real, 1),
              (Paths{"@x", "/" + full.substr(1), "/run/real.sock"}));
    // One byte less, and either could be made up.
    EXPECT_EQ(paths_of(liar + line(13, " /" + full.substr(2)) + "\n" + real, 0).size(), 4U);
    EXPECT_EQ(paths_of(line(12, " @x\n" + line(11, "\n" + line(10, ""))) + "\n", 0).size(), 3U);  // nothing contradicts
}

Socket told(Transport transport, std::uint64_t inode, const char* path, SocketState state = SocketState::listen) {
    Socket socket;
    socket.transport = transport;
    socket.inode = inode;
    socket.state = state;
    socket.unix_local.path = path;
    return socket;
}

TEST(TextDoubts, WhatIsContradictedIsTakenBack) {
    std::vector<Socket> sockets{told(Transport::unix_stream, 1, "/one"),
                                told(Transport::tcp, 2, ""),
                                told(Transport::unix_stream, 2, "/evil"),
                                told(Transport::unix_stream, 3, "/evil"),
                                told(Transport::unix_stream, 4, "/twice"),
                                told(Transport::unix_stream, 3, "/true"),
                                told(Transport::unix_stream, 4, "/twice"),
                                told(Transport::unix_stream, 0, "/no inode"),
                                told(Transport::unix_stream, 0, "/other"),
                                told(Transport::udp, 5, ""),
                                told(Transport::udp, 5, "")};
    EXPECT_EQ(take_back_contradicted(sockets), 3U);
    Paths paths;
    for (const Socket& socket : sockets) paths.push_back(std::to_string(socket.inode) + socket.unix_local.path);
    EXPECT_EQ(paths, (Paths{"1/one", "2", "3", "4/twice", "0/no inode", "0/other", "5", "5"}));
    EXPECT_EQ(sockets[1].transport, Transport::tcp);
    EXPECT_EQ(sockets[2].state, SocketState::unknown);
    EXPECT_EQ(sockets[3].state, SocketState::listen);
}

// On this node: a name makes a listener of sockets of ours that are none.
class MadeUp : public ::testing::TestWithParam<std::pair<int, int>> {};

TEST_P(MadeUp, ListenerIsNotBelieved) {
    const Descriptor victim(::socket(GetParam().first, GetParam().second | SOCK_CLOEXEC, 0));
    const Descriptor liar(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_TRUE(victim.ok() && liar.ok());
    struct stat status {};
    ASSERT_EQ(::fstat(victim.get(), &status), 0);
    const std::string evil = "/evil." + std::to_string(::getpid());
    const std::string name = "x\n" + line(status.st_ino, " " + evil);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    ASSERT_LT(name.size() + 1, sizeof address.sun_path);
    std::memcpy(address.sun_path + 1, name.data(), name.size());
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
    ASSERT_EQ(::bind(liar.get(), reinterpret_cast<const sockaddr*>(&address), size), 0);
    ASSERT_EQ(::listen(liar.get(), 1), 0);
    TableReader reader({.all_net_namespaces = false, .netlink = false});
    const auto table = reader.read();
    ASSERT_TRUE(table);
    ASSERT_EQ(table->method, "/proc/net + /proc/*/fd");
    for (const Socket& socket : table->sockets) EXPECT_NE(socket.unix_local.path, evil);
    EXPECT_THAT(table->limits, ::testing::Contains(::testing::HasSubstr("of /proc/net/unix contradicted others")));
}

INSTANTIATE_TEST_SUITE_P(OfEachKind, MadeUp,
                         ::testing::Values(std::pair(AF_UNIX, SOCK_STREAM), std::pair(AF_NETLINK, SOCK_RAW),
                                           std::pair(AF_INET, SOCK_STREAM)));

}  // namespace
}  // namespace hopscope::procmap
