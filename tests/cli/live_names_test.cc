// Names of containers that came later: who is asked, how often, and what becomes of the answer.
#include "cli/live_names.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "support/temporary_directory.h"

namespace hopscope::cli {
namespace {

using testing::ElementsAre;

constexpr std::int64_t kMs = 1'000'000;
const std::string kFirst(64, 'a'), kSecond(64, 'b'), kNobodys(64, 'c');

ContainerNames names(const std::string& id, const char* pod) {
    return {.id = id,
            .sandbox_id = {},
            .runtime = "containerd",
            .name = Untrusted("main"),
            .pod = Untrusted(pod),
            .namespace_ = Untrusted("default"),
            .pod_uid = Untrusted("u"),
            .source = {}};
}

class LiveNamesTest : public testing::Test {
protected:
    LiveNamesTest() {
        add(10, ProcessRole::containerd,
            {"/run/containerd/containerd.sock", "/run/containerd/containerd.sock.ttrpc", "/run/containerd/debug.sock"});
        add(20, ProcessRole::dockerd, {"/run/docker.sock", "/run/docker/metrics.sock"});
        add(30, ProcessRole::unknown, {"/run/other/containerd.sock", "@containerd.sock"});
    }
    void add(std::uint32_t pid, ProcessRole role, const std::vector<std::string>& listened) {
        Process process;
        process.id.pid = pid;
        process.role = role;
        table.processes.push_back(process);
        for (const std::string& path : listened) {
            Socket socket;
            socket.transport = Transport::unix_stream;
            socket.state = SocketState::listen;
            socket.unix_local.path = path;
            socket.owners.push_back({.process = {.pid = pid}, .fd = 3});
            table.sockets.push_back(socket);
        }
    }
    chain::Chain ask(const std::string& id, std::int64_t ms) {
        chain::Chain chain;
        chain.container.id = Untrusted(id);
        named = live.complete(chain, table, root, {ms * kMs});
        return chain;
    }

    SocketTable table;
    procmap::HostRoot root;
    std::vector<ContainerNames> there = {names(kFirst, "web")};
    std::vector<std::string> paths;
    bool named = false;
    LiveNames live{[this](std::span<const procmap::RuntimeSocket> sockets) {
        paths.clear();
        for (const auto& socket : sockets) paths.push_back(socket.path + (socket.docker_api ? " docker" : ""));
        std::vector<procmap::RuntimeAnswer> answers(1);
        answers[0].containers = there;
        return answers;
    }};
};

TEST_F(LiveNamesTest, RuntimesAreAskedAndNobodyElse) {
    const chain::Chain chain = ask(kFirst, 1000);
    EXPECT_THAT(paths, ElementsAre("/run/containerd/containerd.sock", "/run/docker.sock docker"));
    EXPECT_TRUE(named);
    EXPECT_EQ(chain.k8s.pod, "web");
    EXPECT_EQ(chain.k8s.container, "main");
    EXPECT_EQ(chain.container.runtime, "containerd");
}

TEST_F(LiveNamesTest, WhatIsRootsIsAskedFirst) {
    const test::TemporaryDirectory directory;
    std::filesystem::create_directories(directory.file("run/containerd"));
    directory.write("run/containerd/containerd.sock", "");
    directory.write("run/docker.sock", "");
    const bool is_root = ::chown(directory.file("run/containerd/containerd.sock").c_str(), 4711, 4711) == 0;
    if (!is_root) GTEST_SKIP() << "needs root, to give a file away";
    const auto sockets = sockets_to_ask(table, procmap::HostRoot(directory.path()));
    ASSERT_EQ(sockets.size(), 2U);
    EXPECT_EQ(sockets[0].path, "/run/docker.sock");
    EXPECT_EQ(sockets[1].path, "/run/containerd/containerd.sock")
        << "an ordinary user's runtime is asked, too, but last";
}

TEST_F(LiveNamesTest, WhoNamesAContainerFirstIsRight) {
    there = {names(kFirst, "real"), names(kFirst, "forged")};
    EXPECT_EQ(ask(kFirst, 1000).k8s.pod, "real");
}

TEST_F(LiveNamesTest, OnceForEachContainerAndNotTooOften) {
    ask(kNobodys, 1000);
    EXPECT_FALSE(named);
    EXPECT_EQ(live.asked(), 1U);
    ask(kFirst, 1100);
    EXPECT_TRUE(named) << "the list told it already";
    there.push_back(names(kSecond, "later"));
    ask(kSecond, 2900);
    EXPECT_FALSE(named) << "not yet: too soon after the last question";
    ask(kSecond, 3001);
    EXPECT_TRUE(named);
    EXPECT_EQ(live.asked(), 2U);
    for (int i = 0; i < 10; ++i) ask(kNobodys, 10'000 + i * 5000);
    EXPECT_EQ(live.asked(), 2U) << "one that nobody knows is asked for once";
}

TEST_F(LiveNamesTest, WhatIsKnownIsNotAskedFor) {
    chain::Chain chain;
    chain.container.id = Untrusted(kFirst);
    chain.k8s.pod = Untrusted("known");
    EXPECT_FALSE(live.complete(chain, table, root, {1}));
    chain.k8s = {};
    chain.container = {};
    EXPECT_FALSE(live.complete(chain, table, root, {1}));
    EXPECT_EQ(live.asked(), 0U);
}

}  // namespace
}  // namespace hopscope::cli
