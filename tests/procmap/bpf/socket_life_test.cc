// The book without a kernel: signs are made by hand, in every order that a machine may give them.
#include "procmap/bpf/socket_life.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace hopscope::procmap {
namespace {

constexpr std::int64_t kMs = 1'000'000;
constexpr std::int64_t kWaitNs = std::int64_t{limits::kLifeWaitMs} * kMs;

Endpoint at(const char* address, std::uint16_t port) { return {*IpAddress::parse(address), port}; }

// A connection of process 10 ("client") to a server of process 20 ("server"); sockets 0xC and 0x5, signs in
// milliseconds.
struct Wire {
    Endpoint client = at("127.0.0.1", 40'000), server = at("127.0.0.1", 80);
    std::uint64_t net = 1, client_socket = 0xC, server_socket = 0x5;

    [[nodiscard]] SocketSign client_sign(std::int64_t ms, SocketState from, SocketState to) const {
        SocketSign sign;
        sign.at = {ms * kMs};
        sign.socket = client_socket;
        sign.inode = 100 + client_socket;
        sign.net_namespace = net;
        sign.local = client;
        sign.remote = server;
        sign.old_state = from;
        sign.new_state = to;
        sign.owner = {10, 1};
        sign.comm = Untrusted("client");
        return sign;
    }
    [[nodiscard]] SocketSign server_sign(std::int64_t ms, SocketState from, SocketState to,
                                         std::uint32_t owner = 0) const {
        SocketSign sign;
        sign.at = {ms * kMs};
        sign.socket = server_socket;
        sign.inode = owner != 0 ? 100 + server_socket : 0;
        sign.net_namespace = net;
        sign.local = server;
        sign.remote = client;
        sign.old_state = from;
        sign.new_state = to;
        sign.owner = {owner, owner != 0 ? 1U : 0U};
        sign.comm = Untrusted(owner != 0 ? "server" : "");
        return sign;
    }
    [[nodiscard]] SocketSign connects(std::int64_t ms) const {
        return client_sign(ms, SocketState::syn_sent, SocketState::established);
    }
    [[nodiscard]] SocketSign arrives(std::int64_t ms) const {
        return server_sign(ms, SocketState::syn_recv, SocketState::established);
    }
    [[nodiscard]] SocketSign accepts(std::int64_t ms, std::uint32_t owner = 20) const {
        SocketSign sign = server_sign(ms, SocketState::established, SocketState::established, owner);
        sign.kind = SocketSign::Kind::accept;
        return sign;
    }
    [[nodiscard]] SocketSign client_closes(std::int64_t ms) const {
        SocketSign sign = client_sign(ms, SocketState::fin_wait, SocketState::close);
        sign.local.port = 0;  // as the kernel does
        return sign;
    }
    [[nodiscard]] SocketSign server_closes(std::int64_t ms, std::uint32_t owner = 20) const {
        return server_sign(ms, SocketState::last_ack, SocketState::close, owner);
    }
};

struct Told {
    std::vector<SocketLife> lives;
    SocketLifeBook book;
    explicit Told(SocketLifeLimits bounds = {})
        : book([this](const SocketLife& life) { lives.push_back(life); }, bounds) {}
    [[nodiscard]] std::vector<SocketLife> of(SocketLife::Kind kind) const {
        std::vector<SocketLife> found;
        std::copy_if(lives.begin(), lives.end(), std::back_inserter(found),
                     [&](const auto& life) { return life.kind == kind; });
        return found;
    }
};

void expect_both(const SocketLife& life) {
    EXPECT_EQ(life.client_owner, (ProcessId{10, 1}));
    EXPECT_EQ(life.server_owner, (ProcessId{20, 1}));
    EXPECT_EQ(life.client_comm.raw(), "client");
    EXPECT_EQ(life.server_comm.raw(), "server");
    EXPECT_EQ(to_string(life.client), "127.0.0.1:40000");
    EXPECT_EQ(to_string(life.server), "127.0.0.1:80");
    EXPECT_EQ(life.client_inode, 100U + 0xC);
    EXPECT_EQ(life.server_inode, 100U + 0x5);
}

TEST(SocketLifeBook, usual_order) {
    Told told;
    const Wire wire;
    told.book.on(wire.connects(1));
    told.book.on(wire.arrives(2));
    EXPECT_TRUE(told.lives.empty());  // who serves is not known yet
    told.book.on(wire.accepts(3));
    ASSERT_EQ(told.lives.size(), 1U);
    EXPECT_EQ(told.lives[0].kind, SocketLife::Kind::opened);
    EXPECT_EQ(told.lives[0].at.ns, 1 * kMs);
    expect_both(told.lives[0]);
    told.book.on(wire.client_closes(5));
    EXPECT_EQ(told.lives.size(), 1U);
    told.book.on(wire.server_closes(7));
    ASSERT_EQ(told.lives.size(), 2U);
    EXPECT_EQ(told.lives[1].kind, SocketLife::Kind::closed);
    EXPECT_EQ(told.lives[1].lived.ns, 6 * kMs);
    expect_both(told.lives[1]);
    EXPECT_EQ(told.book.open_connections(), 0U);
    told.book.flush();
    EXPECT_EQ(told.lives.size(), 2U);
}

// However the five signs are mixed (an accept never before its arrival is known to the kernel, but the ring may say
// so), the connection is told once opened and once closed, with both owners.
TEST(SocketLifeBook, every_order_of_the_signs) {
    const Wire wire;
    std::vector<int> order = {0, 1, 2, 3, 4};
    int orders = 0;
    do {
        const auto place = [&](int sign) { return std::find(order.begin(), order.end(), sign) - order.begin(); };
        if (place(3) < place(0) || place(4) < place(1) || place(4) < place(2)) continue;  // closed before it began
        ++orders;
        Told told;
        for (const int sign : order) {
            if (sign == 0) told.book.on(wire.connects(1));
            if (sign == 1) told.book.on(wire.arrives(1));
            if (sign == 2) told.book.on(wire.accepts(1));
            if (sign == 3) told.book.on(wire.client_closes(2));
            if (sign == 4) told.book.on(wire.server_closes(2));
        }
        told.book.flush();
        ASSERT_EQ(told.of(SocketLife::Kind::closed).size(), 1U);
        expect_both(told.of(SocketLife::Kind::closed)[0]);
        ASSERT_EQ(told.of(SocketLife::Kind::opened).size(), 1U);
        EXPECT_EQ(told.book.open_connections(), 0U);
    } while (std::next_permutation(order.begin(), order.end()));
    EXPECT_EQ(orders, 20);
}

TEST(SocketLifeBook, accepted_after_both_ends_are_closed) {
    Told told;
    const Wire wire;
    told.book.on(wire.connects(1));
    told.book.on(wire.arrives(1));
    told.book.on(wire.server_closes(2, 0));
    told.book.on(wire.client_closes(2));
    told.book.tick({3 * kMs});
    EXPECT_TRUE(told.of(SocketLife::Kind::closed).empty());
    SocketSign late = wire.accepts(50);
    late.new_state = SocketState::close;
    told.book.on(late);
    ASSERT_EQ(told.of(SocketLife::Kind::closed).size(), 1U);
    expect_both(told.of(SocketLife::Kind::closed)[0]);
}

TEST(SocketLifeBook, never_accepted_is_the_listeners) {
    Told told;
    const Wire wire;
    SocketSign listens = wire.server_sign(0, SocketState::close, SocketState::listen, 20);
    listens.socket = 0x1;
    listens.local = at("0.0.0.0", 80);
    listens.remote = {};
    told.book.on(listens);
    ASSERT_EQ(told.of(SocketLife::Kind::listen).size(), 1U);
    EXPECT_EQ(told.lives[0].server_owner.pid, 20U);
    told.book.on(wire.connects(1));
    told.book.on(wire.arrives(1));
    told.book.on(wire.client_closes(2));
    told.book.on(wire.server_closes(2, 0));
    told.book.tick({2 * kMs + kWaitNs});
    const auto closed = told.of(SocketLife::Kind::closed);
    ASSERT_EQ(closed.size(), 1U);
    EXPECT_EQ(closed[0].server_owner.pid, 20U);
    EXPECT_EQ(closed[0].server_comm.raw(), "server");
    SocketSign ends = listens;
    ends.old_state = SocketState::listen;
    ends.new_state = SocketState::close;
    ends.local.port = 0;
    told.book.on(ends);
    ASSERT_EQ(told.of(SocketLife::Kind::unlisten).size(), 1U);
    EXPECT_EQ(to_string(told.lives.back().server), "0.0.0.0:80");
}

TEST(SocketLifeBook, other_end_elsewhere_is_told_after_the_wait) {
    Told told;
    Wire wire;
    wire.client = at("10.0.0.1", 40'000);
    wire.server = at("10.0.0.2", 443);
    told.book.on(wire.connects(1));
    told.book.tick({1 * kMs + kWaitNs - 1});
    EXPECT_TRUE(told.lives.empty());
    told.book.tick({1 * kMs + kWaitNs});
    ASSERT_EQ(told.lives.size(), 1U);
    EXPECT_EQ(told.lives[0].client_owner.pid, 10U);
    EXPECT_EQ(told.lives[0].server_owner.pid, 0U);
    told.book.on(wire.client_closes(1000));
    told.book.flush();
    ASSERT_EQ(told.of(SocketLife::Kind::closed).size(), 1U);
    EXPECT_EQ(told.of(SocketLife::Kind::closed)[0].lived.ns, 999 * kMs);
}

TEST(SocketLifeBook, late_accept_tells_again) {
    Told told;
    const Wire wire;
    told.book.on(wire.connects(1));
    told.book.on(wire.arrives(1));
    told.book.tick({1 * kMs + kWaitNs});
    told.book.on(wire.accepts(5000));
    const auto opened = told.of(SocketLife::Kind::opened);
    ASSERT_EQ(opened.size(), 2U);
    EXPECT_EQ(opened[0].server_owner.pid, 0U);
    expect_both(opened[1]);
}

TEST(SocketLifeBook, loopback_of_two_namespaces_is_not_mixed) {
    Told told;
    Wire here, there;
    there.net = 2;
    there.client_socket = 0xCC;
    there.server_socket = 0x55;
    told.book.on(here.connects(1));
    told.book.on(there.arrives(1));
    told.book.on(there.accepts(1, 21));
    EXPECT_EQ(told.book.open_connections(), 2U);
    told.book.on(here.arrives(1));
    told.book.on(here.accepts(1));
    ASSERT_EQ(told.of(SocketLife::Kind::opened).size(), 1U);
    expect_both(told.lives[0]);
}

TEST(SocketLifeBook, pod_to_node_joins_across_namespaces) {
    Told told;
    Wire wire;
    wire.client = at("10.88.0.5", 40'000);
    wire.server = at("10.88.0.1", 10'250);
    told.book.on(wire.connects(1));
    wire.net = 2;
    told.book.on(wire.arrives(1));
    told.book.on(wire.accepts(2));
    ASSERT_EQ(told.lives.size(), 1U);
    EXPECT_EQ(told.lives[0].client_owner.pid, 10U);
    EXPECT_EQ(told.lives[0].server_owner.pid, 20U);
}

TEST(SocketLifeBook, the_kernel_uses_an_address_again) {
    Told told;
    Wire wire;
    told.book.on(wire.connects(1));
    told.book.on(wire.arrives(1));
    told.book.on(wire.accepts(1));
    // Both closes were lost. The same two objects are the ends of the next connection.
    wire.client.port = 40'001;
    told.book.on(wire.connects(100));
    told.book.on(wire.arrives(100));
    told.book.on(wire.accepts(101));
    ASSERT_EQ(told.of(SocketLife::Kind::opened).size(), 2U);
    ASSERT_EQ(told.of(SocketLife::Kind::closed).size(), 1U);
    EXPECT_EQ(told.of(SocketLife::Kind::closed)[0].client.port, 40'000);
    EXPECT_EQ(told.of(SocketLife::Kind::opened)[1].client.port, 40'001);
    EXPECT_EQ(told.book.open_connections(), 1U);
}

TEST(SocketLifeBook, each_sign_told_twice_changes_nothing) {
    Told told;
    const Wire wire;
    for (const SocketSign& sign :
         {wire.connects(1), wire.arrives(1), wire.accepts(2), wire.client_closes(3), wire.server_closes(4)}) {
        told.book.on(sign);
        told.book.on(sign);
    }
    told.book.flush();
    EXPECT_EQ(told.of(SocketLife::Kind::opened).size(), 1U);
    EXPECT_EQ(told.of(SocketLife::Kind::closed).size(), 1U);
}

TEST(SocketLifeBook, refused_connections_have_no_life) {
    Told told;
    const Wire wire;
    told.book.on(wire.client_sign(1, SocketState::syn_sent, SocketState::close));
    told.book.flush();
    EXPECT_TRUE(told.lives.empty());
    EXPECT_EQ(told.book.unknown_closes(), 0U);
}

TEST(SocketLifeBook, what_a_scan_saw_before) {
    Told told;
    const Wire wire;
    Socket listener{.transport = Transport::tcp, .state = SocketState::listen, .inode = 1, .net_namespace = 1};
    listener.local = wire.server;
    listener.owners = {{.process = {20, 1}, .fd = 3}};
    Socket near{.transport = Transport::tcp, .state = SocketState::established, .inode = 100 + 0xC, .net_namespace = 1};
    near.local = wire.client;
    near.remote = wire.server;
    near.owners = {{.process = {10, 1}, .fd = 4}};
    Socket far = near;
    std::swap(far.local, far.remote);
    far.inode = 100 + 0x5;
    far.owners = {{.process = {20, 1}, .fd = 5}};
    told.book.seed({far, listener, near}, {0},
                   [](const ProcessId& process) { return Untrusted(process.pid == 10 ? "client" : "server"); });
    told.book.tick({10 * kWaitNs});
    EXPECT_TRUE(told.lives.empty());
    EXPECT_EQ(told.book.open_connections(), 1U);
    told.book.on(wire.client_closes(500));
    told.book.on(wire.server_closes(501));
    ASSERT_EQ(told.lives.size(), 1U);
    EXPECT_EQ(told.lives[0].kind, SocketLife::Kind::closed);
    expect_both(told.lives[0]);
}

TEST(SocketLifeBook, memory_is_bounded) {
    Told told({.connections = 100, .listeners = 10});
    Wire wire;
    for (std::uint16_t i = 0; i < 1000; ++i) {
        wire.client.port = static_cast<std::uint16_t>(10'000 + i);
        wire.client_socket = 0x1000U + i;
        told.book.on(wire.connects(i));
        told.book.tick({i * kMs});
        EXPECT_LE(told.book.open_connections(), 100U);
    }
    EXPECT_EQ(told.book.forgotten(), 900U);
    told.book.on(wire.client_closes(2000));  // the last one is still known
    told.book.flush();
    EXPECT_EQ(told.of(SocketLife::Kind::closed).size(), 1U);
}

}  // namespace
}  // namespace hopscope::procmap
