// Connections made of single writes: which belong together, whether the beginning was seen, and where they end.
#include "cli/tap_streams.h"

#include <gtest/gtest.h>

#include "cli/live_tap.h"
#include "core/limits.h"

namespace hopscope::cli {
namespace {

constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
constexpr std::string_view kSettings("\0\0\0\4\0\0\0\0\0", 9);

struct Told {
    std::uint64_t connection = 0, offset = 0;
    Direction direction{};
    std::string bytes, path;
    std::uint64_t client_inode = 0, server_inode = 0;
    std::uint32_t client_pid = 0, server_pid = 0;
    bool end = false;
};

class Tap {
public:
    void write(bool by_server, std::uint64_t inode, std::uint64_t peer, std::uint64_t offset, std::string_view bytes,
               std::uint64_t missing_before = 0) {
        procmap::UnixWrite write;
        write.at = {at};
        write.by_server = by_server;
        write.inode = inode;
        write.peer_inode = peer;
        write.writer.pid = by_server ? 20 : 10;
        write.peer_pid = by_server ? 10 : 20;
        write.offset = offset;
        write.missing_before = missing_before;
        write.bytes = as_bytes(bytes);
        streams.on(write, [this](const StreamChunk& chunk) { on(chunk); });
    }
    void on(const StreamChunk& chunk) {
        told.push_back({chunk.connection, chunk.offset, chunk.direction, std::string(as_text(chunk.bytes)),
                        chunk.server.path, chunk.client_inode, chunk.server.inode, chunk.client_pid, chunk.server_pid,
                        chunk.end});
    }

