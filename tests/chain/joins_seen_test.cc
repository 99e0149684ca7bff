// Which process an exec started, by what is there when the processes are read again: never a guess among several.
#include "chain/joins_seen.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "chain_of.h"

namespace hopscope::chain {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr std::int64_t kMs = 1'000'000;
const std::string kContainer(64, 'a'), kOther(64, 'b');

struct Node {
    Node() {
        add(50, 1, "containerd-shim", "");
        add(60, 50, "pause", kContainer);
        read();
    }
    void add(std::uint32_t pid, std::uint32_t parent, std::string_view comm, const std::string& container) {
        hopscope::Process fresh{.id = {.pid = pid, .start_ticks = pid}};
        fresh.parent_pid = parent;
        fresh.comm = Untrusted(comm);
        fresh.container_id = Untrusted(container);
        processes.push_back(std::move(fresh));
    }
    // A process is started at as many hundredths of a second as its number.
    void read() {
        book.read(processes, [](const ProcessId& id) { return Timestamp{id.pid * 10 * kMs}; });
    }
    Session& session(std::int64_t start_ms, std::int64_t end_ms) {
        auto fresh = std::make_unique<Session>();
        fresh->number = static_cast<std::uint32_t>(all.size() + 1);
        fresh->op = Op::exec;
        fresh->hop = HopKind::runtime;
        fresh->state = SessionState::closed;
        fresh->start = {start_ms * kMs};
        fresh->end = {end_ms * kMs};
        fresh->over = true;
        return *all.emplace_back(std::move(fresh));
    }
    Chain chain_of(const Session& session) { return test::chain_of(book, session, all); }
    SeenBook book;
    std::vector<hopscope::Process> processes;
    std::vector<std::unique_ptr<Session>> all;
};

TEST(JoinsSeen, OnlyOneInAnyContainerIsInferred) {
    Node node;
    Session& session = node.session(995, 3000);
    node.add(100, 50, "sh", kContainer);
    node.add(101, 100, "sleep", kContainer);  // the shell's child
    node.add(102, 1, "cron", "");             // in no container
    node.read();
    const Chain chain = node.chain_of(session);
    ASSERT_THAT(chain.hops, SizeIs(1));
    EXPECT_EQ(chain.hops.front().grade, Grade::inferred);
    EXPECT_EQ(chain.hops.front().to->pid, 100U);
    EXPECT_EQ(chain.hops.front().from->pid, 50U);
    EXPECT_EQ(chain.container.id, kContainer);
}

TEST(JoinsSeen, InItsContainerIsSeen) {
    Node node;
    Session& session = node.session(995, 3000);
    session.container.id = Untrusted(kContainer);
    node.add(100, 50, "sh", kContainer);
    node.add(103, 51, "sh", kOther);
    node.read();
    const Chain chain = node.chain_of(session);
    ASSERT_THAT(chain.hops, SizeIs(1));
    EXPECT_EQ(chain.hops.front().grade, Grade::seen);
    EXPECT_EQ(chain.hops.front().to->pid, 100U);
}

TEST(JoinsSeen, SeveralAreListed) {
    Node node;
    Session& session = node.session(995, 3000);
    node.add(100, 50, "sh", kContainer);
    node.add(103, 51, "sh", kOther);
    node.read();
    const Chain chain = node.chain_of(session);
    EXPECT_THAT(chain.hops, IsEmpty());
    ASSERT_THAT(chain.candidates, SizeIs(2));
    EXPECT_THAT(chain.candidates.front().says, HasSubstr("and so were 1 others"));
}

TEST(JoinsSeen, WhatTwoSessionsCouldHaveStartedIsNobodys) {
    Node node;
    Session &first = node.session(990, 3000), &second = node.session(995, 3000);
    node.add(100, 50, "sh", kContainer);
    node.read();
    for (const Session* session : {&first, &second}) {
        const Chain chain = node.chain_of(*session);
        EXPECT_THAT(chain.hops, IsEmpty());
        ASSERT_THAT(chain.candidates, SizeIs(1));
        EXPECT_THAT(chain.candidates.front().says, HasSubstr("1 other sessions"));
    }
}

TEST(JoinsSeen, WhatWasThereBeforeOrCameAfterIsNot) {
    Node node;
    node.add(90, 50, "sh", kContainer);
    node.add(900, 50, "sh", kContainer);
    node.read();
    EXPECT_THAT(node.chain_of(node.session(995, 3000)).hops, IsEmpty());
}

}  // namespace
}  // namespace hopscope::chain
