// Which exec or container a session is that was joined late: only one that no other could be.
#include "chain/late_book.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hopscope::chain {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr std::int64_t kMs = 1'000'000;
constexpr std::uint32_t kRuntime = 20, kShim = 50;
const std::string kContainer(64, 'a'), kOther(64, 'b');

auto says(const std::string& text) { return Contains(Field(&Evidence::says, HasSubstr(text))); }

Endpoint at(std::uint16_t port) { return {*IpAddress::parse("127.0.0.1"), port}; }

class LateBookTest : public testing::Test {
protected:
    void connection(std::uint16_t port, std::uint32_t runtime = kRuntime) {
        late.add(LateConnection{.client = at(port), .server = at(39000), .runtime_pid = runtime});
    }
    // With a process `pid` that runs already.
    void running(std::uint32_t pid, const std::string& container, const std::string& exec, bool input = true) {
        LateProcess process{.runtime_pid = kRuntime,
                            .container_id = container,
                            .exec_id = exec,
                            .input = input,
                            .pid = pid,
                            .pid_by = "by a file",
                            .root = {}};
        RunningProcess self{.id = {.pid = pid, .start_ticks = 7}, .parent_pid = kShim, .ran = {}};
        self.ran.process = {.pid = pid, .comm = Untrusted("sh"), .exe = {}};
        self.ran.start = {pid * kMs};
        process.root = book.ran_already(container, {.pid = kShim, .comm = Untrusted("containerd-shim"), .exe = {}},
                                        std::vector{self}, {500 * kMs});
        late.add(std::move(process));
    }
    Session& session(std::uint16_t port, Op op = Op::unknown) {
        auto fresh = std::make_unique<Session>();
        fresh->number = static_cast<std::uint32_t>(all.size() + 1);
        fresh->op = op;
        fresh->state = SessionState::cut;
        fresh->proto = Proto::spdy31;
        fresh->client = at(port);
        fresh->server = at(39000);
        fresh->start = {1000 * kMs};
        Session& session = *all.emplace_back(std::move(fresh));
        joined = late.joined(session);
        return session;
    }
    static void stream(Session& session, std::uint32_t id, StreamKind kind, ByteCounts bytes) {
        Stream& fresh = session.streams.emplace_back();
        fresh.id = id;
        fresh.kind = kind;
        fresh.bytes = bytes;
    }
    void exit(std::uint32_t pid, int code) {
        book.on({.kind = ProcessEvent::Kind::exit,
                 .at = {2000 * kMs},
                 .process = {.pid = pid, .start_ticks = 7},
                 .exit_code = code});
    }
    LateMatch match(const Session& session, bool ended = true) {
        return late.match(session, book, ended, [&](std::uint32_t number) {
            return number == 0 || number > all.size() ? nullptr : all[number - 1].get();
        });
    }

    LateBook late;
    ProcessBook book;
    std::vector<std::unique_ptr<Session>> all;
    bool joined = false;
};

TEST_F(LateBookTest, one_connection_and_one_exec_belong_together_once_it_is_a_command) {
    connection(1);
    running(100, kContainer, "e1");
    Session& only = session(1);
    EXPECT_TRUE(joined);
    EXPECT_EQ(match(only).op, Op::unknown) << "it may be a port-forward";
    stream(only, 1, StreamKind::out, {0, 5});
    EXPECT_EQ(match(only).op, Op::exec);
    EXPECT_EQ(match(only).container_id, kContainer);
    EXPECT_THAT(match(only).processes, ElementsAre(0));
    EXPECT_THAT(match(only).says, HasSubstr("the only exec"));
}

TEST_F(LateBookTest, a_connection_that_came_later_is_not_late) {
    connection(1);
    running(100, kContainer, "e1");
    Session& other = session(2, Op::exec);
    EXPECT_FALSE(joined);
    EXPECT_EQ(match(other).op, Op::unknown);
    session(1, Op::exec);
    EXPECT_TRUE(joined);
    Session& again = session(1, Op::exec);  // the same addresses once more
    EXPECT_FALSE(joined);
    EXPECT_EQ(match(again).op, Op::unknown);
}