    TapStreams streams;
    std::vector<Told> told;
    std::int64_t at = 0;
};

TEST(TapStreams, both_ends_are_one_connection_with_both_processes) {
    Tap tap;
    tap.streams.served_by({{20, "/run/containerd.sock"}});
    tap.write(false, 1, 0, 0, kPreface);  // written before it was accepted
    tap.write(true, 2, 1, 0, kSettings);
    tap.write(false, 1, 2, kPreface.size(), "x");
    tap.write(true, 2, 0, kSettings.size(), "y");  // the client is gone
    ASSERT_EQ(tap.told.size(), 4U);
    for (const Told& each : tap.told) {
        EXPECT_EQ(each.connection, 1U);
        EXPECT_EQ(each.client_inode, 1U);
        EXPECT_EQ(each.client_pid, 10U);
        EXPECT_EQ(each.server_pid, 20U);
        EXPECT_EQ(each.path, "/run/containerd.sock");
    }
    EXPECT_EQ(tap.told[1].server_inode, 2U);
    EXPECT_EQ(tap.told[0].direction, Direction::to_server);
    EXPECT_EQ(tap.told[1].direction, Direction::to_client);
    EXPECT_EQ(tap.told[0].offset, 0U);
    EXPECT_EQ(tap.told[1].offset, 0U);
    EXPECT_EQ(tap.told[3].offset, kSettings.size());
    EXPECT_EQ(tap.streams.late(), 0U);
}

TEST(TapStreams, one_that_was_open_before_is_late_unless_its_beginning_is_there) {
    Tap tap;
    tap.streams.open_before({1, 2, 3, 4, 5});
    tap.write(false, 1, 2, 0, "some frame");
    EXPECT_EQ(tap.told.back().offset, 1U);  // the pipeline takes what begins later than 0 as joined in the middle
    tap.write(true, 2, 1, 0, "its answer");
    EXPECT_EQ(tap.told.back().offset, 1U);
    tap.write(false, 1, 2, 10, "more");
    EXPECT_EQ(tap.told.back().offset, 11U);
    tap.write(false, 3, 4, 0, kPreface);  // connected before, and silent until now
    EXPECT_EQ(tap.told.back().offset, 0U);
    tap.write(false, 5, 0, 0, "GET / HTTP/1.1\r\n");  // HTTP/1 may have said something before
    EXPECT_EQ(tap.told.back().offset, 1U);
    EXPECT_EQ(tap.streams.late(), 2U);
}

TEST(TapStreams, ttrpc_begins_with_a_request) {
    // Connect of containerd.task.v2.Task, stream 1.
    const std::string body =
        "\x0a\x17"
        "containerd.task.v2.Task"
        "\x12\x07"
        "Connect";
    const std::string request =
        std::string("\0\0\0", 3) + static_cast<char>(body.size()) + std::string("\0\0\0\1\1\0", 6) + body;
    Tap tap;
    tap.streams.open_before({3});
    tap.write(false, 1, 2, 0, request);
    EXPECT_EQ(tap.told.back().offset, 0U);
    tap.write(false, 3, 4, 0, request);  // it may have asked before
    EXPECT_EQ(tap.told.back().offset, 1U);
    tap.write(true, 6, 5, 0, request);  // no shim asks
    EXPECT_EQ(tap.told.back().offset, 1U);
    EXPECT_EQ(tap.streams.late(), 2U);
}

TEST(TapStreams, a_new_one_whose_first_bytes_begin_nothing_is_late) {
    Tap tap;
    tap.write(false, 1, 2, 0, "GET / HTTP/1.1\r\n");
    EXPECT_EQ(tap.told.back().offset, 0U);
    tap.write(false, 3, 4, 0, "in the middle");
    EXPECT_EQ(tap.told.back().offset, 1U);
    tap.write(false, 5, 6, 24, "its beginning was lost", 24);
    EXPECT_EQ(tap.told.back().offset, 25U);
    EXPECT_EQ(tap.streams.late(), 2U);
}

TEST(TapStreams, a_hole_stays_a_hole_and_a_count_that_begins_again_is_none) {
    Tap tap;
    tap.write(false, 1, 2, 0, kPreface);
    tap.write(false, 1, 2, 100, "after the hole", 76);
    EXPECT_EQ(tap.told.back().offset, 100U);
    tap.write(false, 1, 2, 0, "again");  // the kernel side had forgotten the silent stream
    EXPECT_EQ(tap.told.back().offset, 114U);
    tap.write(false, 1, 2, 5, "and on");
    EXPECT_EQ(tap.told.back().offset, 119U);
}

TEST(TapStreams, what_is_gone_ends_once_in_both_directions) {
    Tap tap;
    tap.write(false, 1, 2, 0, kPreface);
    tap.write(false, 3, 4, 0, kPreface);
    tap.told.clear();
    const auto tell = [&](const StreamChunk& chunk) { tap.on(chunk); };
    tap.streams.end_gone({}, {1 * kNanosecondsPerSecond}, tell);  // newer than the table
    EXPECT_TRUE(tap.told.empty());
    tap.streams.end_gone({4}, {10 * kNanosecondsPerSecond}, tell);
    ASSERT_EQ(tap.told.size(), 2U);
    EXPECT_TRUE(tap.told[0].end && tap.told[1].end);
    EXPECT_EQ(tap.told[0].connection, 1U);
    EXPECT_EQ(tap.told[0].offset + tap.told[1].offset, kPreface.size());
    EXPECT_EQ(tap.streams.size(), 1U);
    tap.write(false, 1, 9, 0, kPreface);  // another socket of that number
    EXPECT_EQ(tap.told.back().connection, 3U);
}

TEST(TapStreams, is_bounded_and_gives_up_the_longest_silent) {
    Tap tap;
    for (std::uint64_t i = 0; i <= limits::kTapConnectionsMax; ++i) {
        tap.at = static_cast<std::int64_t>(i);
        tap.write(false, 10 + 2 * i, 11 + 2 * i, 0, kPreface);
    }
    EXPECT_EQ(tap.streams.size(), limits::kTapConnectionsMax);
    std::size_t ends = 0;
    for (const Told& each : tap.told) ends += each.end && each.connection == 1;
    EXPECT_EQ(ends, 2U);
}

Socket listener(std::string path, std::uint32_t pid, std::uint64_t inode) {
    Socket socket;
    socket.transport = Transport::unix_stream;
    socket.state = SocketState::listen;
    socket.inode = inode;
    socket.unix_local = {.path = std::move(path), .inode = inode};
    if (pid != 0) socket.owners.push_back({.process = {.pid = pid}, .fd = 3});
    return socket;
}

TEST(RuntimeSockets, are_those_of_runtimes_and_those_at_the_usual_places) {
    SocketTable table;
    for (const auto& [pid, role] : {std::pair{1U, ProcessRole::unknown}, std::pair{20U, ProcessRole::containerd},
                                    std::pair{30U, ProcessRole::kubelet}, std::pair{40U, ProcessRole::dockerd}}) {
        Process process;
        process.id.pid = pid;
        process.role = role;
        table.processes.push_back(process);
    }
    table.sockets = {listener("/tmp/mine/c.sock", 20, 1),           listener("/tmp/mine/c.sock.ttrpc", 20, 2),
                     listener("/var/lib/kubelet/pods.sock", 30, 3), listener("/var/run/dockershim.sock", 30, 4),
                     listener("/var/run/docker.sock", 1, 5),        listener("/run/docker/metrics.sock", 40, 6),
                     listener("/run/docker/other.sock", 40, 7),     listener("/run/dbus", 1, 8)};
    Process shim;
    shim.id.pid = 50;
    shim.role = ProcessRole::containerd_shim;
    table.processes.push_back(shim);
    // Shims: those of one containerd by their folder, an old one by its name.
    const std::string own = "/run/k3s/s/" + std::string(64, 'a');
    table.sockets.push_back(listener(own, 50, 10));
    table.sockets.push_back(listener("@/containerd-shim/moby/x/shim.sock", 50, 11));
    Socket connected = listener("", 0, 9);
    connected.state = SocketState::established;
    table.sockets.push_back(connected);
    const RuntimeSockets found = runtime_sockets(table);
    EXPECT_EQ(found.paths,
              (std::vector<std::string>{"/run/containerd/s/", "/run/docker/metrics.sock", "/run/docker/other.sock",
                                        "/run/k3s/s/", "/tmp/mine/c.sock", "/var/run/docker.sock",
                                        "/var/run/dockershim.sock", "@/containerd-shim/moby/x/shim.sock"}));
    EXPECT_EQ(found.served.at(20), "/tmp/mine/c.sock");
    EXPECT_EQ(found.served.count(40), 0U);  // two paths: not to be told apart by the process
    EXPECT_EQ(found.connected, std::unordered_set<std::uint64_t>{9});
}

}  // namespace
}  // namespace hopscope::cli
