#include "procmap/bpf/watcher.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/bpf.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <atomic>
#include <chrono>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <thread>

#include "procmap/bpf/clock.h"
#include "sockets_of_a_test.h"

namespace hopscope::procmap {
namespace {

using namespace hopscope::test;

std::uint64_t start_ticks_of(std::uint32_t pid) {
    std::ifstream in("/proc/" + std::to_string(pid) + "/stat");
    std::string line;
    std::getline(in, line);
    std::istringstream rest(line.substr(line.rfind(')') + 2));
    std::string word;
    for (int field = 3; field <= 22; ++field) rest >> word;
    return word.empty() ? 0 : std::stoull(word);
}

// Lives of one port, from a watcher and a book of its own. Drains in a thread of its own so that the ring never fills.
class Watch {
public:
    explicit Watch(std::unique_ptr<SocketWatcher> watcher)
        : watcher_(std::move(watcher)), book_([this](const SocketLife& life) { lives.push_back(life); }) {
        thread_ = std::thread([this] { run(); });
    }
    ~Watch() { stop(); }
    // Ends when nothing of the port has come for half a second.
    void stop() {
        if (!thread_.joinable()) return;
        ending_ = true;
        thread_.join();
        book_.flush();
    }
    std::vector<SocketLife> of_port(std::uint16_t number, SocketLife::Kind kind) const {
        std::vector<SocketLife> found;
        for (const SocketLife& life : lives)
            if (life.server.port == number && life.kind == kind) found.push_back(life);
        return found;
    }
    std::vector<SocketLife> lives;
    std::atomic<std::uint16_t> port{0};
    [[nodiscard]] SocketWatcher& watcher() { return *watcher_; }
    [[nodiscard]] const SocketLifeBook& book() const { return book_; }

private:
    void run() {
        auto last = std::chrono::steady_clock::now();
        while (true) {
            pollfd waiting{watcher_->fd(), POLLIN, 0};
            ::poll(&waiting, 1, 20);
            watcher_->drain([&](const SocketSign& sign) {
                book_.on(sign);
                if (sign.local.port == port || sign.remote.port == port) last = std::chrono::steady_clock::now();
            });
            book_.tick({clock_ns(CLOCK_REALTIME)});
            if (!ending_)
                last = std::chrono::steady_clock::now();
            else if (std::chrono::steady_clock::now() - last > std::chrono::milliseconds(500))
                return;
        }
    }
    std::unique_ptr<SocketWatcher> watcher_;
    SocketLifeBook book_;
    std::thread thread_;
    std::atomic<bool> ending_{false};
};

#define OPEN_WATCHER(name)             \
    auto name = SocketWatcher::open(); \
    SKIP_OR_FAIL_WITHOUT(name)

// A server process of its own: accepts, reads until the client closes, closes. Ends when `quit` is closed.
pid_t start_server(const Fd& listener, int quit, int quit_write) {
    const pid_t child = ::fork();
    if (child != 0) return child;
    ::prctl(PR_SET_NAME, "hs-life-server");
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::close(quit_write);
    while (true) {
        pollfd waiting[2] = {{listener.get(), POLLIN, 0}, {quit, POLLIN, 0}};
        ::poll(waiting, 2, -1);
        if (waiting[1].revents != 0) ::_exit(0);
        const int got = ::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC);
        if (got < 0) continue;
        char byte = 0;
        while (::read(got, &byte, 1) > 0) {
        }
        ::close(got);
    }
}

// The same of unix sockets: each is told once, at accept, with both owners.
TEST(SocketWatcher, a_thousand_unix_connections_of_a_millisecond_have_both_owners) {
    auto watcher = SocketWatcher::open(limits::kLifeRingBytes, 0, limits::kLifeRingBytes);
    SKIP_OR_FAIL_WITHOUT(watcher);
    constexpr int kConnections = 1'000;
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    const std::string text = "hs-watcher-" + std::to_string(::getpid());
    std::memcpy(name.sun_path + 1, text.data(), text.size());
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + text.size());
    const auto* address = reinterpret_cast<const sockaddr*>(&name);
    const Fd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(::bind(listener.get(), address, size), 0);
    ASSERT_EQ(::listen(listener.get(), 128), 0);
    struct stat status {};
    ASSERT_EQ(::fstat(listener.get(), &status), 0);
    int quit[2];
    ASSERT_EQ(::pipe(quit), 0);
    const Fd quit_read(quit[0]);
    Fd quit_write(quit[1]);
    const pid_t server = start_server(listener, quit[0], quit[1]);
    const pid_t client = ::fork();
    if (client == 0) {
        ::prctl(PR_SET_NAME, "hs-life-client");
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (int i = 0; i < kConnections; ++i) {
            const Fd connection(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
            if (::connect(connection.get(), address, size) != 0) ::_exit(1);
            if (i % 2 == 0 && ::write(connection.get(), "x", 1) != 1) ::_exit(2);
            if (i % 2 == 0) ::usleep(1000);  // the others are closed at once, some before they are accepted
        }
        ::_exit(0);
    }
    std::vector<UnixAccept> accepts;
    const auto drain = [&] {
        (*watcher)->drain([](const SocketSign&) {},
                          [&](const UnixAccept& accept) {
                              if (accept.listener_inode == status.st_ino) accepts.push_back(accept);
                          });
    };
    // Drained while it runs: what others on this machine do meanwhile fills the same rings.
    int ended = -1;
    while (::waitpid(client, &ended, WNOHANG) == 0) {
        drain();
        ::usleep(10'000);
    }
    EXPECT_EQ(ended, 0);
    for (int round = 0; round < 200 && accepts.size() < kConnections; ++round, ::usleep(10'000)) drain();
    const std::uint64_t server_start = start_ticks_of(static_cast<std::uint32_t>(server));
    quit_write.close();
    ::waitpid(server, nullptr, 0);
    drain();
    ASSERT_EQ(accepts.size(), static_cast<std::size_t>(kConnections));
    std::set<std::uint64_t> servers, clients;
    std::size_t with_client_end = 0;
    for (const UnixAccept& accept : accepts) {
        ASSERT_EQ(accept.client.pid, static_cast<std::uint32_t>(client));
        ASSERT_EQ(accept.server.pid, static_cast<std::uint32_t>(server));
        ASSERT_EQ(accept.server.start_ticks, server_start);
        ASSERT_EQ(accept.server_comm.raw(), "hs-life-server");
        ASSERT_NE(accept.server_inode, 0U);
        servers.insert(accept.server_inode);
        if (accept.client_inode == 0) continue;
        clients.insert(accept.client_inode);
        ++with_client_end;
        EXPECT_EQ(accept.client_comm.raw(), "hs-life-client");
        EXPECT_GE(accept.client.start_ticks, server_start);
    }
    EXPECT_EQ(servers.size(), accepts.size());
    EXPECT_EQ(clients.size(), with_client_end);
    EXPECT_GT(with_client_end, 0U);
    EXPECT_EQ((*watcher)->lost(), 0U);
}

TEST(SocketWatcher, unix_connections_in_a_ring_too_small_leave_that_of_tcp_alone) {
    auto watcher = SocketWatcher::open(limits::kLifeRingBytes, 0, static_cast<std::uint32_t>(::getpagesize()));
    SKIP_OR_FAIL_WITHOUT(watcher);
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    const Fd listener(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    auto* address = reinterpret_cast<sockaddr*>(&name);
    socklen_t size = sizeof name.sun_family;  // a name by the kernel
    ASSERT_EQ(::bind(listener.get(), address, size), 0);
    ASSERT_EQ(::listen(listener.get(), 16), 0);
    size = sizeof name;
    ASSERT_EQ(::getsockname(listener.get(), address, &size), 0);
    struct stat status {};
    ASSERT_EQ(::fstat(listener.get(), &status), 0);
    constexpr int kConnections = 500;
    for (int i = 0; i < kConnections; ++i) {
        const Fd near(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
        ASSERT_EQ(::connect(near.get(), address, size), 0);
        const Fd far(::accept(listener.get(), nullptr, nullptr));
        ASSERT_TRUE(far.ok());
    }
    const Fd tcp = tcp_listener(1);
    std::uint64_t told = 0;
    bool listens = false;
    (*watcher)->drain(
        [&](const SocketSign& sign) {
            listens = listens || (sign.new_state == SocketState::listen && sign.local.port == port_of(tcp));
        },
        [&](const UnixAccept& accept) { told += accept.listener_inode == status.st_ino ? 1 : 0; });
    EXPECT_TRUE(listens);
    EXPECT_LT(told, static_cast<std::uint64_t>(kConnections));
    EXPECT_GE(told + (*watcher)->lost(), static_cast<std::uint64_t>(kConnections));  // others may connect, too
}

// The demand: connections of about one millisecond, all of them with both owners, and no event lost.
TEST(SocketWatcher, five_thousand_short_connections_have_both_owners) {
    OPEN_WATCHER(watcher);
    constexpr int kConnections = 5'000;
    const Fd listener = tcp_listener(1024);
    const std::uint16_t port = port_of(listener);
    Watch watch(std::move(*watcher));
    watch.port = port;
    int quit[2];
    ASSERT_EQ(::pipe(quit), 0);
    const Fd quit_read(quit[0]);
    Fd quit_write(quit[1]);
    const pid_t server = start_server(listener, quit[0], quit[1]);
    const std::uint64_t server_start = start_ticks_of(static_cast<std::uint32_t>(server));
    const pid_t client = ::fork();
    if (client == 0) {
        ::prctl(PR_SET_NAME, "hs-life-client");
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (int i = 0; i < kConnections; ++i) {
            const Fd connection = tcp_client(port);
            if (!connection.ok()) ::_exit(1);
            if (::write(connection.get(), "x", 1) != 1) ::_exit(2);
            if (i % 8 == 0) ::usleep(1000);
        }
        ::_exit(0);
    }
    int status = -1;
    ::waitpid(client, &status, 0);
    EXPECT_EQ(status, 0);
    watch.stop();
    quit_write.close();
    ::waitpid(server, nullptr, 0);

    const auto closed = watch.of_port(port, SocketLife::Kind::closed);
    EXPECT_EQ(closed.size(), static_cast<std::size_t>(kConnections));
    std::set<std::uint64_t> inodes;  // ports are used again within the run, inodes are not
    std::int64_t lived_ns = 0;
    for (const SocketLife& life : closed) {
        ASSERT_EQ(life.client_owner.pid, static_cast<std::uint32_t>(client));
        ASSERT_EQ(life.server_owner.pid, static_cast<std::uint32_t>(server));
        ASSERT_EQ(life.server_owner.start_ticks, server_start);
        ASSERT_EQ(life.client_comm.raw(), "hs-life-client");
        ASSERT_EQ(life.server_comm.raw(), "hs-life-server");
        ASSERT_NE(life.client_inode, 0U);
        ASSERT_NE(life.server_inode, 0U);
        ASSERT_GE(life.lived.ns, 0);
        lived_ns += life.lived.ns;
        inodes.insert(life.client_inode);
        inodes.insert(life.server_inode);
    }
    EXPECT_EQ(inodes.size(), 2 * closed.size());
    EXPECT_EQ(watch.of_port(port, SocketLife::Kind::opened).size(), static_cast<std::size_t>(kConnections));
    EXPECT_EQ(watch.watcher().lost(), 0U);
    EXPECT_GE(watch.watcher().events(), static_cast<std::uint64_t>(5 * kConnections));
    if (!closed.empty())
        std::printf("%zu connections, mean life %.2f ms, %llu events, %llu lost\n", closed.size(),
                    static_cast<double>(lived_ns) / 1e6 / static_cast<double>(closed.size()),
                    static_cast<unsigned long long>(watch.watcher().events()),
                    static_cast<unsigned long long>(watch.watcher().lost()));
}

TEST(SocketWatcher, listeners_refused_and_ipv6) {
    OPEN_WATCHER(watcher);
    Watch watch(std::move(*watcher));
    Fd listener(::socket(AF_INET6, SOCK_STREAM, 0));
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_addr = in6addr_loopback;
    ASSERT_EQ(::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    ASSERT_EQ(::listen(listener.get(), 4), 0);
    const std::uint16_t port = port_of(listener);
    const std::uint64_t listener_inode = inode_of(listener);
    watch.port = port;
    address.sin6_port = htons(port);
    std::uint64_t client_inode = 0, server_inode = 0;
    {
        const Fd client(::socket(AF_INET6, SOCK_STREAM, 0));
        ASSERT_EQ(::connect(client.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
        const Fd server = accept_from(listener);
        client_inode = inode_of(client);
        server_inode = inode_of(server);
    }
    listener.close();
    EXPECT_FALSE(tcp_client(port).ok());  // refused: no life
    watch.stop();

    const auto self = static_cast<std::uint32_t>(::getpid());
    const auto listens = watch.of_port(port, SocketLife::Kind::listen);
    ASSERT_EQ(listens.size(), 1U);
    EXPECT_EQ(listens[0].server_owner.pid, self);
    EXPECT_EQ(listens[0].server_owner.start_ticks, start_ticks_of(self));
    EXPECT_EQ(listens[0].server_inode, listener_inode);
    EXPECT_EQ(to_string(listens[0].server), "[::1]:" + std::to_string(port));
    const auto ends = watch.of_port(port, SocketLife::Kind::unlisten);
    ASSERT_EQ(ends.size(), 1U);
    EXPECT_EQ(ends[0].server_inode, listener_inode);
    const auto closed = watch.of_port(port, SocketLife::Kind::closed);
    ASSERT_EQ(closed.size(), 1U);
    EXPECT_EQ(closed[0].client_inode, client_inode);
    EXPECT_EQ(closed[0].server_inode, server_inode);
    EXPECT_EQ(closed[0].client_owner.pid, self);
    EXPECT_EQ(closed[0].server_owner.pid, self);
}

TEST(SocketWatcher, closed_by_reset_before_the_accept) {
    OPEN_WATCHER(watcher);
    Watch watch(std::move(*watcher));
    const Fd listener = tcp_listener();
    watch.port = port_of(listener);
    {
        Fd client = tcp_client(watch.port);
        const linger hard{1, 0};
        ::setsockopt(client.get(), SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    }
    ::usleep(20'000);
    const Fd server = accept_from(listener);
    watch.stop();
    const auto closed = watch.of_port(watch.port, SocketLife::Kind::closed);
    ASSERT_EQ(closed.size(), 1U);
    EXPECT_EQ(closed[0].client_owner.pid, static_cast<std::uint32_t>(::getpid()));
    EXPECT_EQ(closed[0].server_owner.pid, static_cast<std::uint32_t>(::getpid()));
}

TEST(SocketWatcher, a_ring_that_is_too_small_counts_what_it_lost) {
    auto watcher = SocketWatcher::open(4096);
    SKIP_OR_FAIL_WITHOUT(watcher);
    const Fd listener = tcp_listener();
    const std::uint16_t port = port_of(listener);
    for (int i = 0; i < 100; ++i) {
        const Fd client = tcp_client(port);
        const Fd server = accept_from(listener);
    }
    ::usleep(100'000);
    std::uint64_t drained = (*watcher)->drain([](const SocketSign&) {});
    EXPECT_GT((*watcher)->lost(), 100U);
    EXPECT_GE((*watcher)->lost() + (*watcher)->events(), 500U);
    EXPECT_EQ(drained, (*watcher)->events());
}

// --- nothing stays

// Ids of all programs in the kernel, by the kernel itself.
std::set<std::uint32_t> loaded_programs() {
    std::set<std::uint32_t> ids;
    bpf_attr attr{};
    while (::syscall(SYS_bpf, BPF_PROG_GET_NEXT_ID, &attr, sizeof attr) == 0) {
        ids.insert(attr.next_id);
        attr.start_id = attr.next_id;
    }
    return ids;
}

// The kernel frees programs after a grace period. Others on this machine may load programs meanwhile: only ours count.
bool soon_gone(const std::set<std::uint32_t>& ours) {
    for (int i = 0; i < 100; ++i) {
        ::usleep(20'000);
        const auto now = loaded_programs();
        bool gone = true;
        for (const std::uint32_t id : ours)
            if (now.contains(id)) gone = false;
        if (gone) return true;
    }
    return false;
}

int descriptors() {
    int count = 0;
    for (int fd = 0; fd < 1024; ++fd)
        if (::fcntl(fd, F_GETFD) >= 0) ++count;
    return count;
}

TEST(SocketWatcher, leaves_nothing_behind) {
    OPEN_WATCHER(first);
    first->reset();
    ::usleep(100'000);
    const int before_fds = descriptors();
    const auto before = loaded_programs();
    std::set<std::uint32_t> ours;
    {
        OPEN_WATCHER(watcher);
        for (const std::uint32_t id : loaded_programs())
            if (!before.contains(id)) ours.insert(id);
        EXPECT_GE(ours.size(), 2U);
    }
    EXPECT_TRUE(soon_gone(ours));
    EXPECT_EQ(descriptors(), before_fds);
}

TEST(SocketWatcher, killed_it_leaves_nothing_behind) {
    OPEN_WATCHER(possible);
    possible->reset();
    const auto before = loaded_programs();
    int ready[2];
    ASSERT_EQ(::pipe(ready), 0);
    const pid_t child = ::fork();
    if (child == 0) {
        const auto watcher = SocketWatcher::open();
        const char good = watcher.has_value() ? 1 : 0;
        [[maybe_unused]] const ssize_t told = ::write(ready[1], &good, 1);
        ::pause();
        ::_exit(0);
    }
    const Fd reader(ready[0]), writer(ready[1]);
    char good = 0;
    ASSERT_EQ(::read(reader.get(), &good, 1), 1);
    EXPECT_EQ(good, 1);
    std::set<std::uint32_t> ours;
    for (const std::uint32_t id : loaded_programs())
        if (!before.contains(id)) ours.insert(id);
    EXPECT_GE(ours.size(), 2U);
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    EXPECT_TRUE(soon_gone(ours));
}

}  // namespace
}  // namespace hopscope::procmap
