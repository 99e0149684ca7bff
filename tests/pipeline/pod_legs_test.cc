// What the packets on loopback of a pod tell of its connections: how many bytes, from where to where, what is missing.
#include "pipeline/pod_legs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/limits.h"
#include "decode/net/packet_builder.h"

namespace hopscope::pipeline {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr std::int64_t kMs = 1'000'000;
constexpr std::uint64_t kPod = 4'026'532'001;
constexpr std::uint8_t kFin = 1, kSyn = 2, kRst = 4, kAck = 16;
constexpr std::uint16_t kClient = 40'001, kServer = 8080;

class Pod {
public:
    explicit Pod(std::uint64_t network = kPod)
        : legs(network, [this](const chain::ForwardLeg& leg) { told.push_back(leg); }) {}

    // A segment of the client, or of the server; sequence numbers of both sides begin near their wrap.
    void segment(bool by_client, std::uint32_t offset, std::uint8_t flags, std::string_view payload = "") {
        const std::uint32_t here = 0xfffffff0U + offset, there = 0xffffff00U;
        const net_test::Buffer tcp = net_test::tcp({.source = by_client ? client : server,
                                                    .destination = by_client ? server : client,
                                                    .sequence = here,
                                                    .acknowledgement = there,
                                                    .flags = flags,
                                                    .payload = payload});
        const std::uint8_t from = by_client ? 1 : 2;
        const net_test::Buffer packet = net_test::ethernet(
            net_test::ipv4({.source = from, .destination = static_cast<std::uint8_t>(3 - from)}, tcp));
        now.ns += kMs;
        legs.on(
            {.at = now, .wire_length = static_cast<std::uint32_t>(packet.size()), .bytes = packet, .frame = ++frame});
    }
    void handshake() {
        segment(true, 0, kSyn);
        segment(false, 0, kSyn | kAck);
    }
    void tick(std::int64_t later_ms = 400) {
        now.ns += later_ms * kMs;
        legs.tick(now);
    }

    std::vector<chain::ForwardLeg> told;
    PodLegs legs;
    std::uint16_t client = kClient, server = kServer;
    Timestamp now{1'000'000 * kMs};
    std::uint64_t frame = 0;
};

TEST(PodLegs, CountsWhatEachSideSent) {
    Pod pod;
    pod.handshake();
    pod.segment(true, 1, kAck, "hello");
    pod.segment(false, 1, kAck, "hello back");
    pod.segment(true, 6, kAck | kFin);
    pod.segment(false, 11, kAck | kFin);
    pod.tick();
    ASSERT_FALSE(pod.told.empty());
    const chain::ForwardLeg& leg = pod.told.back();
    EXPECT_EQ(leg.net_namespace, kPod);
    EXPECT_EQ(leg.client.port, kClient);
    EXPECT_EQ(leg.server.port, kServer);
    EXPECT_TRUE(leg.handshake_seen && leg.over && leg.end_seen);
    EXPECT_EQ(leg.bytes.in, 5U);
    EXPECT_EQ(leg.bytes.out, 10U);
    EXPECT_EQ(leg.missing_bytes, 0U);
    EXPECT_EQ(leg.packets, 6U);
    EXPECT_EQ(leg.first_frame, 1U);
    EXPECT_EQ((leg.last - leg.opened).ns, 5 * kMs);
}

TEST(PodLegs, BeginningAndEndsAloneGiveTheSameCounts) {
    Pod pod;
    pod.handshake();
    pod.segment(true, 1 + 3000, kAck | kFin);
    pod.segment(false, 1 + 70'000, kAck | kFin);
    pod.tick();
    const chain::ForwardLeg& leg = pod.told.back();
    EXPECT_TRUE(leg.over && leg.end_seen);
    EXPECT_EQ(leg.bytes.in, 3000U);
    EXPECT_EQ(leg.bytes.out, 70'000U);
    EXPECT_EQ(leg.missing_bytes, 73'000U);
    EXPECT_EQ(leg.packets, 4U);
}

TEST(PodLegs, LateAndResetOnesSayWhatIsNotKnown) {
    Pod pod;
    pod.segment(false, 500, kAck, "from the server");
    pod.segment(true, 20, kAck, "and an answer");
    pod.segment(true, 33, kRst);
    pod.tick();
    const chain::ForwardLeg& leg = pod.told.back();
    EXPECT_FALSE(leg.handshake_seen);
    EXPECT_EQ(leg.client.port, kServer) << "the sender of the first packet";
    EXPECT_FALSE(leg.end_seen);
}

TEST(PodLegs, OneThatIsOpenIsToldAtTicksThatChangeIt) {
    Pod pod;
    pod.handshake();
    EXPECT_THAT(pod.told, IsEmpty());
    pod.tick();
    pod.tick();
    EXPECT_THAT(pod.told, SizeIs(1));
    pod.segment(true, 1, kAck, "x");
    pod.tick();
    ASSERT_THAT(pod.told, SizeIs(2));
    EXPECT_FALSE(pod.told.back().over);
    EXPECT_EQ(pod.told.back().packets, 3U);
}

TEST(PodLegs, OtherPortsAreNotToldUntilTheyAreForwarded) {
    Pod pod;
    pod.legs.forwarded({});
    const auto connection = [&](std::uint16_t client, std::uint16_t server) {
        pod.client = client;
        pod.server = server;
        pod.handshake();
        pod.segment(true, 1, kAck | kFin);
        pod.segment(false, 1, kAck | kFin);
        pod.segment(true, 2, kAck);
        EXPECT_EQ(pod.legs.last_ports(), std::pair(client, server));
    };
    connection(kClient, kServer);
    connection(kClient + 1, 9090);
    pod.tick();
    EXPECT_THAT(pod.told, IsEmpty());
    constexpr std::uint16_t kPorts[]{kServer};
    pod.legs.forwarded(kPorts);
    ASSERT_THAT(pod.told, SizeIs(1));
    EXPECT_EQ(pod.told.front().server.port, kServer);
    // Over for too long: forgotten.
    pod.tick(limits::kPodPacketsWaitMs + 100);
    constexpr std::uint16_t kBoth[]{kServer, 9090};
    pod.legs.forwarded(kBoth);
    EXPECT_THAT(pod.told, SizeIs(1));
}

TEST(PodLegs, EqualAddressesInTwoNamespacesStayApart) {
    Pod one, other(kPod + 1);
    for (Pod* pod : {&one, &other}) pod->handshake();
    one.segment(true, 1, kAck, "one");
    other.segment(true, 1, kAck, "the other");
    for (Pod* pod : {&one, &other}) {
        pod->legs.finish();
        ASSERT_THAT(pod->told, SizeIs(1));
    }
    EXPECT_EQ(one.told.front().bytes.in, 3U);
    EXPECT_EQ(other.told.front().bytes.in, 9U);
}

TEST(PodLegs, FollowsNoMoreThanTheLimit) {
    Pod pod;
    for (std::size_t i = 0; i < limits::kPodLegsMax + 5; ++i) {
        pod.client = static_cast<std::uint16_t>(10'000 + i);
        pod.segment(true, 0, kSyn);
    }
    EXPECT_EQ(pod.legs.legs_dropped(), 5U);
    pod.tick();
    EXPECT_THAT(pod.told, SizeIs(limits::kPodLegsMax));
}

}  // namespace
}  // namespace hopscope::pipeline
