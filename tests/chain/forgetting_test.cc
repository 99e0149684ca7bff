// A run without an end forgets the oldest tokens and CRI calls, and nothing that somebody still needs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "chain/builder_state.h"
#include "chain/finished_chains.h"
#include "story.h"

namespace hopscope::chain::test {
namespace {

constexpr const char* kServer = "127.0.0.1:42313";
constexpr double kMinuteMs = 60'000;
constexpr Retention kLive{.findings_max = 0, .forget_after_ns = 900 * kNanosecondsPerSecond};

std::string token(std::uint32_t i) {
    std::string text = "AAAAAAAA";
    for (std::size_t at = 8; i > 0 && at > 0; i /= 26) text[--at] = static_cast<char>('a' + i % 26);
    return text;
}

// --- the table

TEST(TokenTable, numbers_tokens_in_their_order_and_never_gives_a_number_twice) {
    TokenTable table;
    EXPECT_EQ(table.see("AAAAAAAA", {}), 1U);
    EXPECT_EQ(table.see("not a token", {}), 2U);
    EXPECT_EQ(table.see("AAAAAAAA", {}), 1U);
    table.forget_oldest();
    EXPECT_EQ(table.find("AAAAAAAA"), 0U);
    EXPECT_EQ(table.facts(1), nullptr);
    EXPECT_EQ(table.find("not a token"), 2U);
    table.forget_oldest();
    EXPECT_EQ(table.find("not a token"), 0U);
    EXPECT_EQ(table.size(), 0U);
    EXPECT_EQ(table.see("AAAAAAAA", {}), 3U);
    ASSERT_NE(table.facts(3), nullptr);
    EXPECT_EQ(table.facts(4), nullptr);
    EXPECT_EQ(table.facts(0), nullptr);
}

TEST(TokenTable, finds_what_is_left_however_many_were_forgotten) {
    TokenTable table;
    constexpr std::uint32_t kMany = 20'000, kLeft = 700;
    for (std::uint32_t i = 0; i < kMany; ++i) {
        ASSERT_EQ(table.see(token(i), {}), i + 1);
        while (table.size() > kLeft) table.forget_oldest();
        if (i % 97 != 0) continue;
        for (std::uint32_t k = 0; k <= i; k += 13)
            ASSERT_EQ(table.find(token(k)), k + kLeft > i ? k + 1 : 0) << i << " " << k;
    }
}

TEST(TokenTable, is_full_at_its_bound) {
    TokenTable table;
    for (std::uint32_t i = 0; i < limits::kTokensMax; ++i) ASSERT_NE(table.see(token(i), {}), 0U);
    EXPECT_TRUE(table.is_full());
    EXPECT_EQ(table.see(token(limits::kTokensMax), {}), 0U);
    EXPECT_EQ(table.see(token(5), {}), 6U) << "known ones are known";
    table.forget_oldest();
    EXPECT_NE(table.see(token(limits::kTokensMax), {}), 0U);
}

// --- the builder

void issue(Story& story, const std::string& token, const std::string& container) {
    auto cri = story.connect("127.0.0.1:50000", "127.0.0.1:3735");
    const std::string url = "http://127.0.0.1:42313/exec/" + token;
    CriMessage request;
    request.stream = 1;
    request.method = "Exec";
    request.container_id = container;
    story.tell(cri, request);
    CriMessage answer;
    answer.stream = 1;
    answer.response = true;
    answer.method = "Exec";
    answer.url = url;
    story.tell(cri, answer);
    story.close(cri);
}

Story::Connection use(Story& story, const std::string& token) {
    auto c = story.connect("127.0.0.1:1001", kServer);
    story.request(c, "POST", "/exec/" + token, spdy_upgrade());
    story.upgrade(c, Carrier::spdy31, "v4.channel.k8s.io");
    return c;
}

TEST(Forgetting, offline_keeps_every_token) {
    Story story;
    issue(story, "AAAAAAAA", "web");
    use(story, "AAAAAAAA");
    story.later_ms(100 * kMinuteMs);
    use(story, "BBBBBBBB");
    use(story, "AAAAAAAA");
    EXPECT_EQ(story.session(2).token->number, 1U);
}

TEST(Forgetting, live_tokens_go_after_their_time) {
    Story story(kLive);
    issue(story, "AAAAAAAA", "web");
    story.close(use(story, "AAAAAAAA"));
    story.later_ms(14 * kMinuteMs);
    use(story, "AAAAAAAA");
    EXPECT_EQ(story.session(1).token->number, 1U);
    EXPECT_EQ(story.session(1).container.id, Untrusted("web"));
    story.later_ms(2 * kMinuteMs);
    use(story, "AAAAAAAA");
    EXPECT_EQ(story.session(2).token->number, 2U) << "it is as new as any";
    EXPECT_EQ(story.session(2).container.id, Untrusted());
    EXPECT_EQ(story.builder.model().loss[LossPlace::limit_memory], 0U);
}

TEST(Forgetting, a_session_that_lasts_longer_keeps_the_call_it_came_from) {
    Story story(kLive);
    issue(story, "AAAAAAAA", "web");
    auto shell = use(story, "AAAAAAAA");
    for (std::uint32_t i = 0; i < 300; ++i) {
        story.later_ms(kMinuteMs);
        const std::string other = "B" + token(i).substr(1);
        issue(story, other, "other");
        story.close(use(story, other));
    }
    story.close(shell);
    story.builder.join();
    const auto& chains = story.builder.model().chains;
    const auto mine =
        std::find_if(chains.begin(), chains.end(), [](const Chain& c) { return c.sessions.front() == 1; });
    ASSERT_NE(mine, chains.end());
    EXPECT_TRUE(
        std::any_of(mine->hops.begin(), mine->hops.end(), [](const Hop& hop) { return hop.kind == HopKind::cri; }));
}

TEST(Forgetting, tells_of_a_token_that_was_never_used_before_it_goes) {
    Recorder recorder;
    Story story(kLive, &recorder);
    story.close(use(story, "CCCCCCCC"));  // the streaming port is captured
    issue(story, "AAAAAAAA", "web");
    story.later_ms(14 * kMinuteMs);
    story.close(use(story, "DDDDDDDD"));
    EXPECT_EQ(std::count(recorder.told.begin(), recorder.told.end(), "finding TOK-02"), 0);
    story.later_ms(2 * kMinuteMs);
    story.close(use(story, "EEEEEEEE"));
    EXPECT_EQ(std::count(recorder.told.begin(), recorder.told.end(), "finding TOK-02"), 1);
    story.finish();
    EXPECT_EQ(std::count(recorder.told.begin(), recorder.told.end(), "finding TOK-02"), 1) << "once";
}

TEST(Forgetting, what_could_still_have_been_used_is_counted) {
    Story story(kLive);
    for (std::uint32_t i = 0; i < limits::kCriCallsMax + 5; ++i) issue(story, token(i), "web");
    EXPECT_EQ(story.builder.model().loss[LossPlace::limit_memory], 5U) << "too many at once for their calls";
    story.later_ms(2 * kMinuteMs);
    for (std::uint32_t i = 0; i < 100; ++i) issue(story, "B" + token(i).substr(1), "web");
    EXPECT_EQ(story.builder.model().loss[LossPlace::limit_memory], 5U) << "those before were too old to be used";
}

TEST(FinishedChains, of_a_session_that_stays_open_do_not_grow_with_those_after_it) {
    Story story({.sessions_max = 10});
    FinishedChains chains;
    use(story, "ZZZZZZZZ");  // stays
    std::size_t told = 0;
    for (std::uint32_t i = 0; i < 500; ++i) {
        story.later_ms(3000);
        issue(story, token(i), "web");
        story.close(use(story, token(i)));
        chains.session_ended();
        story.later_ms(3000);
        chains.look(story.builder, story.now(), [&](const Chain&, std::span<const Session* const>) { ++told; });
        EXPECT_LE(chains.remembered(), 10U + 64U + 2U);
        EXPECT_EQ(story.builder.model().chains.size(), 1U) << "only the one that has become ready is made";
    }
    EXPECT_EQ(told, 500U);
}

}  // namespace
}  // namespace hopscope::chain::test
