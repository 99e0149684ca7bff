// What is named as missing of a chain, and that a whole chain misses nothing.
#include "chain/joins_missing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hopscope::chain {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

struct Story {
    explicit Story(Op op) {
        auto fresh = std::make_unique<Session>();
        fresh->number = 1;
        fresh->op = op;
        fresh->hop = HopKind::runtime;
        fresh->state = SessionState::closed;
        fresh->complete = true;
        all.push_back(std::move(fresh));
        chain.op = op;
        chain.sessions = {1};
    }
    void hop(HopKind kind) {
        Hop& hop = chain.hops.emplace_back();
        hop.kind = kind;
        hop.from = Process{.pid = 1, .comm = {}, .exe = {}};
        hop.to = Process{.pid = 2, .comm = {}, .exe = {}};
    }
    std::vector<std::string> missing(const Sight& sight = {}) {
        tell_missing(chain, all, sight);
        std::vector<std::string> texts;
        for (const MissingPart& part : chain.missing)
            texts.push_back(std::string(to_string(part.hop)) + ": " + part.says);
        return texts;
    }
    std::vector<std::unique_ptr<Session>> all;
    Chain chain;
};

TEST(JoinsMissing, WholeExecMissesNothing) {
    Story story(Op::exec);
    for (const HopKind kind : {HopKind::cri, HopKind::runtime, HopKind::process}) story.hop(kind);
    EXPECT_THAT(story.missing(), IsEmpty());
    EXPECT_EQ(story.chain.complete, true);
}

TEST(JoinsMissing, AttachHasNoProcessOfItsOwn) {
    Story story(Op::attach);
    for (const HopKind kind : {HopKind::cri, HopKind::runtime}) story.hop(kind);
    EXPECT_THAT(story.missing(), IsEmpty());
}

TEST(JoinsMissing, WithoutEbpfTheReasonsAreNamed) {
    Story story(Op::exec);
    story.hop(HopKind::runtime);
    EXPECT_THAT(story.missing({.calls = "not watched, --ebpf off", .processes = "no eBPF, EPERM", .connections = {}}),
                ElementsAre("cri: the call that asked the runtime for it: not watched, --ebpf off",
                            "process: the process in the container: no eBPF, EPERM"));
    EXPECT_EQ(story.chain.complete, false);
}

TEST(JoinsMissing, WithEverythingOnItSaysThatNothingWasSeen) {
    Story story(Op::exec);
    story.hop(HopKind::runtime);
    EXPECT_THAT(story.missing(),
                ElementsAre(HasSubstr("no call was seen that issued the token"), HasSubstr("none was seen to start")));
    story.chain.candidates.emplace_back();
    EXPECT_THAT(story.missing(), ElementsAre(HasSubstr("cri"), HasSubstr("several could be it")));
}

TEST(JoinsMissing, ForwardedConnectionsOneByOne) {
    Story story(Op::portforward);
    for (const HopKind kind : {HopKind::cri, HopKind::runtime, HopKind::process}) story.hop(kind);
    for (const std::uint32_t id : {3U, 7U, 11U}) {
        Stream& stream = story.all.front()->streams.emplace_back();
        stream.id = id;
        stream.kind = StreamKind::data;
        stream.has_port = true;
        stream.port = 80;
    }
    story.all.front()->streams[1].error = std::make_unique<Untrusted>("connection refused");
    story.chain.hops.back().stream = 11;
    EXPECT_THAT(story.missing(),
                ElementsAre("process: the runtime's connection to port 80 for stream 3: none was seen"));
}

TEST(JoinsMissing, EndsAndBytes) {
    Story story(Op::attach);
    for (const HopKind kind : {HopKind::cri, HopKind::runtime}) story.hop(kind);
    story.chain.hops.back().from.reset();
    story.all.front()->complete = false;
    story.all.front()->gaps = 2;
    story.all.front()->missing_bytes = 4096;
    EXPECT_THAT(story.missing(), ElementsAre("runtime: the process of the kubelet: it could not be told",
                                             "runtime: s1: 4096 bytes, in 2 gaps"));
}

TEST(JoinsMissing, RefusedAttemptsMissNothing) {
    Story story(Op::exec);
    story.hop(HopKind::runtime);
    story.all.front()->state = SessionState::refused;
    story.all.front()->complete = false;
    EXPECT_THAT(story.missing(), IsEmpty());
}

}  // namespace
}  // namespace hopscope::chain
