// Packet sockets that another process opens in network namespaces, and the ring on them: real packets on loopback of
// namespaces of our own.
#include "capture/packet_ring.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include "capture/namespace_opener.h"
#include "support/private_network.h"

namespace hopscope::capture {
namespace {

using namespace std::chrono_literals;
using test::in_private_network;

constexpr std::size_t kUdpHeaders = 14 + 20 + 8;

// Of the calling thread.
struct Here {
    std::uint32_t pid = static_cast<std::uint32_t>(::syscall(SYS_gettid));
    std::uint64_t inode = [] {
        struct stat facts {};
        return ::stat("/proc/thread-self/ns/net", &facts) == 0 ? std::uint64_t{facts.st_ino} : 0;
    }();
};

std::unique_ptr<NamespaceOpener> start_opener() {
    auto started = NamespaceOpener::start("/proc", [] { return true; });
    return started ? std::move(*started) : nullptr;
}

void send(std::uint16_t port, const std::string& text) {
    const test::Fd listener(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const sockaddr_in to = test::loopback(port);
    ::bind(listener.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to);
    const test::Fd sender(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    ::sendto(sender.get(), text.data(), text.size(), 0, reinterpret_cast<const sockaddr*>(&to), sizeof to);
}

std::vector<std::string> drain_all(PacketRing& ring, std::chrono::milliseconds quiet = 400ms) {
    std::vector<std::string> texts;
    for (;;) {
        pollfd ready{.fd = ring.fd(), .events = POLLIN, .revents = 0};
        if (::poll(&ready, 1, static_cast<int>(quiet.count())) <= 0) return texts;
        while (ring.drain(64, [&](const Packet& packet) {
            EXPECT_EQ(packet.bytes.size(), packet.wire_length);
            EXPECT_EQ(packet.link_type, LinkType::ethernet);
            texts.emplace_back(packet.bytes.begin() + kUdpHeaders, packet.bytes.end());
        })) {
        }
    }
}

TEST(PacketRing, SeesEachPacketOnceInTheNamespaceThatWasEntered) {
    auto opener = start_opener();
    ASSERT_TRUE(opener);
    IN_PRIVATE_NETWORK([&] {
        const Here here;
        const auto socket = opener->open(here.pid, here.inode);
        ASSERT_TRUE(socket) << socket.error().why;
        auto ring = PacketRing::open(*socket, {.number = 5, .filter = "udp port 4000"});
        ASSERT_TRUE(ring) << ring.error().why;
        send(4001, "not asked for");
        send(4000, "one");
        send(4000, std::string(60'000, 'x'));
        EXPECT_EQ(drain_all(**ring), (std::vector<std::string>{"one", std::string(60'000, 'x')}));
        ASSERT_TRUE((*ring)->set_filter("udp port 4001"));
        send(4000, "no more");
        send(4001, "two");
        EXPECT_EQ(drain_all(**ring), std::vector<std::string>{"two"});
        EXPECT_EQ((*ring)->counters().delivered, 3U);
        EXPECT_EQ((*ring)->counters().received, 3U);
        EXPECT_EQ((*ring)->counters().dropped, 0U);
        EXPECT_EQ((*ring)->set_filter("no such words").error().code, "CAP-25");
    });
}

TEST(PacketRing, NamespacesWithTheSameAddressesAreNotMixed) {
    auto opener = start_opener();
    ASSERT_TRUE(opener);
    IN_PRIVATE_NETWORK([&] {
        const Here outer;
        auto first = PacketRing::open(*opener->open(outer.pid, outer.inode), {.filter = "udp port 4000"});
        ASSERT_TRUE(first);
        ASSERT_TRUE(in_private_network([&] {
            const Here inner;
            ASSERT_NE(inner.inode, outer.inode);
            auto second = PacketRing::open(*opener->open(inner.pid, inner.inode), {.filter = "udp port 4000"});
            ASSERT_TRUE(second);
            send(4000, "inner");
            EXPECT_EQ(drain_all(**second), std::vector<std::string>{"inner"});
        }));
        send(4000, "outer");
        EXPECT_EQ(drain_all(**first), std::vector<std::string>{"outer"});
    });
}

TEST(PacketRing, WhatDoesNotFitIsCounted) {
    auto opener = start_opener();
    ASSERT_TRUE(opener);
    IN_PRIVATE_NETWORK([&] {
        const Here here;
        auto ring = PacketRing::open(*opener->open(here.pid, here.inode), {.filter = "udp", .ring_bytes = 1});
        ASSERT_TRUE(ring);
        constexpr std::size_t kSent = 40;  // 2.4 MB into 512 KiB
        for (std::size_t i = 0; i < kSent; ++i) send(4000, std::string(60'000, 'x'));
        const std::size_t seen = drain_all(**ring).size();
        const LiveCounters counters = (*ring)->counters();
        EXPECT_GT(counters.dropped, 0U);
        EXPECT_EQ(counters.received, kSent);
        EXPECT_EQ(seen + counters.dropped, kSent);
    });
}

TEST(NamespaceOpener, AnotherNamespaceThanTheOneThatIsMeantIsNotOpened) {
    auto opener = start_opener();
    ASSERT_TRUE(opener);
    const Here here;
    const auto other = opener->open(here.pid, here.inode + 1);
    ASSERT_FALSE(other);
    EXPECT_EQ(other.error().code, "CAP-26");
    EXPECT_EQ(other.error().errno_value, ESTALE);
    const auto nobody = opener->open(0x7fffffff, here.inode);
    ASSERT_FALSE(nobody);
    EXPECT_EQ(nobody.error().errno_value, ENOENT);
}

TEST(NamespaceOpener, WhereItCannotBeConfinedThereIsNone) {
    EXPECT_FALSE(NamespaceOpener::start("/proc", [] { return false; }));
    EXPECT_FALSE(NamespaceOpener::start("/no/such/folder", [] { return true; }));
}

TEST(NamespaceOpener, OneThatHasEndedIsAnError) {
    auto opener = start_opener();
    ASSERT_TRUE(opener);
    ::kill(opener->pid(), SIGKILL);
    const Here here;
    const auto opened = opener->open(here.pid, here.inode);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, "CAP-26");
}

TEST(NamespaceOpener, EndsWithUs) {
    auto opener = start_opener();
    ASSERT_TRUE(opener);
    const pid_t pid = opener->pid();
    EXPECT_EQ(::kill(pid, 0), 0);
    for (const int number : {SIGINT, SIGTERM}) ::kill(pid, number);  // of a terminal: meant for us, not for it
    const Here here;
    const auto opened = opener->open(here.pid, here.inode + 1);
    EXPECT_EQ(opened.error().errno_value, ESTALE) << "it answers all the same";
    opener.reset();
    EXPECT_NE(::kill(pid, 0), 0);
}

// Its parent is killed: nobody tells it to end.
TEST(NamespaceOpener, EndsWhenWeAreKilled) {
    int told[2];
    ASSERT_EQ(::pipe2(told, O_CLOEXEC), 0);
    const pid_t parent = ::fork();
    if (parent == 0) {
        const auto opener = start_opener();
        const pid_t pid = opener ? opener->pid() : -1;
        [[maybe_unused]] const ssize_t written = ::write(told[1], &pid, sizeof pid);
        for (;;) ::pause();
    }
    pid_t pid = -1;
    ASSERT_EQ(::read(told[0], &pid, sizeof pid), static_cast<ssize_t>(sizeof pid));
    ASSERT_GT(pid, 0);
    ::kill(parent, SIGKILL);
    ::waitpid(parent, nullptr, 0);
    const auto ended = [pid] {
        char state = 0;
        const std::string path = "/proc/" + std::to_string(pid) + "/stat";
        FILE* file = std::fopen(path.c_str(), "re");
        if (file == nullptr) return true;
        const bool read = std::fscanf(file, "%*d (%*[^)]) %c", &state) == 1;
        std::fclose(file);
        return !read || state == 'Z';  // whoever inherited it has not asked for it yet
    };
    for (int i = 0; i < 100 && !ended(); ++i) std::this_thread::sleep_for(20ms);
    EXPECT_TRUE(ended());
    ::close(told[0]);
    ::close(told[1]);
}

}  // namespace
}  // namespace hopscope::capture
