// The hop to a shim: which call is a session's, what is not guessed, what an attach and a port-forward have instead.
#include "chain/joins_shim.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/limits.h"

namespace hopscope::chain {
namespace {

using testing::Contains;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

constexpr std::int64_t kMs = 1'000'000;
const std::string kContainer(64, 'a'), kSandbox(64, 'b');

auto says(const std::string& text) { return Contains(Field(&Evidence::says, HasSubstr(text))); }

// containerd[20] and the shim[30] of a pod.
class Node {
public:
    Node() {
        connection.unix_socket = UnixEndpoint{"/run/containerd/s/x", 7};
        connection.client_pid = 20;
        connection.server_pid = 30;
    }
    void call(std::int64_t ms, std::string_view method, const std::string& exec, TaskMessage message = {}) {
        message.service = "containerd.task.v2.Task";
        message.method = method;
        message.container_id = kContainer;
        message.exec_id = exec;
        message.message_bytes = 100;
        book.on(message, {.at = {ms * kMs}}, connection);
    }
    void answer(std::int64_t ms, std::string_view method, const std::string& exec, TaskMessage message = {}) {
        message.response = true;
        call(ms, method, exec, message);
    }
    // Exec, Start, and the end by Wait.
    void run(std::int64_t ms, const std::string& exec, std::vector<std::string_view> command, std::uint32_t pid,
             int exit_code, bool tty = false) {
        call(ms, "Exec", exec, {.command = command, .tty = tty});
        answer(ms + 1, "Exec", exec);
        call(ms + 2, "Start", exec);
        call(ms + 2, "Wait", exec);
        answer(ms + 5, "Start", exec, {.pid = pid});
        answer(ms + 50, "Wait", exec, {.exit_code = exit_code});
    }
    Session& session(std::int64_t ms, std::vector<Untrusted> command, Op op = Op::exec) {
        auto fresh = std::make_unique<Session>();
        fresh->number = static_cast<std::uint32_t>(sessions.size() + 1);
        fresh->op = op;
        fresh->hop = HopKind::runtime;
        fresh->state = SessionState::closed;
        fresh->start = {ms * kMs};
        fresh->end = {(ms + 200) * kMs};
        fresh->over = true;
        fresh->command = std::move(command);
        fresh->container.id = Untrusted(op == Op::portforward ? "" : kContainer);
        fresh->container.sandbox_id = Untrusted(kSandbox);
        return *sessions.emplace_back(std::move(fresh));
    }
    Chain chain_of(const Session& session) {
        Chain chain;
        chain.op = session.op;
        chain.sessions = {session.number};
        Hop runtime;
        runtime.kind = HopKind::runtime;
        runtime.session = session.number;
        chain.hops.push_back(runtime);
        join_shim(chain, sessions, book);
        return chain;
    }