TEST_F(LateBookTest, another_connection_may_have_the_only_exec) {
    connection(1);
    connection(2);  // nothing was seen on it
    running(100, kContainer, "e1");
    Session& one = session(1);
    stream(one, 5, StreamKind::out, {0, 5});
    EXPECT_EQ(match(one).op, Op::unknown);
    one.op = Op::exec;  // its status had an exit code: an attach has none
    EXPECT_THAT(match(one).processes, ElementsAre(0));
}

TEST_F(LateBookTest, a_port_forward_is_no_rival_and_has_no_exec) {
    connection(1);
    connection(2);
    running(100, kContainer, "e1");
    Session& one = session(1);
    stream(one, 5, StreamKind::out, {0, 5});
    Session& forward = session(2, Op::portforward);
    EXPECT_THAT(match(one).processes, ElementsAre(0));
    EXPECT_EQ(match(forward).op, Op::unknown);
}

TEST_F(LateBookTest, connections_of_another_runtime_do_not_count) {
    connection(1);
    late.add(LateConnection{.client = at(2), .server = at(39001), .runtime_pid = 21});
    running(100, kContainer, "e1");
    late.add(LateProcess{.runtime_pid = 21, .container_id = kOther, .exec_id = "e2", .pid_by = {}, .root = {}});
    Session& one = session(1);
    stream(one, 5, StreamKind::out, {0, 5});
    EXPECT_THAT(match(one).processes, ElementsAre(0));
}

TEST_F(LateBookTest, two_at_once_are_told_apart_by_how_they_ended) {
    connection(1);
    connection(2);
    running(100, kContainer, "e1");
    running(101, kContainer, "e2");
    Session& one = session(1, Op::exec);
    Session& two = session(2, Op::exec);
    EXPECT_THAT(match(one).processes, SizeIs(2));
    EXPECT_EQ(match(one).container_id, kContainer) << "whichever it is";
    exit(101, 3);
    one.exit_code = 3;
    EXPECT_THAT(match(one).processes, ElementsAre(1)) << "the other one runs";
    EXPECT_THAT(match(two).processes, SizeIs(2)) << "it has told no code";
    exit(100, 5);
    two.exit_code = 5;
    EXPECT_THAT(match(two).processes, ElementsAre(0));
    EXPECT_THAT(match(one, false).processes, SizeIs(2)) << "where nobody tells of ends";
}

TEST_F(LateBookTest, the_same_code_tells_nothing) {
    connection(1);
    connection(2);
    running(100, kContainer, "e1");
    running(101, kOther, "e2");
    Session& one = session(1, Op::exec);
    session(2, Op::exec);
    exit(100, 0);
    exit(101, 0);
    one.exit_code = 0;
    EXPECT_THAT(match(one).processes, SizeIs(2));
    EXPECT_EQ(match(one).container_id, "");
}

TEST_F(LateBookTest, input_goes_only_to_an_exec_that_takes_some) {
    connection(1);
    running(100, kContainer, "e1", false);
    running(101, kOther, "e2", true);
    Session& one = session(1, Op::exec);
    stream(one, 3, StreamKind::in, {4, 0});
    EXPECT_THAT(match(one).processes, ElementsAre(1));
    EXPECT_THAT(match(one).says, HasSubstr("of 2 execs"));
}

TEST_F(LateBookTest, an_attach_by_its_streams_where_one_container_can_be_meant) {
    connection(1);
    running(100, kContainer, "", true);
    running(101, kOther, "", false);
    Session& one = session(1);
    stream(one, 3, StreamKind::unknown, {6, 0});
    EXPECT_EQ(match(one).op, Op::unknown);
    stream(one, 5, StreamKind::unknown, {0, 9});
    EXPECT_EQ(match(one).op, Op::attach);
    EXPECT_EQ(match(one).container_id, kContainer);
    EXPECT_THAT(match(one).processes, ElementsAre(0));
    running(102, kOther, "", true);
    EXPECT_EQ(match(one).op, Op::unknown) << "two that can be written to";
    EXPECT_THAT(match(one).processes, IsEmpty());
}

TEST_F(LateBookTest, a_forwarded_connections_streams_are_no_commands) {
    connection(1);
    running(100, kContainer, "", true);
    Session& one = session(1);
    stream(one, 3, StreamKind::unknown, {6, 9});   // both ways
    stream(one, 7, StreamKind::unknown, {6, 0});   // a question,
    stream(one, 11, StreamKind::unknown, {0, 9});  // and what another one's server says by itself
    EXPECT_EQ(match(one).op, Op::unknown);
}

