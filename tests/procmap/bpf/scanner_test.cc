#include "procmap/bpf/scanner.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include <algorithm>
#include <ctime>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "sockets_of_a_test.h"

namespace hopscope::procmap {
namespace {

using namespace hopscope::test;

class ScannerTest : public ::testing::Test {
protected:
    void SetUp() override {
        auto opened = Scanner::open();
        SKIP_OR_FAIL_WITHOUT(opened);
        scanner = std::move(*opened);
    }
    std::map<std::uint64_t, Socket> scan() {
        std::map<std::uint64_t, Socket> by_inode;
        auto sockets = scanner->scan();
        EXPECT_TRUE(sockets) << sockets.error().why;
        if (sockets)
            for (Socket& socket : *sockets) {
                EXPECT_FALSE(by_inode.contains(socket.inode)) << "inode " << socket.inode << " twice";
                by_inode[socket.inode] = std::move(socket);
            }
        return by_inode;
    }
    std::unique_ptr<Scanner> scanner;
};

std::vector<std::uint32_t> pids_of(const Socket& socket) {
    std::vector<std::uint32_t> pids;
    for (const SocketOwner& owner : socket.owners) pids.push_back(owner.process.pid);
    std::sort(pids.begin(), pids.end());
    return pids;
}

std::uint32_t self() { return static_cast<std::uint32_t>(::getpid()); }

TEST_F(ScannerTest, tcp_listener_and_both_ends) {
    const Fd listener = tcp_listener(7);
    const Fd client = tcp_client(port_of(listener));
    const Fd server = accept_from(listener);
    ASSERT_TRUE(server.ok());
    ASSERT_EQ(::send(client.get(), "hello", 5, 0), 5);
    const Fd waiting = tcp_client(port_of(listener));

    const auto sockets = scan();
    const Socket& listens = sockets.at(inode_of(listener));
    EXPECT_EQ(listens.transport, Transport::tcp);
    EXPECT_EQ(listens.state, SocketState::listen);
    EXPECT_EQ(to_string(listens.local), "127.0.0.1:" + std::to_string(port_of(listener)));
    EXPECT_EQ(listens.remote.port, 0);
    EXPECT_EQ(listens.receive_queue_bytes, 1U);
    EXPECT_EQ(listens.send_queue_bytes, 7U);
    EXPECT_EQ(listens.net_namespace, inode_of_path("/proc/self/ns/net"));
    ASSERT_EQ(listens.owners.size(), 1U);
    EXPECT_EQ(listens.owners[0].process.pid, self());
    EXPECT_EQ(listens.owners[0].fd, static_cast<std::uint32_t>(listener.get()));

    const Socket& near = sockets.at(inode_of(client));
    const Socket& far = sockets.at(inode_of(server));
    EXPECT_EQ(near.state, SocketState::established);
    EXPECT_EQ(near.local.port, port_of(client));
    EXPECT_EQ(near.remote, listens.local);
    EXPECT_EQ(far.local, near.remote);
    EXPECT_EQ(far.remote, near.local);
    EXPECT_EQ(far.receive_queue_bytes, 5U);
    EXPECT_EQ(near.send_queue_bytes, 0U);
}

TEST_F(ScannerTest, ipv6_and_mapped_addresses) {
    Fd listener(::socket(AF_INET6, SOCK_STREAM, 0));
    ASSERT_TRUE(listener.ok());
    sockaddr_in6 any{};
    any.sin6_family = AF_INET6;
    ASSERT_EQ(::bind(listener.get(), reinterpret_cast<const sockaddr*>(&any), sizeof any), 0);
    ASSERT_EQ(::listen(listener.get(), 4), 0);
    const Fd client = tcp_client(port_of(listener));  // IPv4 to a listener on ::
    ASSERT_TRUE(client.ok());
    const Fd mapped = accept_from(listener);
    Fd client6(::socket(AF_INET6, SOCK_STREAM, 0));
    sockaddr_in6 one = any;
    one.sin6_addr = in6addr_loopback;
    one.sin6_port = htons(port_of(listener));
    ASSERT_EQ(::connect(client6.get(), reinterpret_cast<const sockaddr*>(&one), sizeof one), 0);
    const Fd server6 = accept_from(listener);
    const Fd alone(::socket(AF_INET6, SOCK_STREAM, 0));
    const int on = 1;
    ASSERT_EQ(::setsockopt(alone.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on), 0);
    ASSERT_EQ(::bind(alone.get(), reinterpret_cast<const sockaddr*>(&any), sizeof any), 0);
    ASSERT_EQ(::listen(alone.get(), 4), 0);

    const auto sockets = scan();
    EXPECT_TRUE(sockets.at(inode_of(alone)).v6_only);
    EXPECT_FALSE(sockets.at(inode_of(listener)).v6_only);
    EXPECT_FALSE(sockets.at(inode_of(server6)).v6_only);
    EXPECT_EQ(to_string(sockets.at(inode_of(listener)).local), "[::]:" + std::to_string(port_of(listener)));
    EXPECT_EQ(sockets.at(inode_of(mapped)).remote, sockets.at(inode_of(client)).local);
    EXPECT_EQ(to_string(sockets.at(inode_of(mapped)).local), "127.0.0.1:" + std::to_string(port_of(listener)));
    EXPECT_EQ(to_string(sockets.at(inode_of(client6)).remote), "[::1]:" + std::to_string(port_of(listener)));
    EXPECT_EQ(sockets.at(inode_of(server6)).remote, sockets.at(inode_of(client6)).local);
}

TEST_F(ScannerTest, udp) {
    Fd bound(::socket(AF_INET, SOCK_DGRAM, 0));
    const sockaddr_in address = loopback();
    ASSERT_EQ(::bind(bound.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    const Fd unbound(::socket(AF_INET, SOCK_DGRAM, 0));
    const auto sockets = scan();
    const Socket& socket = sockets.at(inode_of(bound));
    EXPECT_EQ(socket.transport, Transport::udp);
    EXPECT_EQ(socket.local.port, port_of(bound));
    EXPECT_FALSE(sockets.contains(inode_of(unbound)));
}

TEST_F(ScannerTest, unix_peers_names_and_files) {
    TemporaryDirectory directory;
    const std::string path = directory.file("a.sock");
    const Fd listener = unix_listener(path);
    const Fd client = unix_client(path);
    const Fd early = unix_client(path);  // waits to be accepted
    const Fd server = accept_from(listener);
    ASSERT_TRUE(server.ok());
    const std::string abstract = "@hopscope/test/" + std::to_string(::getpid()) + std::string("\0tail", 5);
    const Fd hidden = unix_listener(abstract);
    ASSERT_TRUE(hidden.ok());
    const Fd to_hidden = unix_client(abstract);
    const Fd from_hidden = accept_from(hidden);
    int pair[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
    const Fd left(pair[0]), right(pair[1]);
    // Longest path there is: 108 bytes without a zero byte.
    std::string longest = directory.file(std::string(80, 'x'));
    longest.resize(108, 'y');
    const Fd bound_long = Fd(::socket(AF_UNIX, SOCK_DGRAM, 0));
    UnixName name;
    name.address.sun_family = AF_UNIX;
    std::memcpy(name.address.sun_path, longest.data(), longest.size());
    ASSERT_EQ(::bind(bound_long.get(), reinterpret_cast<const sockaddr*>(&name.address), sizeof name.address), 0);

    const auto sockets = scan();
    ::unlink(longest.c_str());
    struct stat file {};
    ASSERT_EQ(::stat(path.c_str(), &file), 0);
    const Socket& listens = sockets.at(inode_of(listener));
    EXPECT_EQ(listens.transport, Transport::unix_stream);
    EXPECT_EQ(listens.state, SocketState::listen);
    EXPECT_EQ(listens.unix_local.path, path);
    EXPECT_EQ(listens.unix_local.inode, inode_of(listener));
    EXPECT_EQ(listens.file_inode, file.st_ino);
    EXPECT_EQ(listens.file_device, file.st_dev);
    EXPECT_EQ(listens.receive_queue_bytes, 1U);
    EXPECT_EQ(listens.unix_peer_inode, 0U);

    const Socket& near = sockets.at(inode_of(client));
    EXPECT_EQ(near.state, SocketState::established);
    EXPECT_EQ(near.unix_peer_inode, inode_of(server));
    EXPECT_EQ(near.unix_local.path, "");
    const Socket& far = sockets.at(inode_of(server));
    EXPECT_EQ(far.unix_peer_inode, inode_of(client));
    EXPECT_EQ(far.unix_local.path, path);
    EXPECT_EQ(far.file_inode, file.st_ino);
    EXPECT_EQ(sockets.at(inode_of(early)).unix_peer_inode, 0U);

    EXPECT_EQ(sockets.at(inode_of(hidden)).unix_local.path, abstract);
    EXPECT_EQ(sockets.at(inode_of(hidden)).file_inode, 0U);
    EXPECT_EQ(sockets.at(inode_of(from_hidden)).unix_local.path, abstract);
    EXPECT_EQ(sockets.at(inode_of(to_hidden)).unix_peer_inode, inode_of(from_hidden));
    EXPECT_EQ(sockets.at(inode_of(left)).transport, Transport::unix_seqpacket);
    EXPECT_EQ(sockets.at(inode_of(left)).unix_peer_inode, inode_of(right));
    EXPECT_EQ(sockets.at(inode_of(right)).unix_peer_inode, inode_of(left));
    EXPECT_EQ(sockets.at(inode_of(bound_long)).unix_local.path, longest);
    EXPECT_EQ(sockets.at(inode_of(bound_long)).transport, Transport::unix_dgram);
}

// A child process that waits until it is told to end; `inside` runs in it first.
class Child {
public:
    template <typename Inside>
    explicit Child(Inside inside) {
        int ready[2], quit[2];
        if (::pipe(ready) != 0 || ::pipe(quit) != 0) return;
        pid_ = ::fork();
        if (pid_ == 0) {
            ::close(quit[1]);
            const std::uint64_t told = inside();
            [[maybe_unused]] ssize_t done = ::write(ready[1], &told, sizeof told);
            char end = 0;
            done = ::read(quit[0], &end, 1);
            ::_exit(0);
        }
        ::close(ready[1]);
        ::close(quit[0]);
        quit_ = Fd(quit[1]);
        if (::read(ready[0], &told_, sizeof told_) != sizeof told_) told_ = 0;
        ::close(ready[0]);
    }
    ~Child() {
        quit_.close();
        ::waitpid(pid_, nullptr, 0);
    }
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;
    [[nodiscard]] std::uint32_t pid() const { return static_cast<std::uint32_t>(pid_); }
    [[nodiscard]] std::uint64_t told() const { return told_; }

private:
    pid_t pid_ = -1;
    Fd quit_;
    std::uint64_t told_ = 0;
};

TEST_F(ScannerTest, inherited_sockets_have_several_owners) {
    const Fd listener = tcp_listener();
    const Fd again(::dup(listener.get()));
    const Child child([] { return 1; });
    const auto sockets = scan();
    std::vector<std::uint32_t> expected = {self(), self(), child.pid(), child.pid()};
    std::sort(expected.begin(), expected.end());
    EXPECT_EQ(pids_of(sockets.at(inode_of(listener))), expected);
}

TEST_F(ScannerTest, other_net_namespaces_too) {
    const Child child([]() -> std::uint64_t {
        if (::unshare(CLONE_NEWNET) != 0) return 0;
        static Fd listener(::socket(AF_INET, SOCK_STREAM, 0));
        sockaddr_in any{};
        any.sin_family = AF_INET;
        any.sin_port = htons(4711);
        if (::bind(listener.get(), reinterpret_cast<const sockaddr*>(&any), sizeof any) != 0) return 0;
        ::listen(listener.get(), 1);
        return inode_of(listener);
    });
    if (child.told() == 0) GTEST_SKIP() << "no network namespace of its own here";
    const auto sockets = scan();
    const Socket& socket = sockets.at(child.told());
    EXPECT_EQ(to_string(socket.local), "0.0.0.0:4711");
    EXPECT_EQ(socket.net_namespace, inode_of_path(("/proc/" + std::to_string(child.pid()) + "/ns/net").c_str()));
    EXPECT_NE(socket.net_namespace, inode_of_path("/proc/self/ns/net"));
    EXPECT_EQ(pids_of(socket), std::vector<std::uint32_t>{child.pid()});
}

// What /proc says of the same moment: of every socket that this process and its children own, nothing differs.
TEST_F(ScannerTest, agrees_with_proc_net) {
    const Fd listener = tcp_listener();
    std::vector<Fd> keep;
    for (int i = 0; i < 50; ++i) {
        keep.push_back(tcp_client(port_of(listener)));
        keep.push_back(accept_from(listener));
    }
    std::set<std::uint64_t> ours;
    for (const Fd& fd : keep) ours.insert(inode_of(fd));
    const auto sockets = scan();
    std::ifstream table("/proc/self/net/tcp");
    std::string line;
    std::getline(table, line);
    int compared = 0;
    while (std::getline(table, line)) {
        std::istringstream words(line);
        std::string slot, local, remote, state, queues, timer, retransmits, uid, timeout;
        std::uint64_t inode = 0;
        words >> slot >> local >> remote >> state >> queues >> timer >> retransmits >> uid >> timeout >> inode;
        const auto found = sockets.find(inode);
        if (!ours.contains(inode)) continue;
        ++compared;
        ASSERT_NE(found, sockets.end()) << line;
        char text[64];
        const auto hex = [&](const Endpoint& endpoint) {
            std::uint32_t address = 0;
            std::memcpy(&address, endpoint.address.bytes.data() + 12, 4);
            std::snprintf(text, sizeof text, "%08X:%04X", address, endpoint.port);
            return std::string(text);
        };
        EXPECT_EQ(hex(found->second.local), local);
        EXPECT_EQ(hex(found->second.remote), remote);
        EXPECT_EQ(found->second.state == SocketState::established, state == "01");
    }
    EXPECT_EQ(compared, 100);
}

TEST_F(ScannerTest, ten_thousand_sockets_in_one_pass) {
    rlimit files{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &files), 0);
    if (files.rlim_max < 11'000) GTEST_SKIP() << "only " << files.rlim_max << " descriptors allowed";
    const rlimit before = files;
    files.rlim_cur = files.rlim_max;
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &files), 0);
    {
        std::vector<Fd> keep;
        for (int i = 0; i < 5'000; ++i) {
            int pair[2];
            ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
            keep.emplace_back(pair[0]);
            keep.emplace_back(pair[1]);
        }
        const auto all = scan();
        EXPECT_GE(all.size(), 10'000U);
        for (std::size_t i = 0; i < keep.size(); i += 2)
            ASSERT_EQ(all.at(inode_of(keep[i])).unix_peer_inode, inode_of(keep[i + 1]));
    }
    ::setrlimit(RLIMIT_NOFILE, &before);
}

}  // namespace
}  // namespace hopscope::procmap
