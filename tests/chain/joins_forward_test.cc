// Which connection in a pod a forwarded stream became: what joins it, what must not, and that nothing is guessed.
#include "chain/joins_forward.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "chain_of.h"
#include "core/limits.h"

namespace hopscope::chain {
namespace {

using testing::Contains;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

constexpr std::int64_t kMs = 1'000'000;
constexpr std::uint32_t kRuntime = 20, kServer = 90;
constexpr std::uint64_t kPod = 4'026'532'001, kOtherPod = 4'026'532'002;
const IpAddress kLoopback = [] {
    constexpr std::uint8_t bytes[]{127, 0, 0, 1};
    return IpAddress::v4(bytes);
}();
const std::string kSandbox(64, 'a'), kContainer(64, 'c');

class Node {
public:
    Node() {
        hopscope::Process pause{.id = {.pid = 80}};
        pause.container_id = Untrusted(kSandbox);
        pause.net_namespace = kPod;
        book.know(pause);
        hopscope::Process server{.id = {.pid = kServer}};
        server.container_id = Untrusted(kContainer);
        server.net_namespace = kPod;
        book.know(server);
    }

    Session& session(std::int64_t start_ms, std::int64_t end_ms) {
        auto fresh = std::make_unique<Session>();
        fresh->number = static_cast<std::uint32_t>(sessions.size() + 1);
        fresh->op = Op::portforward;
        fresh->state = SessionState::closed;
        fresh->hop = HopKind::runtime;
        fresh->status = 101;
        fresh->start = {start_ms * kMs};
        fresh->end = {end_ms * kMs};
        fresh->over = true;
        fresh->container.sandbox_id = Untrusted(kSandbox);
        fresh->ends = std::make_unique<Ends>();
        fresh->ends->to = Process{.pid = kRuntime, .comm = Untrusted("containerd"), .exe = {}};
        return *sessions.emplace_back(std::move(fresh));
    }
    static void stream(Session& session, std::uint32_t id, std::int64_t at_ms, std::uint16_t port, ByteCounts bytes) {
        Stream& stream = session.streams.emplace_back();
        stream.id = id;
        stream.kind = StreamKind::data;
        stream.has_port = true;
        stream.port = port;
        stream.start = {at_ms * kMs};
        stream.bytes = bytes;
    }
    // From its opening to its end; without bytes it stays open.
    void dial(std::int64_t at_ms, std::uint16_t from_port, std::uint16_t port, std::optional<ByteCounts> bytes,
              std::uint64_t network = kPod, std::uint32_t by = kRuntime, std::string_view comm = "containerd") {
        SocketLife life;
        life.kind = SocketLife::Kind::opened;
        life.at = {at_ms * kMs};
        life.client = {kLoopback, from_port};
        life.server = {kLoopback, port};
        life.net_namespace = network;
        life.client_owner = {.pid = by, .start_ticks = 1};
        life.client_comm = Untrusted(comm);
        life.server_owner = {.pid = kServer, .start_ticks = 1};
        life.server_comm = Untrusted("httpd");
        book.on(life);
        if (!bytes) return;
        life.kind = SocketLife::Kind::closed;
        life.at = {(at_ms + 3) * kMs};
        life.client_sent_bytes = bytes->in;
        life.server_sent_bytes = bytes->out;
        book.on(life);
    }
    // What packets tell of a connection, all of it seen.
    static ForwardLeg leg(std::int64_t at_ms, std::uint16_t from_port, std::uint16_t port, ByteCounts bytes,
                          std::uint64_t network = kPod) {
        return {.net_namespace = network,
                .client = {kLoopback, from_port},
                .server = {kLoopback, port},
                .handshake_seen = true,
                .over = true,
                .end_seen = true,
                .opened = {at_ms * kMs},
                .last = {(at_ms + 3) * kMs},
                .bytes = bytes,
                .packets = 9,
                .first_frame = 77};
    }
    Chain chain_of(const Session& session) { return test::chain_of(book, session, sessions); }

