#include "procmap/bpf/unix_tap.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include <chrono>
#include <map>
#include <random>
#include <thread>

#include "procmap/bpf/tap_cost.h"
#include "sockets_of_a_test.h"

namespace hopscope::procmap {
namespace {

using namespace hopscope::test;

// The bytes that one end writes: from a seed, so that the test knows them without asking.
std::vector<std::uint8_t> bytes_of(std::uint32_t seed, std::size_t size) {
    std::mt19937 random(seed);
    std::vector<std::uint8_t> bytes(size);
    for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(random());
    return bytes;
}

// Writes them all in pieces of random size, by each of the four calls; with an even seed some of them do
// not block, so that they are refused or taken in part.
void write_all(int fd, const std::vector<std::uint8_t>& bytes, std::uint32_t seed) {
    std::mt19937 random(seed + 1);
    const int flags = MSG_NOSIGNAL | (seed % 2 == 0 ? MSG_DONTWAIT : 0);
    std::size_t at = 0;
    while (at < bytes.size()) {
        const std::size_t limit = random() % 4 == 0 ? 300'000 : 3'000;
        const std::size_t size = std::min<std::size_t>(1 + random() % limit, bytes.size() - at);
        auto* first = const_cast<std::uint8_t*>(bytes.data() + at);
        iovec pieces[3] = {{first, size / 3}, {first + size / 3, 0}, {first + size / 3, size - size / 3}};
        msghdr message{};
        message.msg_iov = pieces;
        message.msg_iovlen = 3;
        ssize_t done = 0;
        switch (random() % 4) {
            case 0: done = ::write(fd, first, size); break;
            case 1: done = ::writev(fd, pieces, 3); break;
            case 2: done = ::send(fd, first, size, flags); break;
            default: done = ::sendmsg(fd, &message, flags); break;
        }
        if (done > 0) at += static_cast<std::size_t>(done);
        if (done < 0 && errno == EAGAIN) {
            pollfd waiting{fd, POLLOUT, 0};
            ::poll(&waiting, 1, 1000);
        } else if (done < 0 && errno != EINTR) {
            ::_exit(3);
        }
    }
}

void read_until_end(int fd) {
    std::vector<std::uint8_t> buffer(64 * 1024);
    while (::read(fd, buffer.data(), buffer.size()) > 0) {
    }
}

// One process that writes `bytes` while it reads what comes.
pid_t start_end(const char* name, Fd& fd, const std::vector<std::uint8_t>& bytes, std::uint32_t seed) {
    const pid_t child = ::fork();
    if (child != 0) return child;
    ::prctl(PR_SET_NAME, name);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    const int small = 8 * 1024;
    ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    std::thread reader([&] { read_until_end(fd.get()); });
    write_all(fd.get(), bytes, seed);
    ::shutdown(fd.get(), SHUT_WR);
    reader.join();
    ::_exit(0);
}

struct Stream {
    std::vector<std::uint8_t> bytes;
    std::uint64_t missing = 0, peer_inode = 0;
    std::uint32_t writer = 0, peer = 0;
    std::string comm, peer_comm;
    bool by_server = false;
};

class Tapped {
public:
    void on(const UnixWrite& write) {
        if (write.at < last_) ++out_of_order;
        last_ = std::max(last_, write.at);
        Stream& stream = streams[write.inode];
        stream.missing += write.missing_before;
        if (write.offset != stream.bytes.size() + stream.missing) ++wrong_offsets;
        stream.bytes.insert(stream.bytes.end(), write.bytes.begin(), write.bytes.end());
        stream.writer = write.writer.pid;
        stream.comm = write.writer_comm.raw();
        stream.peer = write.peer_pid;
        stream.by_server = write.by_server;
        if (write.peer_inode != 0) stream.peer_inode = write.peer_inode;
        if (!write.peer_comm.empty()) stream.peer_comm = write.peer_comm.raw();
    }
    std::map<std::uint64_t, Stream> streams;
    int out_of_order = 0, wrong_offsets = 0;

private:
    Timestamp last_;
};

// Drains until both children have ended and nothing came for half a second.
void drain_until_ended(UnixTap& tap, Tapped& tapped, std::vector<pid_t> children) {
    auto last = std::chrono::steady_clock::now();
    while (!children.empty() || std::chrono::steady_clock::now() - last < std::chrono::milliseconds(500)) {
        pollfd waiting{tap.fd(), POLLIN, 0};
        ::poll(&waiting, 1, 10);
        if (tap.drain([&](const UnixWrite& write) { tapped.on(write); }) > 0) last = std::chrono::steady_clock::now();
        for (auto child = children.begin(); child != children.end();) {
            int status = 0;
            if (::waitpid(*child, &status, WNOHANG) == *child) {
                EXPECT_EQ(status, 0);
                child = children.erase(child);
            } else {
                ++child;
            }
        }
    }
    tap.flush([&](const UnixWrite& write) { tapped.on(write); });
}

#define OPEN_TAP(name, ...)                 \
    auto name = UnixTap::open(__VA_ARGS__); \
    SKIP_OR_FAIL_WITHOUT(name)

TEST(UnixTap, every_byte_of_both_directions) {
    TemporaryDirectory directory;
    const std::string path = directory.file("watched.sock"), other = directory.file("other.sock");
    OPEN_TAP(tap, {path});
    const Fd listener = unix_listener(path), elsewhere = unix_listener(other);
    struct Pair {
        Fd client, server;
        std::vector<std::uint8_t> requests, answers;
        std::uint64_t client_inode = 0, server_inode = 0;
        pid_t client_pid = 0, server_pid = 0;
    };
    std::vector<Pair> pairs(4);
    std::vector<pid_t> children;
    std::uint32_t seed = 100;
    for (Pair& pair : pairs) {
        pair.client = unix_client(path);
        pair.server = accept_from(listener);
        pair.client_inode = inode_of(pair.client);
        pair.server_inode = inode_of(pair.server);
        pair.requests = bytes_of(seed, 1'000'000 + seed * 7'919);
        pair.answers = bytes_of(seed + 1, 1'500'000 + seed * 104'729 % 100'000);
        seed += 2;
    }
    Fd loud = unix_client(other);
    Fd quiet = accept_from(elsewhere);
    ASSERT_EQ(::write(loud.get(), "not watched", 11), 11);
    for (Pair& pair : pairs) {
        pair.client_pid = start_end("hs-tap-client", pair.client, pair.requests, seed++);
        pair.server_pid = start_end("hs-tap-server", pair.server, pair.answers, seed++);
        children.push_back(pair.client_pid);
        children.push_back(pair.server_pid);
    }
    for (Pair& pair : pairs) {
        pair.client.close();
        pair.server.close();
    }
    Tapped tapped;
    drain_until_ended(**tap, tapped, children);

    EXPECT_EQ((*tap)->lost(), 0U);
    EXPECT_EQ(tapped.wrong_offsets, 0);
    EXPECT_EQ(tapped.streams.size(), 2 * pairs.size());
    std::uint64_t all = 0;
    for (const Pair& pair : pairs) {
        const Stream& request = tapped.streams[pair.client_inode];
        const Stream& answer = tapped.streams[pair.server_inode];
        all += request.bytes.size() + answer.bytes.size();
        EXPECT_TRUE(request.bytes == pair.requests) << request.bytes.size() << " of " << pair.requests.size();
        EXPECT_TRUE(answer.bytes == pair.answers) << answer.bytes.size() << " of " << pair.answers.size();
        EXPECT_EQ(request.peer_inode, pair.server_inode);
        EXPECT_EQ(answer.peer_inode, pair.client_inode);
        EXPECT_FALSE(request.by_server);
        EXPECT_TRUE(answer.by_server);
        EXPECT_EQ(request.writer, static_cast<std::uint32_t>(pair.client_pid));
        EXPECT_EQ(answer.writer, static_cast<std::uint32_t>(pair.server_pid));
        EXPECT_EQ(request.peer, answer.writer);
        EXPECT_EQ(answer.peer, request.writer);
        EXPECT_EQ(request.comm, "hs-tap-client");
        EXPECT_EQ(answer.comm, "hs-tap-server");
        EXPECT_EQ(request.peer_comm, "hs-tap-server");
    }
    EXPECT_EQ((*tap)->bytes(), all);
}

TEST(UnixTap, a_ring_that_is_too_small_says_what_is_missing_and_where) {
    TemporaryDirectory directory;
    const std::string path = directory.file("lossy.sock");
    OPEN_TAP(tap, {path}, 64 * 1024);
    const Fd listener = unix_listener(path);
    const Fd client = unix_client(path);
    const Fd server = accept_from(listener);
    const std::vector<std::uint8_t> sent = bytes_of(7, 400'000);
    std::vector<std::uint8_t> sink(400'000);
    Tapped tapped;
    std::vector<std::pair<std::uint64_t, std::vector<std::uint8_t>>> pieces;
    const auto keep = [&](const UnixWrite& write) {
        tapped.on(write);
        pieces.emplace_back(write.offset, std::vector<std::uint8_t>(write.bytes.begin(), write.bytes.end()));
    };
    for (std::size_t at = 0; at < sent.size(); at += 4'000) {
        ASSERT_EQ(::write(client.get(), sent.data() + at, 4'000), 4'000);
        ASSERT_EQ(::recv(server.get(), sink.data(), 4'000, MSG_WAITALL), 4'000);
        // Nothing is taken out for a while, twice.
        if (at == 200'000) (*tap)->flush(keep);
    }
    (*tap)->flush(keep);
    ASSERT_EQ(::write(client.get(), "end", 3), 3);
    (*tap)->flush(keep);

    const Stream& stream = tapped.streams[inode_of(client)];
    EXPECT_GT((*tap)->lost_bytes(), 100'000U);
    EXPECT_EQ(stream.missing, (*tap)->lost_bytes());
    EXPECT_EQ((*tap)->bytes(), sent.size() + 3);
    EXPECT_EQ(stream.bytes.size() + stream.missing, sent.size() + 3);
    EXPECT_EQ(tapped.wrong_offsets, 0);
    pieces.pop_back();  // "end"
    for (const auto& [offset, bytes] : pieces)
        EXPECT_TRUE(std::equal(bytes.begin(), bytes.end(), sent.begin() + static_cast<std::ptrdiff_t>(offset)))
            << "at " << offset;
}

TEST(UnixTap, requests_come_before_their_answers) {
    TemporaryDirectory directory;
    const std::string path = directory.file("ping.sock");
    OPEN_TAP(tap, {path});
    const Fd listener = unix_listener(path);
    Fd client = unix_client(path), server = accept_from(listener);
    const std::uint64_t client_inode = inode_of(client);
    const pid_t child = ::fork();
    if (child == 0) {
        client.close();
        char byte = 0;
        while (::read(server.get(), &byte, 1) == 1)
            if (::write(server.get(), &byte, 1) != 1) ::_exit(1);
        ::_exit(0);
    }
    server.close();
    for (int i = 0; i < 2'000; ++i) {
        char byte = static_cast<char>(i);
        ASSERT_EQ(::write(client.get(), &byte, 1), 1);
        ASSERT_EQ(::read(client.get(), &byte, 1), 1);
    }
    client.close();
    Tapped tapped;
    std::vector<bool> from_client;
    ::waitpid(child, nullptr, 0);
    (*tap)->flush([&](const UnixWrite& write) {
        tapped.on(write);
        from_client.push_back(write.inode == client_inode);
    });
    ASSERT_EQ(from_client.size(), 4'000U);
    for (std::size_t i = 0; i < from_client.size(); ++i) ASSERT_EQ(from_client[i], i % 2 == 0) << i;
    EXPECT_EQ(tapped.out_of_order, 0);
}

// Measured, not made up: with the tap a write does more work, and both take as long as system calls do.
// How much it is depends on the machine and on who else runs on it: here only that it is measured.
TEST(UnixTap, its_cost_is_measured) {
    const auto cost = measure_tap_cost();
    SKIP_OR_FAIL_WITHOUT(cost);
    for (const CallCost& each : {cost->write, cost->read}) {
        EXPECT_GT(each.plain_ns, 0);
        EXPECT_GT(each.tapped_ns, 0);
    }
}

// A folder stands for sockets whose names are digests, whenever they are made, and for nothing else in it.
TEST(UnixTap, every_digest_in_a_folder) {
    TemporaryDirectory directory;
    const std::string folder = directory.file("s"), digest(64, 'd');
    ASSERT_EQ(::mkdir(folder.c_str(), 0700), 0);
    OPEN_TAP(tap, {folder + "/"});
    Tapped tapped;
    std::vector<std::string> seen;
    for (const std::string& path : {folder + "/" + digest, folder + "/plain.sock",
                                    directory.file("e" + digest.substr(1)), folder + "/" + digest.substr(1) + "e"}) {
        const Fd listener = unix_listener(path), client = unix_client(path), server = accept_from(listener);
        ASSERT_EQ(::write(client.get(), "ask", 3), 3) << path;
        ASSERT_EQ(::write(server.get(), "answer", 6), 6);
        (*tap)->flush([&](const UnixWrite& write) { tapped.on(write); });
        seen.emplace_back(std::string(as_text(tapped.streams[inode_of(client)].bytes)) + "/" +
                          std::string(as_text(tapped.streams[inode_of(server)].bytes)));
        tapped = {};
        ::unlink(path.c_str());
    }
    EXPECT_EQ(seen, (std::vector<std::string>{"ask/answer", "/", "/", "ask/answer"}));
}

TEST(UnixTap, abstract_names_and_paths_that_come_later) {
    TemporaryDirectory directory;
    const std::string path = directory.file("later.sock");
    const std::string abstract = "@hopscope-tap-" + std::to_string(::getpid());
    OPEN_TAP(tap, {abstract});
    const Fd hidden = unix_listener(abstract), listener = unix_listener(path);
    const Fd to_hidden = unix_client(abstract), client = unix_client(path);
    const Fd from_hidden = accept_from(hidden), server = accept_from(listener);
    ASSERT_EQ(::write(to_hidden.get(), "one", 3), 3);
    ASSERT_EQ(::write(client.get(), "before", 6), 6);
    ASSERT_TRUE((*tap)->watch(path));
    ASSERT_EQ(::write(client.get(), "after", 5), 5);
    Tapped tapped;
    (*tap)->flush([&](const UnixWrite& write) { tapped.on(write); });
    EXPECT_EQ(tapped.streams.size(), 2U);
    EXPECT_EQ(as_text(tapped.streams[inode_of(to_hidden)].bytes), "one");
    EXPECT_EQ(as_text(tapped.streams[inode_of(client)].bytes), "after");
    EXPECT_FALSE((*tap)->watch(std::string(200, 'x')));
}

}  // namespace
}  // namespace hopscope::procmap
