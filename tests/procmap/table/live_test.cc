#include <fcntl.h>
#include <gmock/gmock.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <algorithm>
#include <atomic>
#include <deque>
#include <filesystem>
#include <fstream>
#include <thread>

#include "core/node_words.h"
#include "procmap/own_capabilities.h"
#include "procmap/table/live_sockets.h"
#include "procmap/table/process_facts.h"
#include "procmap/table/reader.h"
#include "procmap/table/tree.h"
#include "support/control_group.h"

namespace hopscope::procmap {
namespace {

using test::by_inode;
using test::Fd;
using test::is_owned_by;

// A child that runs `work` and then waits until the test is over.
class Child {
public:
    template <typename Work>
    explicit Child(Work work) {
        int ready[2];
        EXPECT_EQ(::pipe(ready), 0);
        pid_ = ::fork();
        if (pid_ == 0) {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // should the test crash
            const char done = work() ? 'y' : 'n';
            if (::write(ready[1], &done, 1) != 1) ::_exit(1);
            while (true) ::pause();
        }
        ::close(ready[1]);
        char done = 0;
        worked_ = ::read(ready[0], &done, 1) == 1 && done == 'y';
        ::close(ready[0]);
    }
    ~Child() { end(); }
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;
    void end() {
        if (pid_ <= 0) return;
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
        pid_ = 0;
    }
    [[nodiscard]] int pid() const { return pid_; }
    [[nodiscard]] bool worked() const { return worked_; }

private:
    pid_t pid_ = 0;
    bool worked_ = false;
};

// Both ways to the same facts: netlink, and the text files.
class LiveTable : public ::testing::TestWithParam<bool> {
protected:
    ReaderOptions options() const { return {.netlink = GetParam()}; }
    SocketTable read() {
        auto table = TableReader(options()).read();
        EXPECT_TRUE(table);
        return table ? std::move(*table) : SocketTable{};
    }
};
INSTANTIATE_TEST_SUITE_P(Ways, LiveTable, ::testing::Bool(),
                         [](const auto& way) { return way.param ? "netlink" : "text"; });

TEST_P(LiveTable, TcpListenerAndBothEnds) {
    const Fd listener = test::bound(SOCK_STREAM, 4), client = test::connected_to(test::port_of(listener)),
             server(::accept(listener.get(), nullptr, nullptr));
    const Fd waiting = test::connected_to(test::port_of(listener));  // established, and nobody has accepted it
    ASSERT_EQ(::send(client.get(), "hello", 5, 0), 5);
    const SocketTable table = read();
    EXPECT_EQ(table.method, GetParam() ? "sock_diag + /proc/*/fd" : "/proc/net + /proc/*/fd");
    const Socket* listening = by_inode(table, listener.inode());
    ASSERT_NE(listening, nullptr);
    EXPECT_EQ(listening->transport, Transport::tcp);
    EXPECT_EQ(listening->state, SocketState::listen);
    EXPECT_EQ(to_string(listening->local), "127.0.0.1:" + std::to_string(test::port_of(listener)));
    EXPECT_EQ(listening->receive_queue_bytes, 1U) << "one connection waits to be accepted";
    EXPECT_TRUE(is_owned_by(*listening, ::getpid(), listener.get()));
    const Socket *one = by_inode(table, client.inode()), *other = by_inode(table, server.inode());
    ASSERT_NE(one, nullptr);
    ASSERT_NE(other, nullptr);
    EXPECT_EQ(one->state, SocketState::established);
    EXPECT_EQ(one->local, other->remote);
    EXPECT_EQ(one->remote, other->local);
    EXPECT_EQ(other->receive_queue_bytes, 5U);
    EXPECT_TRUE(is_owned_by(*one, ::getpid(), client.get()));
    EXPECT_TRUE(is_owned_by(*other, ::getpid(), server.get()));
    const Process* self = find_process(table, static_cast<std::uint32_t>(::getpid()));
    ASSERT_NE(self, nullptr);
    EXPECT_EQ(self->id, one->owners.at(0).process);
    EXPECT_EQ(runs_as_root(HostRoot(), self->id.pid), ::geteuid() == 0);
    EXPECT_EQ(self->parent_pid, static_cast<std::uint32_t>(::getppid()));
    EXPECT_EQ(self->net_namespace, one->net_namespace);
    EXPECT_THAT(self->exe.raw(), ::testing::HasSubstr("test_procmap_table"));
    bool waits = false;
    for (const Socket& socket : table.sockets)
        waits |= socket.inode == 0 && socket.local.port == test::port_of(listener) &&
                 socket.remote.port == test::port_of(waiting);
    EXPECT_TRUE(waits) << "a connection that is not accepted has no inode, and stands in the table";
}

TEST_P(LiveTable, UdpIpv6AndMapped) {
    const Fd udp = test::bound(SOCK_DGRAM, 0);
    Fd six(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in6 any{};
    any.sin6_family = AF_INET6;
    if (::bind(six.get(), test::generic(&any), sizeof any) != 0) GTEST_SKIP() << "no IPv6 here";
    ASSERT_EQ(::listen(six.get(), 2), 0);
    const Fd client = test::connected_to(test::port_of(six)), server(::accept(six.get(), nullptr, nullptr));
    const Fd alone(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const int on = 1;
    ASSERT_EQ(::setsockopt(alone.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on), 0);
    ASSERT_EQ(::bind(alone.get(), test::generic(&any), sizeof any), 0);
    ASSERT_EQ(::listen(alone.get(), 2), 0);
    const SocketTable table = read();
    const Socket* datagram = by_inode(table, udp.inode());
    ASSERT_NE(datagram, nullptr);
    EXPECT_EQ(datagram->transport, Transport::udp);
    EXPECT_EQ(datagram->local.port, test::port_of(udp));
    EXPECT_TRUE(is_owned_by(*datagram, ::getpid(), udp.get()));
    const Socket* listening = by_inode(table, six.inode());
    ASSERT_NE(listening, nullptr);
    EXPECT_EQ(to_string(listening->local.address), "::");
    EXPECT_FALSE(listening->v6_only);
    const Socket* without_v4 = by_inode(table, alone.inode());
    ASSERT_NE(without_v4, nullptr);
    EXPECT_EQ(without_v4->v6_only, options().netlink) << "/proc/net does not tell";
    EXPECT_EQ(listening_place(*listening), "*:" + std::to_string(test::port_of(six)));
    if (options().netlink) EXPECT_EQ(listening_place(*without_v4), "[::]:" + std::to_string(test::port_of(alone)));
    const Socket *one = by_inode(table, client.inode()), *other = by_inode(table, server.inode());
    ASSERT_NE(one, nullptr);
    ASSERT_NE(other, nullptr);
    EXPECT_EQ(one->local, other->remote) << "the IPv6 socket's IPv4-mapped addresses are the same as IPv4's";
    ReaderOptions without = options();
    without.udp = false;
    EXPECT_EQ(by_inode(*TableReader(without).read(), udp.inode()), nullptr);
}

TEST_P(LiveTable, UnixListenerPeersAndARename) {
    const test::Tree tree;
    const std::string path = tree.path("/a.sock");
    Fd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    auto [address, length] = test::unix_address(path);
    ASSERT_EQ(::bind(listener.get(), test::generic(&address), length), 0);
    ASSERT_EQ(::listen(listener.get(), 4), 0);
    const Fd client(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(::connect(client.get(), test::generic(&address), length), 0);
    const Fd server(::accept(listener.get(), nullptr, nullptr));
    std::filesystem::rename(path, path + ".renamed");
    Fd abstract(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    const std::string name = "hopscope-test-" + std::to_string(::getpid());
    auto [hidden, hidden_length] = test::unix_address(std::string(1, '\0') + name);
    ASSERT_EQ(::bind(abstract.get(), test::generic(&hidden), hidden_length), 0);
    ASSERT_EQ(::listen(abstract.get(), 1), 0);

    const SocketTable table = read();
    const Socket *listening = by_inode(table, listener.inode()), *one = by_inode(table, client.inode()),
                 *other = by_inode(table, server.inode());
    ASSERT_NE(listening, nullptr);
    ASSERT_NE(one, nullptr);
    ASSERT_NE(other, nullptr);
    EXPECT_EQ(listening->transport, Transport::unix_stream);
    EXPECT_EQ(listening->state, SocketState::listen);
    EXPECT_EQ(listening->unix_local.path, path) << "as given to bind, whatever the file is called now";
    EXPECT_EQ(listening->unix_local.inode, listening->inode);
    EXPECT_TRUE(is_owned_by(*listening, ::getpid(), listener.get()));
    EXPECT_EQ(one->state, SocketState::established);
    EXPECT_TRUE(is_owned_by(*one, ::getpid(), client.get()));
    const Socket* seqpacket = by_inode(table, abstract.inode());
    ASSERT_NE(seqpacket, nullptr);
    EXPECT_EQ(seqpacket->transport, Transport::unix_seqpacket);
    EXPECT_EQ(seqpacket->unix_local.path, "@" + name);
    EXPECT_EQ(seqpacket->file_inode, 0U);
    if (!GetParam()) {
        EXPECT_THAT(table.limits, ::testing::Contains(::testing::HasSubstr("peers of unix sockets are unknown")));
        return;
    }
    EXPECT_EQ(one->unix_peer_inode, server.inode());
    EXPECT_EQ(other->unix_peer_inode, client.inode());
    const auto file = HostRoot().stat(path + ".renamed");
    ASSERT_TRUE(file);
    EXPECT_EQ(listening->file_device, file->device);
    EXPECT_EQ(listening->file_inode, file->inode & 0xffffffffU);
}

TEST_P(LiveTable, InheritedSocketsHaveSeveralOwners) {
    const Fd listener = test::bound(SOCK_STREAM, 4);
    const Fd again(::fcntl(listener.get(), F_DUPFD_CLOEXEC, 400));
    const Child child([] { return true; });
    const SocketTable table = read();
    const Socket* socket = by_inode(table, listener.inode());
    ASSERT_NE(socket, nullptr);
    EXPECT_EQ(socket->owners.size(), 4U);
    for (const int fd : {listener.get(), again.get()}) {
        EXPECT_TRUE(is_owned_by(*socket, ::getpid(), fd));
        EXPECT_TRUE(is_owned_by(*socket, child.pid(), fd));
    }
}

TEST_P(LiveTable, TimeWaitHasNoOwner) {
    const Fd listener = test::bound(SOCK_STREAM, 4);
    Fd client = test::connected_to(test::port_of(listener));
    Fd server(::accept(listener.get(), nullptr, nullptr));
    const std::uint16_t port = test::port_of(client);
    client.close();
    server.close();
    const SocketTable table = read();
    const auto found = std::find_if(table.sockets.begin(), table.sockets.end(), [&](const Socket& socket) {
        return socket.transport == Transport::tcp && socket.local.port == port;
    });
    ASSERT_NE(found, table.sockets.end());
    EXPECT_EQ(found->state, SocketState::time_wait);
    EXPECT_EQ(found->inode, 0U);
    EXPECT_TRUE(found->owners.empty());
}

TEST_P(LiveTable, OtherNetworkNamespaces) {
    const Child child([] {
        if (::unshare(CLONE_NEWNET) != 0) return false;
        const int fd =
            ::socket(AF_INET, SOCK_STREAM, 0);  // lo is down there; to listen on all addresses needs no interface
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(10250);
        int pair[2];
        return ::bind(fd, test::generic(&address), sizeof address) == 0 && ::listen(fd, 1) == 0 &&
               ::socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0;
    });
    if (!child.worked()) GTEST_SKIP() << "no network namespace can be made here";
    const SocketTable table = read();
    const Process* process = find_process(table, static_cast<std::uint32_t>(child.pid()));
    ASSERT_NE(process, nullptr);
    const Process* self = find_process(table, static_cast<std::uint32_t>(::getpid()));
    EXPECT_NE(process->net_namespace, self->net_namespace);
    std::size_t listeners = 0, pairs = 0;
    for (const Socket& socket : table.sockets) {
        if (socket.net_namespace != process->net_namespace) continue;
        listeners += socket.state == SocketState::listen && socket.local.port == 10250 ? 1 : 0;
        pairs += socket.transport == Transport::unix_stream && socket.owners.size() == 1 ? 1 : 0;
        for (const SocketOwner& owner : socket.owners) EXPECT_EQ(owner.process, process->id);
    }
    EXPECT_EQ(listeners, 1U);
    EXPECT_EQ(pairs, 2U);
    ReaderOptions own = options();
    own.all_net_namespaces = false;
    const auto table_of_own = TableReader(own).read();
    ASSERT_TRUE(table_of_own);
    for (const Socket& socket : table_of_own->sockets) EXPECT_EQ(socket.net_namespace, self->net_namespace);
}

TEST_P(LiveTable, RefreshFollowsWhatHappens) {
    TableReader reader(options());
    Fd first = test::bound(SOCK_STREAM, 1);
    const std::uint64_t first_inode = first.inode();
    Child child([] { return test::bound(SOCK_STREAM, 1).get() >= 0; });
    auto table = reader.read();
    ASSERT_TRUE(table);
    ASSERT_NE(by_inode(*table, first_inode), nullptr);
    EXPECT_EQ(by_inode(*table, first_inode)->owners.size(), 2U);

    const Fd second = test::bound(SOCK_STREAM, 1);  // a new socket of a known process
    table = reader.read();
    ASSERT_NE(by_inode(*table, second.inode()), nullptr);
    EXPECT_TRUE(is_owned_by(*by_inode(*table, second.inode()), ::getpid(), second.get()));
    EXPECT_FALSE(is_owned_by(*by_inode(*table, second.inode()), child.pid(), second.get()));

    const int pid = child.pid();
    child.end();  // the shared socket loses an owner
    table = reader.read();
    EXPECT_EQ(by_inode(*table, first_inode)->owners.size(), 1U);
    EXPECT_EQ(find_process(*table, static_cast<std::uint32_t>(pid)), nullptr);

    first.close();  // gone, and no owner of it is told
    table = reader.read();
    EXPECT_EQ(by_inode(*table, first_inode), nullptr);

    for (int round = 0; round < 25; ++round) {  // over the full walks as well
        const Fd brief = test::bound(SOCK_STREAM, 1);
        table = reader.read();
        const Socket* socket = by_inode(*table, brief.inode());
        ASSERT_NE(socket, nullptr) << round;
        EXPECT_TRUE(is_owned_by(*socket, ::getpid(), brief.get())) << round;
        EXPECT_EQ(socket->owners.size(), 1U) << round;
        EXPECT_TRUE(is_owned_by(*by_inode(*table, second.inode()), ::getpid(), second.get())) << round;
    }
}

// Of a process older than ten seconds only the directory of its descriptors is asked, until that changes.
TEST(Live, RefreshOfAnOldProcess) {
    int orders[2], answers[2];
    ASSERT_EQ(::pipe(orders), 0);
    ASSERT_EQ(::pipe(answers), 0);
    const pid_t child = ::fork();
    if (child == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        ::close(orders[1]);
        std::deque<Fd> open;
        char order;
        while (::read(orders[0], &order, 1) == 1) {
            if (order == 'o') open.push_back(test::bound(SOCK_STREAM, 1));
            if (order == 'c') open.pop_front();
            if (order == 'n') ::prctl(PR_SET_NAME, "renamed");
            const std::uint64_t inode = open.empty() ? 0 : open.back().inode();
            if (::write(answers[1], &inode, sizeof inode) != sizeof inode) break;
        }
        ::_exit(0);
    }
    const auto tell = [&](char order) {
        std::uint64_t inode = 0;
        EXPECT_EQ(::write(orders[1], &order, 1), 1);
        EXPECT_EQ(::read(answers[0], &inode, sizeof inode), static_cast<ssize_t>(sizeof inode));
        return inode;
    };
    const std::uint64_t first = tell('o');
    ::sleep(11);
    TableReader reader({});
    const auto owners_of = [&](std::uint64_t inode) {
        const auto table = reader.read();
        EXPECT_TRUE(table);
        const Socket* socket = by_inode(*table, inode);
        return socket == nullptr ? -1 : static_cast<int>(socket->owners.size());
    };
    EXPECT_EQ(owners_of(first), 1);
    EXPECT_EQ(owners_of(first), 1);  // nothing of it changed
    const std::uint64_t second = tell('o');
    EXPECT_EQ(owners_of(second), 1);
    EXPECT_EQ(owners_of(first), 1);
    tell('n');
    tell('o');  // a new name is seen together with a new descriptor
    auto table = reader.read();
    ASSERT_TRUE(table);
    const Process* process = find_process(*table, static_cast<std::uint32_t>(child));
    ASSERT_NE(process, nullptr);
    EXPECT_TRUE(process->comm == "renamed");
    tell('c');
    EXPECT_EQ(owners_of(first), -1);
    EXPECT_EQ(owners_of(second), 1);
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    EXPECT_EQ(owners_of(second), -1);
    for (const int fd : {orders[0], orders[1], answers[0], answers[1]}) ::close(fd);
}

// A process that runs another program keeps its number and its start time.
TEST(Live, ExecIsSeen) {
    TableReader reader({});
    int go[2];
    ASSERT_EQ(::pipe(go), 0);
    const pid_t child = ::fork();
    if (child == 0) {
        char byte;
        ::close(go[1]);
        if (::read(go[0], &byte, 1) == 0) ::execlp("sleep", "sleep", "1000", nullptr);
        ::_exit(1);
    }
    const auto pid = static_cast<std::uint32_t>(child);
    const auto before = reader.read();
    ASSERT_NE(find_process(*before, pid), nullptr);
    EXPECT_EQ(find_process(*before, pid)->exe, find_process(*before, static_cast<std::uint32_t>(::getpid()))->exe);
    ::close(go[0]);
    ::close(go[1]);
    bool seen = false;
    for (int attempt = 0; attempt < 200 && !seen; ++attempt) {
        const auto after = reader.read();
        const Process* process = find_process(*after, pid);
        ASSERT_NE(process, nullptr);
        EXPECT_EQ(process->id, find_process(*before, pid)->id);
        seen = process->exe != find_process(*before, pid)->exe && process->comm == "sleep";
        if (!seen) ::usleep(10'000);
    }
    EXPECT_TRUE(seen);
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
}

// Of siblings with one name in one session each runs what it runs: those that only forked share what was read of the
// first, one that runs another program does not.
TEST(Live, SiblingsThatRunOtherPrograms) {
    const test::Tree folder;
    std::string name;
    std::getline(std::ifstream("/proc/self/comm"), name);
    folder.link("/" + name, "/bin/sleep");
    const Child before([] { return true; });
    int told[2];
    ASSERT_EQ(::pipe2(told, O_CLOEXEC), 0);
    const pid_t other = ::fork();
    if (other == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        ::execl(folder.path("/" + name).c_str(), name.c_str(), "1000", nullptr);
        ::_exit(1);
    }
    ::close(told[1]);
    char byte;
    EXPECT_EQ(::read(told[0], &byte, 1), 0);  // it runs the other program, or has failed to
    ::close(told[0]);
    const Child after([] { return true; });
    const auto table = TableReader({}).read();
    ASSERT_TRUE(table);
    const auto find = [&](int pid) { return find_process(*table, static_cast<std::uint32_t>(pid)); };
    ASSERT_TRUE(find(before.pid()) && find(other) && find(after.pid()) && find(::getpid()));
    EXPECT_EQ(find(before.pid())->exe, find(::getpid())->exe);
    EXPECT_EQ(find(after.pid())->exe, find(::getpid())->exe);
    EXPECT_EQ(find(after.pid())->cgroup, find(::getpid())->cgroup);
    EXPECT_TRUE(find(other)->comm == name);
    EXPECT_EQ(find(other)->exe.raw(), std::filesystem::canonical("/bin/sleep"));
    ::kill(other, SIGKILL);
    ::waitpid(other, nullptr, 0);
}

// Siblings share the cgroup that is read of the first of them; whoever starts a container begins a session for it.
TEST(Live, WorkersAndTheContainerBesideThem) {
    const std::string root = hopscope::test::writable_control_groups();
    const std::string id = std::string(56, 'd') + std::to_string(10'000'000 + ::getpid() % 10'000'000).substr(0, 8);
    const std::string inner = root + "/" + id;
    if (root.empty() || ::mkdir(inner.c_str(), 0755) != 0) GTEST_SKIP() << "no control group to write to";
    const auto enter = [&] {
        if (::setsid() < 0) return false;
        std::ofstream file(inner + "/cgroup.procs");
        file << ::getpid() << std::flush;
        return file.good();
    };
    bool entered = false;
    int workers[2];  // made by the one in the container
    {
        const Child before([] { return true; });
        int told[2];
        ASSERT_EQ(::pipe(told), 0);
        const Child container([&] {
            if (!enter()) return false;
            pid_t made[2];
            for (pid_t& each : made) {
                each = ::fork();
                if (each == 0) {
                    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
                    while (true) ::pause();
                }
            }
            return ::write(told[1], made, sizeof made) == static_cast<ssize_t>(sizeof made);
        });
        const Child after([] { return true; });
        entered = container.worked();
        if (entered) {
            ASSERT_EQ(::read(told[0], workers, sizeof workers), static_cast<ssize_t>(sizeof workers));
            const auto table = TableReader({}).read();
            ASSERT_TRUE(table);
            const auto container_of = [&](int pid) {
                const Process* process = find_process(*table, static_cast<std::uint32_t>(pid));
                return process != nullptr ? process->container_id.raw() : "no such process";
            };
            EXPECT_EQ(container_of(container.pid()), id);
            EXPECT_EQ(container_of(workers[0]), id);
            EXPECT_EQ(container_of(workers[1]), id);
            EXPECT_NE(container_of(before.pid()), id);
            EXPECT_NE(container_of(after.pid()), id);
            const Process* worker = find_process(*table, static_cast<std::uint32_t>(workers[1]));
            EXPECT_LT(table->at - worker->started, Duration{60 * kNanosecondsPerSecond});
            EXPECT_LE(worker->started, table->at);
            EXPECT_GT(worker->started, table->booted);
        }
        ::close(told[0]);
        ::close(told[1]);
    }
    // Its workers end with it, a moment later.
    for (int attempt = 0; attempt < 200 && ::rmdir(inner.c_str()) != 0; ++attempt) ::usleep(10'000);
    EXPECT_NE(::access(inner.c_str(), F_OK), 0);
    if (!entered) GTEST_SKIP() << "no process can be moved to a control group here";
}

// Processes and sockets that come and go while the table is made: no crash, and what stays is always there.
TEST(Live, UnderChurn) {
    std::atomic<bool> stop = false;
    std::thread churn([&] {
        while (!stop) {
            const Fd listener = test::bound(SOCK_STREAM, 4), client = test::connected_to(test::port_of(listener));
            const pid_t child = ::fork();
            if (child == 0) ::_exit(0);
            ::waitpid(child, nullptr, 0);
        }
    });
    const Fd steady = test::bound(SOCK_STREAM, 1);
    TableReader reader({});
    for (int round = 0; round < 15; ++round) {
        const auto table = reader.read();
        ASSERT_TRUE(table);
        const Socket* socket = by_inode(*table, steady.inode());
        ASSERT_NE(socket, nullptr);
        EXPECT_TRUE(is_owned_by(*socket, ::getpid(), steady.get()));
        EXPECT_TRUE(std::is_sorted(table->processes.begin(), table->processes.end(),
                                   [](const Process& a, const Process& b) { return a.id.pid < b.id.pid; }));
    }
    stop = true;
    churn.join();
}

// An ordinary user names what is his, and says what is not.
TEST(Live, AnOrdinaryUserIsToldWhatIsMissing) {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root, to become somebody else";
    const Fd of_root = test::bound(SOCK_STREAM, 1);
    const Child other([] {  // of root, with a socket that nobody else has
        static Fd* kept = new Fd(test::bound(SOCK_STREAM, 1));
        return kept->get() >= 0;
    });
    const pid_t child = ::fork();
    if (child == 0) {
        // Codes of what went wrong; 0: nothing.
        const auto check = [&]() -> int {
            if (::setgroups(0, nullptr) != 0 || ::setgid(65534) != 0 || ::setuid(65534) != 0) return 1;
            // Who gave up root may not be looked into, not even by himself, until he allows it.
            if (::prctl(PR_SET_DUMPABLE, 1) != 0) return 7;
            const Fd own = test::bound(SOCK_STREAM, 1);
            TableReader reader({});
            const auto table = reader.read();
            if (!table) return 2;
            const Socket* foreign = by_inode(*table, of_root.inode());
            if (foreign == nullptr) return 3;
            // Our copy of it is ours to name, that of the parent is not.
            if (!is_owned_by(*foreign, ::getpid(), of_root.get()) || foreign->owners.size() != 1) return 4;
            bool told = false;
            for (const std::string& sentence : table->limits)
                told |= sentence.find("cannot name the owner of") == 0 &&
                        sentence.find("need CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH") != std::string::npos;
            if (!told || table->owners_unknown == 0) return 5;
            const Socket* visible = by_inode(*table, own.inode());
            if (visible == nullptr || !is_owned_by(*visible, ::getpid(), own.get())) return 6;
            return 0;
        };
        ::_exit(check());
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    ASSERT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST(Capabilities, OnlyWhatIsMissingIsNamed) {
    constexpr std::uint64_t kTrace = capability_bit(CAP_SYS_PTRACE), kSearch = capability_bit(CAP_DAC_READ_SEARCH);
    EXPECT_EQ(missing_to_list_descriptors(0), "CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH");
    EXPECT_EQ(missing_to_list_descriptors(kTrace), "CAP_DAC_READ_SEARCH");
    EXPECT_EQ(missing_to_list_descriptors(kSearch), "CAP_SYS_PTRACE");
    EXPECT_EQ(missing_to_list_descriptors(~std::uint64_t{0}), "");
}

// One of the two capabilities opens nothing; told is the other one. With both, whoever refuses is named.
TEST(Live, WhoHasOneCapabilityIsToldTheOther) {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root, to give up one capability";
    const Child other([] {
        static Fd* kept = new Fd(test::bound(SOCK_STREAM, 1));
        return kept->get() >= 0;
    });
    const pid_t child = ::fork();
    if (child == 0) {
        const auto check = [&]() -> int {
            if (::setgroups(0, nullptr) != 0 || ::prctl(PR_SET_KEEPCAPS, 1) != 0) return 1;
            if (::setgid(65534) != 0 || ::setuid(65534) != 0) return 2;
            __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
            __user_cap_data_struct data[2] = {};
            data[0].effective = data[0].permitted = static_cast<std::uint32_t>(capability_bit(CAP_SYS_PTRACE));
            if (::syscall(SYS_capset, &header, data) != 0) return 3;
            TableReader reader({});
            const auto table = reader.read();
            if (!table) return 4;
            for (const std::string& sentence : table->limits)
                if (sentence.find("need CAP_DAC_READ_SEARCH") != std::string::npos)
                    return sentence.find("CAP_SYS_PTRACE") == std::string::npos ? 0 : 5;
            return 6;
        };
        ::_exit(check());
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    ASSERT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 0);
    if (!may_list_all_descriptors()) return;
    TableReader reader({});
    const auto table = reader.read();
    ASSERT_TRUE(table);
    for (const std::string& sentence : table->limits)
        if (sentence.find("all the same") != std::string::npos && sentence.find("namespace of") == std::string::npos)
            EXPECT_THAT(sentence, testing::ContainsRegex("process(es)? \\(.*\\[[0-9]+\\].*\\) refuse"));
}

// What a scanner tells is joined with what the kernel tells otherwise.
TEST(Live, ScannerGivesTheOwners) {
    const Fd listener = test::bound(SOCK_STREAM, 4);
    struct Scanner : SocketScanner {
        std::vector<Socket> sockets;
        bool fails = false;
        Result<std::vector<Socket>> scan() override {
            if (fails)
                return unexpected(
                    Error{.doing = "cannot load", .why = "Operation not permitted", .errno_value = EPERM});
            return sockets;
        }
    } scanner;
    Socket scanned;
    scanned.transport = Transport::tcp;
    scanned.inode = listener.inode();
    scanned.owners = {{{static_cast<std::uint32_t>(::getpid()), 0}, 77}, {{4194305, 0}, 3}};
    Socket elsewhere = scanned;  // of a namespace that is nowhere else
    elsewhere.inode = 0xffffffff0ULL;
    elsewhere.state = SocketState::established;
    scanner.sockets = {scanned, elsewhere};
    TableReader reader({.scanner = &scanner});
    auto table = reader.read();
    ASSERT_TRUE(table);
    EXPECT_EQ(table->method, "iter/task_file + sock_diag");
    const Socket* socket = by_inode(*table, listener.inode());
    ASSERT_NE(socket, nullptr);
    EXPECT_EQ(socket->state, SocketState::listen) << "of sock_diag";
    ASSERT_EQ(socket->owners.size(), 1U) << "a process that is not there owns nothing";
    EXPECT_EQ(socket->owners[0].fd, 77U);
    EXPECT_EQ(socket->owners[0].process, find_process(*table, static_cast<std::uint32_t>(::getpid()))->id);
    ASSERT_NE(by_inode(*table, 0xffffffff0ULL), nullptr);
    EXPECT_EQ(by_inode(*table, 0xffffffff0ULL)->owners.size(), 1U);

    scanner.fails = true;
    table = reader.read();
    EXPECT_EQ(table->method, "sock_diag + /proc/*/fd");
    EXPECT_TRUE(is_owned_by(*by_inode(*table, listener.inode()), ::getpid(), listener.get()));
    EXPECT_THAT(table->limits, ::testing::Contains(::testing::HasSubstr("Operation not permitted")));
}

}  // namespace
}  // namespace hopscope::procmap
