// Who serves a connection that is in no table any more: the listener on its address, where the address is this
// machine's.
#include "cli/live_owners.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>

#include "procmap/host_root.h"
#include "support/own_fd.h"

namespace hopscope::cli {
namespace {

using test::Fd;

class LiveOwnersTest : public testing::Test {
protected:
    // On all addresses of IPv4, or of IPv6 alone.
    static Fd listening(int family) {
        Fd fd(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
        const int on = 1;
        if (family == AF_INET6 && ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) != 0) return Fd();
        return fd.get() >= 0 && ::listen(fd.get(), 1) == 0 ? std::move(fd) : Fd();
    }
    // By number; 0: nobody is named.
    std::uint32_t server_at(const char* address, std::uint16_t port) {
        chain::Session session;
        session.number = ++sessions_;
        session.client = {*IpAddress::parse(address), 4};
        session.server = {*IpAddress::parse(address), port};
        const chain::Ends ends = owners_.ends_of(session);
        return ends.to ? ends.to->pid : 0;
    }

    LiveOwners owners_{"/"};
    std::uint32_t sessions_ = 0;
};

TEST_F(LiveOwnersTest, a_listener_on_all_addresses_serves_those_of_this_machine_only) {
    const Fd listener = listening(AF_INET);
    ASSERT_GE(listener.get(), 0);
    owners_.start(false);
    const auto own = static_cast<std::uint32_t>(::getpid());
    EXPECT_EQ(server_at("127.0.0.1", test::port_of(listener)), own);
    EXPECT_EQ(server_at("192.0.2.7", test::port_of(listener)), 0U) << "RFC 5737: nobody's here";
}

TEST_F(LiveOwnersTest, a_listener_on_ipv6_alone_serves_no_ipv4) {
    const Fd listener = listening(AF_INET6);
    if (listener.get() < 0) GTEST_SKIP() << "no IPv6 here";
    owners_.start(false);
    EXPECT_EQ(server_at("::1", test::port_of(listener)), static_cast<std::uint32_t>(::getpid()));
    EXPECT_EQ(server_at("127.0.0.1", test::port_of(listener)), 0U);
}

}  // namespace
}  // namespace hopscope::cli
