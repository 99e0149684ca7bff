// The shim by what the table tells, where none of its calls was read.
#include "cli/live_shim.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hopscope::cli {
namespace {

using testing::Contains;
using testing::Field;
using testing::HasSubstr;

const std::string kContainer(64, 'a'), kSandbox(64, 'b'), kOther(64, 'c');

auto says(const std::string& text) { return Contains(Field(&chain::Evidence::says, HasSubstr(text))); }

Process process(std::uint32_t pid, ProcessRole role, std::vector<Untrusted> arguments = {}) {
    Process made;
    made.id.pid = pid;
    made.role = role;
    made.comm = Untrusted(to_string(role));
    made.cmdline = std::move(arguments);
    return made;
}

Socket listener(const std::string& path, std::uint32_t pid) {
    Socket socket;
    socket.transport = Transport::unix_stream;
    socket.state = SocketState::listen;
    socket.unix_local = {.path = path, .inode = 5};
    socket.owners.push_back({.process = {.pid = pid}, .fd = 3});
    return socket;
}

class LiveShim : public testing::Test {
protected:
    LiveShim() {
        const auto shim = [](std::uint32_t pid, const std::string& id) {
            return process(
                pid, ProcessRole::containerd_shim,
                {Untrusted("/usr/bin/containerd-shim-runc-v2"), Untrusted("-namespace"), Untrusted("k8s.io"),
                 Untrusted("-id"), Untrusted(id), Untrusted("-address"), Untrusted("/run/containerd/containerd.sock")});
        };
        table.processes = {process(20, ProcessRole::containerd), shim(30, kOther), shim(31, kSandbox)};
        table.sockets = {listener("/run/containerd/containerd.sock", 20), listener("/run/containerd/s/x", 31)};
        auto session = std::make_unique<chain::Session>();
        session->number = 1;
        session->op = chain::Op::exec;
        session->container.id = Untrusted(kContainer);
        session->container.sandbox_id = Untrusted(kSandbox);
        sessions.push_back(std::move(session));
        chain.op = chain::Op::exec;
        chain.sessions = {1};
        chain.hops.resize(2);
        chain.hops[0].kind = chain::HopKind::runtime;
        chain.hops[1].kind = chain::HopKind::process;
    }
    void add() { add_shim_by_table(chain, sessions, table, "no call about the container was seen"); }

    SocketTable table;
    std::vector<std::unique_ptr<chain::Session>> sessions;
    chain::Chain chain;
};

TEST_F(LiveShim, by_its_arguments_and_the_socket_that_they_name) {
    add();
    ASSERT_EQ(chain.hops.size(), 3U);
    const chain::Hop& hop = chain.hops[1];
    EXPECT_EQ(hop.kind, chain::HopKind::shim);
    EXPECT_EQ(hop.grade, Grade::seen);
    EXPECT_EQ(hop.to->pid, 31U);
    EXPECT_EQ(hop.from->pid, 20U);
    EXPECT_EQ(hop.unix_socket->path, "/run/containerd/s/x");
    EXPECT_THAT(hop.evidence, says("-id is the pod's sandbox"));
    EXPECT_THAT(hop.evidence, says("its calls were not read: no call about the container was seen"));
}

TEST_F(LiveShim, a_parent_alone_is_inferred) {
    sessions[0]->container.sandbox_id = {};
    chain.hops[1].from = chain::Process{.pid = 31, .comm = {}, .exe = {}};
    add();
    ASSERT_EQ(chain.hops.size(), 3U);
    EXPECT_EQ(chain.hops[1].grade, Grade::inferred);
    EXPECT_EQ(chain.hops[1].to->pid, 31U);
}

TEST_F(LiveShim, none_that_is_the_containers_none_told) {
    sessions[0]->container.sandbox_id = {};
    add();
    EXPECT_EQ(chain.hops.size(), 2U);
}

TEST_F(LiveShim, where_its_calls_were_read_nothing_is_added) {
    chain.hops[0].kind = chain::HopKind::shim;
    chain.hops[0].proto = "ttrpc";
    add();
    EXPECT_EQ(chain.hops.size(), 2U);
}

TEST_F(LiveShim, behind_the_hop_to_dockerd_there_is_one_to_the_shim) {
    chain.hops[0].kind = chain::HopKind::shim;
    chain.hops[0].proto = "docker";
    add();
    ASSERT_EQ(chain.hops.size(), 3U);
    EXPECT_EQ(chain.hops[1].proto, "ttrpc");
}

}  // namespace
}  // namespace hopscope::cli