TEST_F(LateBookTest, an_attach_beside_an_exec_that_another_session_has) {
    connection(1);
    connection(2);
    running(90, kContainer, "", true);
    running(100, kContainer, "e1", true);
    Session& one = session(1);
    stream(one, 3, StreamKind::in, {6, 0});
    Session& two = session(2);
    EXPECT_EQ(match(one).op, Op::unknown);
    two.op = Op::exec;
    EXPECT_EQ(match(one).op, Op::attach);
    EXPECT_THAT(match(one).processes, ElementsAre(0));
}

TEST_F(LateBookTest, where_not_all_is_known_nothing_is_the_only_one) {
    connection(1);
    running(100, kContainer, "e1");
    late.not_all();
    EXPECT_EQ(match(session(1, Op::exec)).op, Op::unknown);
}

TEST_F(LateBookTest, the_hop_has_what_ran_before_and_what_came_after) {
    RunningProcess shell{.id = {.pid = 100, .start_ticks = 7}, .parent_pid = kShim, .ran = {}};
    shell.ran.process = {.pid = 100, .comm = Untrusted("sh"), .exe = {}};
    RunningProcess child{.id = {.pid = 101, .start_ticks = 8}, .parent_pid = 100, .ran = {}};
    child.ran.process = {.pid = 101, .comm = Untrusted("sleep"), .exe = {}};
    const auto root = book.ran_already(kContainer, {.pid = kShim, .comm = Untrusted("containerd-shim"), .exe = {}},
                                       std::vector{shell, child}, {500 * kMs});
    ASSERT_THAT(book.steps(root), SizeIs(2));
    EXPECT_TRUE(book.steps(root)[1].already);
    book.on({.kind = ProcessEvent::Kind::fork,
             .at = {1100 * kMs},
             .process = {.pid = 102, .start_ticks = 9},
             .parent_pid = 101});
    book.on({.kind = ProcessEvent::Kind::exec,
             .at = {1101 * kMs},
             .process = {.pid = 102, .start_ticks = 9},
             .parent_pid = 101,
             .comm = Untrusted("ls"),
             .filename = Untrusted("/bin/ls"),
             .cmdline = {Untrusted("ls")},
             .cgroup_names = {Untrusted("cri-containerd-" + kContainer + ".scope")}});
    exit(100, 3);
    Session& one = session(1, Op::exec);
    one.container.id = Untrusted(kContainer);
    one.exit_code = 3;
    Chain chain;
    chain.op = Op::exec;
    chain.sessions = {one.number};
    book.complete(chain, all);
    EXPECT_THAT(chain.hops, IsEmpty()) << "one that was there before is no request's";
    book.complete_late(chain, one, root, 100, {{.grade = Grade::seen, .says = "why", .source = {}, .id = "pid"}});
    ASSERT_THAT(chain.hops, SizeIs(1));
    const Hop& hop = chain.hops[0];
    EXPECT_EQ(hop.grade, Grade::seen);
    EXPECT_EQ(hop.from->pid, kShim);
    EXPECT_EQ(hop.to->pid, 100U);
    ASSERT_THAT(hop.ran, SizeIs(3));
    EXPECT_EQ(hop.ran[0].exit_code, 3);
    EXPECT_EQ(hop.ran[2].process.pid, 102U);
    EXPECT_EQ(hop.ran[2].parent, 1U);
    EXPECT_THAT(hop.evidence, says("why"));
    EXPECT_THAT(hop.evidence, says("ran already when hopscope began to look"));
    EXPECT_THAT(hop.evidence, says("ended with 3, as the session says"));
}

TEST_F(LateBookTest, a_process_that_is_no_request_of_a_later_session) {
    running(100, kContainer, "e1");
    Session& later = session(7, Op::exec);
    later.state = SessionState::closed;
    later.start = {99 * kMs};  // the clocks differ a little
    later.container.id = Untrusted(kContainer);
    EXPECT_FALSE(book.root_of(later, std::nullopt, all));
}

}  // namespace
}  // namespace hopscope::chain