    ForwardBook book;
    std::vector<std::unique_ptr<Session>> sessions;
};

auto says(const std::string& text) { return Contains(Field(&Evidence::says, HasSubstr(text))); }

TEST(JoinsForward, ConnectionInThePodsNetworkIsTheLastHop) {
    Node node;
    Session& session = node.session(0, 100);
    Node::stream(session, 3, 10, 8080, {.in = 18, .out = 200});
    node.dial(11, 40001, 8080, ByteCounts{.in = 18, .out = 200});
    const Chain chain = node.chain_of(session);
    ASSERT_THAT(chain.hops, SizeIs(1));
    const Hop& hop = chain.hops.front();
    EXPECT_EQ(hop.kind, HopKind::process);
    EXPECT_EQ(hop.net_namespace, kPod);
    EXPECT_EQ(hop.stream, 3U);
    EXPECT_EQ(hop.from->pid, kRuntime);
    EXPECT_EQ(hop.to->pid, kServer);
    EXPECT_EQ(hop.bytes.in, 18U);
    EXPECT_EQ(hop.bytes.out, 200U);
    EXPECT_EQ(hop.took.ns, 3 * kMs);
    EXPECT_THAT(hop.evidence, says("network namespace 4026532001, the sandbox's"));
    EXPECT_THAT(hop.evidence, says("port 8080 is the one that stream 3 asks for"));
    EXPECT_THAT(hop.evidence, says("opened 1.0 ms after stream 3"));
    EXPECT_THAT(hop.evidence, says("as many bytes as stream 3"));
    EXPECT_THAT(hop.evidence, says("httpd[90] is in container cccccccccccc"));
    EXPECT_THAT(chain.candidates, IsEmpty());
}

TEST(JoinsForward, WhatDoesNotFitIsNotJoined) {
    Node node;
    Session& session = node.session(0, 100);
    Node::stream(session, 3, 20, 8080, {.in = 18, .out = 200});
    node.dial(21, 40001, 8080, ByteCounts{.in = 18, .out = 200}, kOtherPod);               // another pod
    node.dial(21, 40002, 8081, ByteCounts{.in = 18, .out = 200});                          // another port
    node.dial(21, 40003, 8080, ByteCounts{.in = 18, .out = 200}, kPod, 77, "containerd");  // another runtime
    node.dial(21, 40004, 8080, ByteCounts{.in = 18, .out = 200}, kPod, 78, "curl");        // no runtime
    node.dial(10, 40005, 8080, ByteCounts{.in = 18, .out = 200});                          // before the stream
    node.dial(5021, 40006, 8080, ByteCounts{.in = 18, .out = 200});                        // after the session
    node.dial(21, 40007, 8080, ByteCounts{.in = 19, .out = 200});  // got more than the stream brought
    node.dial(21, 40008, 8080, ByteCounts{.in = 18, .out = 199});  // gave less than the stream passed on
    const Chain chain = node.chain_of(session);
    EXPECT_THAT(chain.hops, IsEmpty());
    EXPECT_THAT(chain.candidates, IsEmpty());
}

TEST(JoinsForward, OneThatIsOpenIsJoinedWithoutBytes) {
    Node node;
    Session& session = node.session(0, 100);
    Node::stream(session, 3, 10, 8080, {.in = 18, .out = 0});
    node.dial(12, 40001, 8080, std::nullopt);
    const Chain chain = node.chain_of(session);
    ASSERT_THAT(chain.hops, SizeIs(1));
    EXPECT_EQ(chain.hops.front().took.ns, 0);
    EXPECT_THAT(chain.hops.front().evidence, Not(says("bytes")));
}

TEST(JoinsForward, OneAfterTheOtherAreToldApartByTime) {
    Node node;
    Session& session = node.session(0, 1000);
    for (std::uint16_t i = 0; i < 4; ++i) {
        Node::stream(session, 3 + 4 * i, 10 + 20 * i, 8080, {.in = 18, .out = 200});
        node.dial(11 + 20 * i, static_cast<std::uint16_t>(40001 + i), 8080, ByteCounts{.in = 18, .out = 200});
    }
    const Chain chain = node.chain_of(session);
    ASSERT_THAT(chain.hops, SizeIs(4));
    for (const Hop& hop : chain.hops) EXPECT_EQ((hop.client.port - 40001) * 4 + 3, *hop.stream);
}

TEST(JoinsForward, EqualOnesAtOnceAreListedAndNotGuessed) {
    Node node;
    Session &first = node.session(0, 100), &second = node.session(0, 100);
    Node::stream(first, 3, 10, 8080, {.in = 18, .out = 200});
    Node::stream(second, 3, 11, 8080, {.in = 18, .out = 200});
    node.dial(12, 40001, 8080, ByteCounts{.in = 18, .out = 200});
    node.dial(13, 40002, 8080, ByteCounts{.in = 18, .out = 200});
    for (const Session* session : {&first, &second}) {
        const Chain chain = node.chain_of(*session);
        EXPECT_THAT(chain.hops, IsEmpty());
        EXPECT_THAT(chain.candidates, SizeIs(2));
        EXPECT_THAT(chain.candidates, says("connected from 127.0.0.1:40002 to port 8080"));
    }
}

TEST(JoinsForward, BytesTellThemApart) {
    Node node;
    Session &first = node.session(0, 100), &second = node.session(0, 100);
    Node::stream(first, 3, 10, 8080, {.in = 18, .out = 200});
    Node::stream(second, 3, 11, 8080, {.in = 20, .out = 200});
    node.dial(12, 40001, 8080, ByteCounts{.in = 20, .out = 200});
    node.dial(13, 40002, 8080, ByteCounts{.in = 18, .out = 200});
    const Chain chain = node.chain_of(first);
    ASSERT_THAT(chain.hops, SizeIs(1));
    EXPECT_EQ(chain.hops.front().client.port, 40002);
    EXPECT_THAT(chain.candidates, IsEmpty());
    EXPECT_EQ(node.chain_of(second).hops.front().client.port, 40001);
}

TEST(JoinsForward, UnknownSandboxIsSaid) {
    Node node;
    Session& session = node.session(0, 100);
    session.container.sandbox_id = Untrusted(std::string(64, 'd'));
    Node::stream(session, 3, 10, 8080, {.in = 18, .out = 200});
    node.dial(11, 40001, 8080, ByteCounts{.in = 18, .out = 200});
    const Chain chain = node.chain_of(session);
    ASSERT_THAT(chain.hops, SizeIs(1));
    EXPECT_THAT(chain.hops.front().evidence, says("could not be read"));
}

TEST(JoinsForward, PacketsAreEvidenceOfTheConnection) {
    for (const bool packets_first : {true, false}) {
        Node node;
        Session& session = node.session(0, 100);
        Node::stream(session, 3, 10, 8080, {.in = 18, .out = 200});
        const ForwardLeg leg = Node::leg(11, 40001, 8080, {.in = 18, .out = 200});
        if (packets_first) node.book.on(leg);
        node.dial(11, 40001, 8080, ByteCounts{.in = 18, .out = 200});
        if (!packets_first) node.book.on(leg);
        EXPECT_EQ(node.book.dials(), 1U);
        const Chain chain = node.chain_of(session);
        ASSERT_THAT(chain.hops, SizeIs(1));
        const Hop& hop = chain.hops.front();
        EXPECT_EQ(hop.from->pid, kRuntime);
        EXPECT_EQ(hop.packets, 9U);
        EXPECT_EQ(hop.grade, Grade::seen);
        EXPECT_THAT(hop.evidence, says("9 packets of it captured in the pod's network: 18 bytes in, 200 out"));
        EXPECT_THAT(hop.evidence, Contains(Field(&Evidence::frame, 77U)));
    }
}

TEST(JoinsForward, PacketsAloneMakeTheHopWhereTheKernelDoesNotTell) {
    Node node;
    Session& session = node.session(0, 100);
    Node::stream(session, 3, 10, 8080, {.in = 18, .out = 200});
    node.book.on(Node::leg(11, 40001, 8080, {.in = 18, .out = 200}));
    node.book.on(Node::leg(11, 40001, 8080, {.in = 18, .out = 200}, kOtherPod));
    const Chain chain = node.chain_of(session);
    ASSERT_THAT(chain.hops, SizeIs(1));
    EXPECT_FALSE(chain.hops.front().from);
    EXPECT_EQ(chain.hops.front().net_namespace, kPod);
    EXPECT_EQ(chain.hops.front().grade, Grade::seen);
    EXPECT_EQ(chain.hops.front().bytes.out, 200U);
    EXPECT_EQ(chain.hops.front().took.ns, 3 * kMs);
    // Without the sandbox both fit: none is guessed.
    session.container.sandbox_id = {};
    EXPECT_THAT(node.chain_of(session).hops, IsEmpty());
    EXPECT_THAT(node.chain_of(session).candidates, SizeIs(2));
    // Where the kernel tells, it would have told who made it.
    session.container.sandbox_id = Untrusted(kSandbox);
    node.dial(900, 40009, 9999, std::nullopt);
    EXPECT_THAT(node.chain_of(session).hops, IsEmpty());
}

TEST(JoinsForward, PacketsThatBeganTooLateAreTurnedToTheServersSide) {
    Node node;
    Session& session = node.session(0, 100);
    Node::stream(session, 3, 10, 8080, {.in = 18, .out = 200});
    ForwardLeg late = Node::leg(12, 8080, 40001, {.in = 150, .out = 8});  // the server's packet came first
    late.handshake_seen = false;
    node.book.on(late);
    const Chain alone = node.chain_of(session);
    ASSERT_THAT(alone.hops, SizeIs(1));
    EXPECT_EQ(alone.hops.front().server.port, 8080);
    EXPECT_EQ(alone.hops.front().bytes.in + alone.hops.front().bytes.out, 0U) << "they are not whole";
    EXPECT_THAT(alone.hops.front().evidence, says("its beginning came before the capture"));
    node.dial(11, 40001, 8080, ByteCounts{.in = 18, .out = 200});
    node.book.on(late);  // as at the next tick
    const Chain chain = node.chain_of(session);
    ASSERT_THAT(chain.hops, SizeIs(1));
    EXPECT_EQ(chain.hops.front().from->pid, kRuntime);
    EXPECT_EQ(chain.hops.front().bytes.out, 200U);
    EXPECT_EQ(chain.hops.front().packets, 9U);
}

TEST(JoinsForward, WhyThereAreNoPacketsIsSaid) {
    Node node;
    Session& session = node.session(0, 100);
    Node::stream(session, 3, 10, 8080, {.in = 18, .out = 200});
    node.dial(11, 40001, 8080, ByteCounts{.in = 18, .out = 200});
    EXPECT_THAT(node.chain_of(session).hops.front().evidence, Not(says("packet")));
    node.book.no_packets(kPod, "16 other captures were open");
    EXPECT_THAT(node.chain_of(session).hops.front().evidence,
                says("no packet of it captured in the pod's network: 16"));
    node.book.packets_from(kPod, {34 * kMs});
    EXPECT_THAT(node.chain_of(session).hops.front().evidence,
                says("it was over 20.0 ms before the capture there began"));
}

TEST(JoinsForward, OldestAreForgotten) {
    Node node;
    Session& session = node.session(0, 100);
    Node::stream(session, 3, 10, 8080, {.in = 18, .out = 200});
    node.dial(11, 1, 8080, std::nullopt);
    for (std::size_t i = 0; i < limits::kForwardDialsMax; ++i)
        node.dial(500, static_cast<std::uint16_t>(2 + i), 9000, ByteCounts{});
    EXPECT_EQ(node.book.dials(), limits::kForwardDialsMax);
    EXPECT_THAT(node.chain_of(session).hops, IsEmpty());
    node.dial(600, 1, 8080, ByteCounts{});  // its ports are used again
    EXPECT_EQ(node.book.dials(), limits::kForwardDialsMax);
}

}  // namespace
}  // namespace hopscope::chain
