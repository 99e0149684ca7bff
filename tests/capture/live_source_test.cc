// Live capture on a loopback interface of a network namespace of our own: nobody else's packets, real ones all the
// same.
#include "capture/live_source.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sys/syscall.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <map>
#include <vector>

#include "support/private_network.h"

namespace hopscope::capture {
namespace {

using namespace std::chrono_literals;
using test::in_private_network;

constexpr std::size_t kUdpHeaders = 14 + 20 + 8;

class Sender {
public:
    explicit Sender(std::uint16_t port)
        : fd_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)), to_(test::loopback(port)) {
        // Somebody listens, so that no ICMP answers come back.
        listener_ = test::Fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
        ::bind(listener_.get(), reinterpret_cast<sockaddr*>(&to_), sizeof to_);
    }
    void send(std::uint32_t number, std::size_t bytes = 16) {
        std::vector<char> text(bytes);
        std::memcpy(text.data(), &number, sizeof number);
        ::sendto(fd_.get(), text.data(), text.size(), 0, reinterpret_cast<const sockaddr*>(&to_), sizeof to_);
    }

private:
    test::Fd fd_, listener_;
    sockaddr_in to_;
};

std::uint32_t number_in(const Packet& packet) {
    std::uint32_t number = UINT32_MAX;
    if (packet.bytes.size() >= kUdpHeaders + sizeof number)
        std::memcpy(&number, packet.bytes.data() + kUdpHeaders, sizeof number);
    return number;
}

// Takes what comes until nothing has come for `quiet`.
std::size_t drain_all(LiveSource& source, const std::function<void(const Packet&)>& take,
                      std::chrono::milliseconds quiet = 400ms) {
    std::size_t count = 0;
    for (;;) {
        pollfd ready{.fd = source.fd(), .events = POLLIN, .revents = 0};
        if (::poll(&ready, 1, static_cast<int>(quiet.count())) <= 0) return count;
        for (bool more = true; more;) {
            const auto drained = source.drain(256, [&](const Packet& packet) {
                ++count;
                take(packet);
            });
            if (!drained) return count;
            more = *drained;
        }
    }
}

Timestamp now() {
    return {std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch())
                .count()};
}

TEST(LiveSource, sees_each_loopback_packet_once_with_its_time_and_length) {
    IN_PRIVATE_NETWORK([] {
        auto source = LiveSource::open({.number = 7, .filter = "udp port 4000"});
        ASSERT_TRUE(source) << source.error().why;
        EXPECT_EQ((*source)->info().link_type, LinkType::ethernet);
        const Timestamp before = now();
        Sender sender(4000);
        for (std::uint32_t i = 0; i < 300; ++i) sender.send(i, 100 + i);
        std::vector<std::uint32_t> numbers;
        Timestamp last = before;
        bool whole_microseconds = true;
        drain_all(**source, [&](const Packet& packet) {
            numbers.push_back(number_in(packet));
            EXPECT_EQ(packet.interface, 7U);
            EXPECT_EQ(packet.wire_length, kUdpHeaders + 100 + numbers.size() - 1);
            EXPECT_EQ(packet.bytes.size(), packet.wire_length);
            EXPECT_GE(packet.at, last);
            last = packet.at;
            whole_microseconds = whole_microseconds && packet.at.ns % 1000 == 0;
        });
        EXPECT_LE(last, now());
        EXPECT_FALSE(whole_microseconds);
        ASSERT_EQ(numbers.size(), 300U);
        for (std::uint32_t i = 0; i < 300; ++i) EXPECT_EQ(numbers[i], i);
        const LiveCounters counters = (*source)->counters();
        EXPECT_EQ(counters.received, 300U);  // not 600: the outgoing copies are not counted
        EXPECT_EQ(counters.delivered, 300U);
        EXPECT_EQ(counters.dropped, 0U);
    });
}

TEST(LiveSource, the_snaplen_cuts_and_tells_the_length_on_the_wire) {
    IN_PRIVATE_NETWORK([] {
        auto source = LiveSource::open({.filter = "udp", .snaplen = 96});
        ASSERT_TRUE(source);
        Sender(4000).send(1, 900);
        const std::size_t count = drain_all(**source, [](const Packet& packet) {
            EXPECT_EQ(packet.bytes.size(), 96U);
            EXPECT_EQ(packet.wire_length, kUdpHeaders + 900);
        });
        EXPECT_EQ(count, 1U);
    });
}

