// How much stays in memory: bounds that hold, and what a session may cost.
#include "chain/retention.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <malloc.h>

#include "story.h"
#include "support/sanitized.h"

namespace hopscope::chain::test {
namespace {

constexpr const char* kServer = "127.0.0.1:42313";

std::size_t heap_bytes() {
    const auto info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

std::string token(int i) {
    std::string text = "AAAAAAAA";
    for (std::size_t at = 8; i > 0 && at > 0; i /= 26) text[--at] = static_cast<char>('a' + i % 26);
    return text;
}

Story::Connection upgraded(Story& story, int i) {
    auto c = story.connect("127.0.0.1:" + std::to_string(1024 + i % 60000), kServer);
    story.request(c, "POST", "/exec/" + token(i),
                  spdy_upgrade({{"User-Agent", "Go-http-client/1.1"}, {"Host", "127.0.0.1:42313"}}));
    story.upgrade(c, Carrier::spdy31, "v4.channel.k8s.io");
    story.stream(c, 1, StreamKind::error);
    story.stream(c, 3, StreamKind::out);
    story.stream(c, 5, StreamKind::err);
    story.data(c, 3, Direction::to_client, "x");
    return c;
}

void run(Story& story, int i) {
    auto c = upgraded(story, i);
    story.exit_status(c, 1, 0);
    story.close(c);
}

TEST(Retention, keeps_the_newest_sessions_that_are_over) {
    Recorder recorder;
    Story story({.sessions_max = 100}, &recorder);
    upgraded(story, 0);  // stays open
    for (int i = 1; i <= 1000; ++i) {
        run(story, i);
        EXPECT_LE(story.builder.model().sessions.size(), 100U + 64U + 2U);
    }
    Model& model = story.finish();
    ASSERT_EQ(model.sessions.size(), 100U);
    EXPECT_EQ(model.sessions.back()->number, 1001U);
    EXPECT_EQ(model.sessions_seen, 1001U);
    EXPECT_EQ(model.sessions_evicted, 901U);
    EXPECT_EQ(model.loss[LossPlace::limit_memory], 0U) << "this was asked for, it is no loss";
    EXPECT_EQ(model.sessions_by_op[static_cast<std::size_t>(Op::exec)], 1001U);
    EXPECT_EQ(std::count(recorder.told.begin(), recorder.told.end(), "ended s2 closed"), 1) << "told before it went";
}

TEST(Retention, of_none_keeps_only_what_is_open) {
    Story story({.sessions_max = 0});
    auto open = upgraded(story, 0);
    for (int i = 1; i <= 300; ++i) run(story, i);
    EXPECT_LE(story.builder.model().sessions.size(), 65U);
    EXPECT_EQ(story.session(0).number, 1U) << "open sessions stay";
    story.data(open, 3, Direction::to_client, "still here");
    EXPECT_EQ(story.session(0).bytes.out, 11U);
    EXPECT_EQ(story.finish().sessions.size(), 0U);
}

TEST(Retention, stays_within_the_memory_that_was_given) {
    constexpr std::size_t kBudget = 1 << 20;
    Story story({.memory_bytes_max = kBudget});
    for (int i = 0; i < 5000; ++i) run(story, i);
    Model& model = story.finish();
    std::size_t bytes = 0;
    for (const auto& session : model.sessions) bytes += memory_of(*session);
    EXPECT_LE(bytes, kBudget);
    EXPECT_GT(bytes, kBudget / 2);
    EXPECT_EQ(model.sessions.back()->number, 5000U);
    EXPECT_EQ(model.loss[LossPlace::limit_memory], model.sessions_evicted);
}

TEST(Retention, streams_of_open_sessions_are_bounded_by_the_memory_too) {
    Story story({.memory_bytes_max = 256 * 1024});
    auto c = story.connect("127.0.0.1:1", kServer);
    story.request(c, "POST", "/portforward/AAAAAAAA", spdy_upgrade());
    story.upgrade(c, Carrier::spdy31, "portforward.k8s.io");
    for (std::uint32_t i = 0; i < 10000; ++i)
        story.tell(c, StreamOpened{2 * i + 1, StreamKind::data, Grade::decoded, 80, i, {}});
    EXPECT_LT(story.session(0).streams.size(), 256U * 1024 / sizeof(Stream));
    EXPECT_EQ(story.session(0).streams.size() + story.session(0).streams_dropped, 10000U);
}

TEST(Memory, a_kept_session_costs_about_a_kibibyte) {
    if (!tests::kHeapIsCounted) GTEST_SKIP() << "the heap is not counted under a sanitizer: test_release does";
    constexpr int kSessions = 20000;
    Story story;
    const std::size_t before = heap_bytes();
    for (int i = 0; i < kSessions; ++i) run(story, i);
    const std::size_t each = (heap_bytes() - before) / kSessions;
    EXPECT_LE(each, 1100U) << "its token's entry included";
    EXPECT_GT(each, 300U) << "or nothing was measured";
}

TEST(Memory, ten_thousand_open_connections_cost_little_each) {
    if (!tests::kHeapIsCounted) GTEST_SKIP() << "the heap is not counted under a sanitizer: test_release does";
    constexpr int kConnections = 10000;
    Story story;
    const std::size_t before = heap_bytes();
    for (int i = 0; i < kConnections; ++i) upgraded(story, i);
    const std::size_t each = (heap_bytes() - before) / kConnections;
    EXPECT_LE(each, 1536U);
    EXPECT_GT(each, 500U) << "or nothing was measured";
}

TEST(Memory, connections_without_a_session_cost_next_to_nothing) {
    if (!tests::kHeapIsCounted) GTEST_SKIP() << "the heap is not counted under a sanitizer: test_release does";
    constexpr int kConnections = 10000;
    Story story;
    const std::size_t before = heap_bytes();
    std::vector<Story::Connection> all;
    for (int i = 0; i < kConnections; ++i) {
        auto c = story.connect("127.0.0.1:" + std::to_string(1024 + i), kServer);
        story.request(c, "GET", "/metrics");
        story.answer(c, 200, "many lines\n");
        all.push_back(c);
    }
    const std::size_t each = (heap_bytes() - before) / kConnections;
    EXPECT_LE(each, 300U);
    for (const auto& c : all) story.close(c);
    EXPECT_EQ(story.finish().sessions.size(), 0U);
}

TEST(Memory, of_frames_is_not_allocated) {
    if (!tests::kHeapIsCounted) GTEST_SKIP() << "the heap is not counted under a sanitizer: test_release does";
    Story story;
    auto c = upgraded(story, 1);
    story.data(c, 3, Direction::to_client, "warm");
    const std::size_t before = heap_bytes();
    for (int i = 0; i < 100000; ++i) {
        story.data(c, 3, Direction::to_client, "some output");
        story.data(c, 5, Direction::to_client, "some more");
    }
    EXPECT_EQ(heap_bytes(), before);
    EXPECT_EQ(story.session(0).streams[1].frames, 100002U);
}

TEST(Tokens, beyond_the_limit_are_numbered_on_and_the_oldest_is_forgotten) {
    Story story({.sessions_max = 10});
    auto c = story.connect("127.0.0.1:1", kServer);
    for (int i = 0; i < 100'001; ++i) {
        story.request(c, "GET", "/exec/" + token(i));
        story.answer(c, 200);
    }
    Model& model = story.finish();
    EXPECT_EQ(model.sessions.back()->token->number, 100'001U);
    EXPECT_EQ(model.sessions.back()->token->value, token(100'000));
    EXPECT_EQ(model.loss[LossPlace::limit_memory], 0U) << "its session had named it: nothing is waited for";
}

}  // namespace
}  // namespace hopscope::chain::test