    SharedTexts texts;
    ShimBook book{texts};
    CriConnection connection;
    std::vector<std::unique_ptr<Session>> sessions;
};

TEST(JoinShim, the_call_that_names_container_and_command_gives_pid_and_exit_code) {
    Node node;
    node.run(110, "e1", {"sh", "-c", "secret"}, 4711, 3);
    Session& session = node.session(100, {Untrusted("sh"), Untrusted("-c"), Untrusted("secret")});
    session.exit_code = 3;
    const Chain chain = node.chain_of(session);
    ASSERT_THAT(chain.hops, SizeIs(2));
    const Hop& hop = chain.hops[1];
    EXPECT_EQ(hop.kind, HopKind::shim);
    EXPECT_EQ(hop.grade, Grade::decoded);
    EXPECT_EQ(hop.proto, "ttrpc");
    EXPECT_EQ(hop.from->pid, 20U);
    EXPECT_EQ(hop.to->pid, 30U);
    EXPECT_EQ(hop.unix_socket->path, "/run/containerd/s/x");
    EXPECT_EQ(hop.start.ns, 110 * kMs);
    EXPECT_EQ(hop.took.ns, 5 * kMs);
    EXPECT_EQ(hop.bytes.in, 300U);
    EXPECT_EQ(hop.bytes.out, 300U);
    EXPECT_THAT(hop.evidence, says("names the container and the command"));
    EXPECT_THAT(hop.evidence, says("asked 10.0 ms after the request"));
    EXPECT_THAT(hop.evidence, says("Start was answered with pid 4711"));
    EXPECT_THAT(hop.evidence, says("the shim told exit code 3, as the session says"));
    for (const Evidence& each : hop.evidence) EXPECT_THAT(each.says, Not(HasSubstr("secret")));
    ASSERT_TRUE(chain.started);
    EXPECT_EQ(chain.started->pid, 4711U);
    EXPECT_EQ(chain.started->exit_code, 3);
    EXPECT_EQ(started_by_shim(session, node.sessions, node.book)->pid, 4711U);
}

TEST(JoinShim, another_exit_code_is_a_contradiction) {
    Node node;
    node.run(110, "e1", {"sh"}, 4711, 137);
    Session& session = node.session(100, {Untrusted("sh")});
    session.exit_code = 0;
    EXPECT_THAT(node.chain_of(session).contradictions, says("the shim told exit code 137, s1 says 0"));
}

TEST(JoinShim, equal_calls_at_once_are_not_guessed_but_the_shim_is_known) {
    Node node;
    node.run(110, "e1", {"sh"}, 4711, 0);
    node.run(111, "e2", {"sh"}, 4712, 0);
    node.session(100, {Untrusted("sh")});
    node.session(101, {Untrusted("sh")});
    for (const auto& session : node.sessions) {
        const Chain chain = node.chain_of(*session);
        ASSERT_THAT(chain.hops, SizeIs(2));
        EXPECT_EQ(chain.hops[1].grade, Grade::seen);
        EXPECT_THAT(chain.hops[1].evidence, says("which of 2 equal Exec calls"));
        EXPECT_FALSE(chain.started);
        EXPECT_FALSE(started_by_shim(*session, node.sessions, node.book));
    }
}

TEST(JoinShim, another_command_another_terminal_another_container_another_time_are_not_it) {
    Node node;
    node.run(110, "e1", {"ls"}, 1, 0);
    node.run(110, "e2", {"sh"}, 2, 0, true);
    node.run(50, "e3", {"sh"}, 3, 0);
    node.run(9000, "e4", {"sh"}, 4, 0);
    Session& session = node.session(100, {Untrusted("sh")});
    session.tty = false;
    session.end = {20'000 * kMs};
    EXPECT_THAT(node.chain_of(session).hops, SizeIs(1));
    session.container.id = Untrusted(std::string(64, 'f'));
    node.run(120, "e5", {"sh"}, 5, 0);
    EXPECT_THAT(node.chain_of(session).hops, SizeIs(1));
}

TEST(JoinShim, a_start_that_is_refused_says_so_and_names_no_pid) {
    Node node;
    node.call(110, "Exec", "e1", {.command = {}});
    node.call(112, "Start", "e1");
    node.answer(115, "Start", "e1", {.status = 2});
    const Chain chain = node.chain_of(node.session(100, {}));
    ASSERT_THAT(chain.hops, SizeIs(2));
    EXPECT_THAT(chain.hops[1].evidence, says("the shim refused with status 2"));
    EXPECT_FALSE(chain.started);
}

TEST(JoinShim, an_attach_goes_to_the_main_process_without_a_call_of_its_own) {
    Node node;
    node.call(105, "State", "");
    node.answer(106, "State", "", {.pid = 77});
    const Chain chain = node.chain_of(node.session(100, {}, Op::attach));
    ASSERT_THAT(chain.hops, SizeIs(2));
    EXPECT_EQ(chain.hops[1].grade, Grade::seen);
    EXPECT_EQ(chain.hops[1].start.ns, 105 * kMs);
    EXPECT_THAT(chain.hops[1].evidence, says("FIFOs"));
    ASSERT_TRUE(chain.started);
    EXPECT_TRUE(chain.started->attached);
    EXPECT_EQ(chain.started->pid, 77U);
}

TEST(JoinShim, a_port_forward_has_no_shim_and_says_why) {
    Node node;
    TaskMessage message;
    message.method = "State";
    message.container_id = kSandbox;
    node.book.on(message, {.at = {kMs}}, node.connection);
    const Chain chain = node.chain_of(node.session(100, {}, Op::portforward));
    ASSERT_THAT(chain.hops, SizeIs(1));
    EXPECT_THAT(chain.hops[0].evidence, says("no shim is on the way of a port-forward"));
}

TEST(JoinShim, a_late_session_is_joined_with_nothing) {
    Node node;
    node.run(110, "e1", {"sh"}, 4711, 3);
    Session& session = node.session(100, {Untrusted("sh")});
    session.state = SessionState::cut;
    EXPECT_THAT(node.chain_of(session).hops, SizeIs(1));
}

TEST(ShimBook, an_id_that_is_used_again_is_another_process_and_the_book_is_bounded) {
    Node node;
    node.run(10, "e1", {"sh"}, 1, 0);
    node.run(20, "e1", {"sh"}, 2, 0);
    EXPECT_THAT(node.book.execs(kContainer, {0}, {100 * kMs}), SizeIs(2));
    for (std::size_t i = 0; i < limits::kShimTasksMax + 5; ++i)
        node.call(static_cast<std::int64_t>(1000 + i), "Exec", "x" + std::to_string(i));
    EXPECT_THAT(node.book.execs(kContainer, {0}, {100 * kMs}), IsEmpty());
    EXPECT_THAT(node.book.execs(kContainer, {0}, {1'000'000 * kMs}), SizeIs(limits::kShimTasksMax));
}

// --- execs of the Docker API

TEST(JoinShim, anExecOfTheDockerApiIsFoundByItsIdAmongEqualOnes) {
    Node node;
    node.run(1000, "e1", {"sh"}, 71, 0);
    node.run(1000, "e2", {"sh"}, 72, 0);
    Session& session = node.session(990, {Untrusted("sh")});
    session.hop = HopKind::shim;
    DockerBook docker;
    docker.carries("e2", session.number, 0);
    Chain chain;
    chain.op = Op::exec;
    chain.sessions = {session.number};
    join_shim(chain, node.sessions, node.book, docker);
    ASSERT_THAT(chain.hops, SizeIs(1));
    EXPECT_EQ(chain.hops[0].grade, Grade::decoded);
    EXPECT_THAT(chain.hops[0].evidence, says("has the id of the Docker API's exec"));
    ASSERT_TRUE(chain.started);
    EXPECT_EQ(chain.started->pid, 72U);
    // What dockerd asked containerd, in the same words: the hop before it.
    join_service(chain, node.sessions, node.book, docker);
    ASSERT_THAT(chain.hops, SizeIs(2));
    EXPECT_EQ(chain.hops[0].proto, "grpc");
    EXPECT_EQ(chain.hops[1].proto, "ttrpc");
    EXPECT_THAT(chain.hops[0].evidence, says("Start was answered with pid 72"));
}

TEST(JoinShim, noCallOfAnotherClientIsTakenForDockers) {
    Node node;
    node.run(1000, "e1", {"sh"}, 71, 0);
    Session& session = node.session(990, {Untrusted("sh")});  // of the streaming server: it asks nobody by gRPC
    Chain chain;
    chain.op = Op::exec;
    chain.sessions = {session.number};
    join_service(chain, node.sessions, node.book, {});
    EXPECT_THAT(chain.hops, IsEmpty());
    session.hop = HopKind::shim;
    join_service(chain, node.sessions, node.book, {});
    EXPECT_THAT(chain.hops, IsEmpty()) << "its id is not known";
}

}  // namespace
}  // namespace hopscope::chain