TEST(LiveSource, replacing_the_filter_loses_nothing_that_both_filters_want) {
    IN_PRIVATE_NETWORK([] {
        auto source = LiveSource::open({.filter = "udp port 4000"});
        ASSERT_TRUE(source);
        Sender wanted(4000), other(4001);
        std::map<std::uint32_t, int> seen;
        int others = 0;
        constexpr std::uint32_t kPackets = 4000;
        std::atomic<bool> over{false};
        std::thread sending([&] {
            for (std::uint32_t i = 0; i < kPackets; ++i) {
                wanted.send(i);
                if (i % 16 == 0) std::this_thread::sleep_for(100us);
            }
            over = true;
        });
        bool both = false;
        const auto take = [&](const Packet& packet) { ++seen[number_in(packet)]; };
        while (!over) {
            both = !both;
            EXPECT_TRUE((*source)->set_filter(both ? "udp port 4000 or udp port 4001" : "udp port 4000"));
            EXPECT_TRUE((*source)->drain(256, take));
        }
        sending.join();
        drain_all(**source, take);
        EXPECT_EQ(seen.size(), kPackets);
        for (const auto& [number, count] : seen) EXPECT_EQ(count, 1) << number;
        // And the new filter is in force from the next packet on, in the block that is open, too.
        ASSERT_TRUE((*source)->set_filter("udp port 4001"));
        wanted.send(1);
        other.send(2);
        drain_all(**source, [&](const Packet& packet) { others += number_in(packet) == 2 ? 1 : 100; });
        EXPECT_EQ(others, 1);
        ASSERT_TRUE((*source)->set_filter(""));
        EXPECT_EQ((*source)->set_filter("port nonsense").error().code, "CAP-25");
        wanted.send(3);
        EXPECT_EQ(drain_all(**source, [](const Packet&) {}), 1U);
    });
}

// A filter that is replaced before the first packet came: libpcap's own way would check the first blocks of the ring
// against the old one.
TEST(LiveSource, the_first_packet_may_come_after_the_filter_was_widened) {
    IN_PRIVATE_NETWORK([] {
        auto source = LiveSource::open({.filter = "udp port 4000"});
        ASSERT_TRUE(source);
        ASSERT_TRUE((*source)->set_filter("udp port 4001"));
        Sender(4001).send(9);
        EXPECT_EQ(drain_all(**source, [](const Packet& packet) { EXPECT_EQ(number_in(packet), 9U); }), 1U);
    });
}

TEST(LiveSource, what_does_not_fit_the_ring_is_counted_to_the_last_packet) {
    IN_PRIVATE_NETWORK([] {
        auto source = LiveSource::open({.filter = "udp port 4000", .ring_bytes = 256 * 1024});
        ASSERT_TRUE(source);
        Sender sender(4000);
        constexpr std::uint32_t kPackets = 20'000;
        for (std::uint32_t i = 0; i < kPackets; ++i) sender.send(i, 1000);
        const std::size_t delivered = drain_all(**source, [](const Packet&) {});
        const LiveCounters counters = (*source)->counters();
        EXPECT_GT(counters.dropped, 1000U);
        EXPECT_EQ(counters.delivered, delivered);
        EXPECT_EQ(counters.received, kPackets);
        EXPECT_EQ(counters.dropped + delivered, kPackets);
    });
}

TEST(LiveSource, errors_name_the_remedy) {
    IN_PRIVATE_NETWORK([] {
        const auto missing = LiveSource::open({.interface = "nic\x1b[31m7"});
        ASSERT_FALSE(missing);
        EXPECT_EQ(missing.error().code, "CAP-02");
        EXPECT_NE(missing.error().hint.find("lo"), std::string::npos);
        const auto filter = LiveSource::open({.filter = "tcp port"});
        ASSERT_FALSE(filter);
        EXPECT_EQ(filter.error().code, "CAP-25");
        const auto elsewhere = LiveSource::open({.net_namespace = "/proc/1/ns/nothing"});
        ASSERT_FALSE(elsewhere);
        EXPECT_EQ(elsewhere.error().code, "CAP-26");
        // Capabilities belong to this thread alone.
        __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
        __user_cap_data_struct data[2]{};
        ASSERT_EQ(::syscall(SYS_capset, &header, data), 0);
        const auto denied = LiveSource::open({});
        ASSERT_FALSE(denied);
        EXPECT_EQ(denied.error().code, "CAP-01");
        EXPECT_NE(denied.error().why.find("CAP_NET_RAW"), std::string::npos);
        EXPECT_NE(denied.error().hint.find("setcap"), std::string::npos);
    });
}

TEST(LiveSource, an_interface_that_is_down_is_told_and_one_that_comes_back_is_captured_again) {
    if (!in_private_network(
            [] {
                const auto down = LiveSource::open({});
                ASSERT_FALSE(down);
                EXPECT_EQ(down.error().code, "CAP-24");
                ASSERT_TRUE(test::set_loopback(true));
                auto source = LiveSource::open({.filter = "udp"});
                ASSERT_TRUE(source);
                ASSERT_TRUE(test::set_loopback(false));
                EXPECT_EQ(drain_all(**source, [](const Packet&) {}), 0U);
                pollfd ready{.fd = (*source)->fd(), .events = POLLIN, .revents = 0};
                EXPECT_EQ(::poll(&ready, 1, 0), 0) << "a loop would spin";
                ASSERT_TRUE(test::set_loopback(true));
                Sender(4000).send(6);
                EXPECT_EQ(drain_all(**source, [](const Packet& packet) { EXPECT_EQ(number_in(packet), 6U); }), 1U);
            },
            false))
        GTEST_SKIP() << "no network namespace of our own: CAP_SYS_ADMIN is missing";
}

