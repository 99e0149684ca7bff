// What `ports --watch` tells of connections, without a kernel: looks and accepts as they may come.
#include "cli/watched_connections.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "core/limits.h"
#include "export/output.h"

namespace hopscope::cli {
namespace {

constexpr Timestamp kStart{1'700'000'000'000'000'000};
constexpr std::uint64_t kListener = 7;

class Watched : public testing::Test {
protected:
    // What was told since the last call: "connection.open 21" for a client's inode of 21.
    std::vector<std::string> told() {
        std::vector<std::string> all;
        std::istringstream text(out_.text().substr(read_));
        read_ = out_.text().size();
        for (std::string line; std::getline(text, line);) {
            const auto object = nlohmann::json::parse(line);
            all.push_back(object.at("kind").get<std::string>() + " " + object.at("client_inode").dump());
        }
        return all;
    }
    void look(const std::vector<std::uint64_t>& clients, bool asked = true) {
        listener_.peers.clear();
        for (const std::uint64_t inode : clients) {
            chain::Peer& peer = listener_.peers.emplace_back();
            peer.inode = inode;
            peer.process.pid = 300;
        }
        SocketTable table;
        Socket& socket = table.sockets.emplace_back();
        socket.transport = Transport::unix_stream;
        socket.state = SocketState::listen;
        socket.inode = kListener;
        at_ = at_ + Duration{kNanosecondsPerSecond};
        std::map<std::string, const chain::Verdict*> listeners;
        if (asked) listeners.emplace("key", &listener_);
        connections_.look(listeners, table, false, at_);
    }
    static procmap::UnixAccept accept(std::uint64_t client, std::uint64_t listener = kListener) {
        procmap::UnixAccept accept;
        accept.at = kStart;
        accept.listener_inode = listener;
        accept.client_inode = client;
        accept.server_inode = client + 1000;
        return accept;
    }

    exports::StringOutput out_;
    std::size_t read_ = 0;
    exports::WatchLines lines_{out_, {}, true};
    WatchedConnections connections_{lines_};
    chain::Verdict listener_ = [] {
        chain::Verdict verdict;
        verdict.transport = Transport::unix_stream;
        verdict.inode = kListener;
        verdict.unix_path = "/run/x.sock";
        return verdict;
    }();
    Timestamp at_ = kStart;
};

TEST_F(Watched, a_connection_is_told_when_a_look_shows_it_and_when_none_does_any_more) {
    look({21, 22});
    EXPECT_EQ(told(), (std::vector<std::string>{"connection.open 21", "connection.open 22"}));
    look({22});
    EXPECT_EQ(told(), (std::vector<std::string>{"connection.close 21"}));
    look({22});
    EXPECT_TRUE(told().empty());
}

TEST_F(Watched, what_the_kernel_told_is_not_told_again_by_a_look) {
    look({});
    connections_.accepted(accept(21));
    connections_.accepted(accept(21));
    EXPECT_EQ(told(), (std::vector<std::string>{"connection.open 21"}));
    look({21});
    EXPECT_TRUE(told().empty());
    look({});
    EXPECT_EQ(told(), (std::vector<std::string>{"connection.close 21"}));
}

TEST_F(Watched, an_accept_waits_for_the_look_that_shows_its_listener) {
    connections_.accepted(accept(21));
    EXPECT_TRUE(told().empty());
    look({});
    EXPECT_EQ(told(), (std::vector<std::string>{"connection.open 21"}));
    EXPECT_EQ(connections_.dropped(), 0U);
}

TEST_F(Watched, a_listener_that_nobody_asked_for_is_left_alone) {
    look({}, false);
    connections_.accepted(accept(21));
    look({});
    EXPECT_TRUE(told().empty());
}

TEST_F(Watched, accepts_without_a_listener_are_bounded_and_counted) {
    for (std::uint64_t i = 0; i < limits::kWatchAcceptsMax + 3; ++i) connections_.accepted(accept(100 + i, 8));
    EXPECT_EQ(connections_.dropped(), 3U);
    look({});
    EXPECT_TRUE(told().empty());
}

}  // namespace
}  // namespace hopscope::cli