TEST(LiveSource, an_interface_that_vanishes_is_an_error) {
    const char* skipped = nullptr;
    IN_PRIVATE_NETWORK([&] {
        test::Fd tap(::open("/dev/net/tun", O_RDWR | O_CLOEXEC));
        ifreq request{};
        std::string("tap7").copy(request.ifr_name, IFNAMSIZ - 1);
        request.ifr_flags = IFF_TAP | IFF_NO_PI;
        if (tap.get() < 0 || ::ioctl(tap.get(), TUNSETIFF, &request) != 0) {
            skipped = "no TAP device can be made";
            return;
        }
        request.ifr_flags = IFF_UP;
        ASSERT_EQ(::ioctl(test::Fd(::socket(AF_INET, SOCK_DGRAM, 0)).get(), SIOCSIFFLAGS, &request), 0);
        auto source = LiveSource::open({.interface = "tap7"});
        ASSERT_TRUE(source) << source.error().why;
        tap.close();
        Result<bool> drained = true;
        for (int i = 0; i < 100 && drained; ++i) {
            std::this_thread::sleep_for(20ms);
            drained = (*source)->drain(16, [](const Packet&) {});
        }
        ASSERT_FALSE(drained);
        EXPECT_EQ(drained.error().code, "CAP-24");
    });
    if (skipped) GTEST_SKIP() << skipped;
}

TEST(LiveSource, captures_in_another_network_namespace) {
    std::string path;
    IN_PRIVATE_NETWORK([&] {
        path = "/proc/self/task/" + std::to_string(::gettid()) + "/ns/net";
        std::unique_ptr<LiveSource> source;
        std::vector<std::string> names;
        // A thread that was in the first namespace all the time would do; a fresh namespace is as far away.
        std::thread([&] {
            ASSERT_EQ(::unshare(CLONE_NEWNET), 0);
            auto opened = LiveSource::open({.filter = "udp", .net_namespace = path});
            ASSERT_TRUE(opened) << opened.error().why;
            source = std::move(*opened);
            const auto interfaces = list_interfaces(path);
            ASSERT_TRUE(interfaces);
            for (const InterfaceFacts& each : *interfaces) {
                if (each.up) names.push_back(each.name);
            }
        }).join();
        ASSERT_TRUE(source);
        EXPECT_EQ(names, std::vector<std::string>{"lo"});
        Sender(4000).send(5);
        EXPECT_EQ(drain_all(*source, [](const Packet& packet) { EXPECT_EQ(number_in(packet), 5U); }), 1U);
        // Filters are made and statistics are read from outside.
        EXPECT_TRUE(source->set_filter("udp port 4001"));
        EXPECT_EQ(source->counters().received, 1U);
    });
}

IpAddress address(const char* text) { return *IpAddress::parse(text); }

TEST(Interfaces, loopback_and_what_carries_the_kubelets_port) {
    const std::vector<InterfaceFacts> all = {
        {.name = "eth0", .up = true, .addresses = {address("10.0.0.11"), address("fe80::1")}},
        {.name = "lo", .up = true, .loopback = true, .addresses = {address("127.0.0.1"), address("::1")}},
        {.name = "eth1", .up = false, .addresses = {address("10.1.0.11")}},
        {.name = "cni0", .up = true, .addresses = {address("10.244.0.1")}},
        {.name = "veth1", .up = true, .addresses = {address("fe80::2"), address("169.254.3.4")}},
        {.name = "dummy", .up = true, .addresses = {}},
    };
    const auto names = [&](std::vector<IpAddress> bound) { return interfaces_for(all, bound); };
    EXPECT_EQ(names({}), (std::vector<std::string>{"lo"}));
    EXPECT_EQ(names({address("10.0.0.11")}), (std::vector<std::string>{"lo", "eth0"}));
    EXPECT_EQ(names({address("127.0.0.1")}), (std::vector<std::string>{"lo"}));
    EXPECT_EQ(names({address("::")}), (std::vector<std::string>{"lo", "eth0", "cni0"}));
    EXPECT_EQ(names({address("0.0.0.0")}), (std::vector<std::string>{"lo", "eth0", "cni0"}));
    EXPECT_EQ(names({address("10.1.0.11")}), (std::vector<std::string>{"lo"}));  // down
}

TEST(NetNamespace, may_be_written_in_three_ways) {
    EXPECT_EQ(net_namespace_path("4711"), "/proc/4711/ns/net");
    EXPECT_EQ(net_namespace_path("cni-1"), "/run/netns/cni-1");
    EXPECT_EQ(net_namespace_path("/var/run/docker/netns/x"), "/var/run/docker/netns/x");
    EXPECT_EQ(net_namespace_path(""), "");
}

}  // namespace
}  // namespace hopscope::capture
