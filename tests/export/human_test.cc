#include "export/human.h"

#include <gtest/gtest.h>

#include <set>

#include "chain/verdict_rules.h"
#include "export/sheet.h"
#include "export/waterfall.h"

namespace hopscope::exports {
namespace {

TEST(Human, counts_stay_within_four_characters) {
    const std::pair<std::uint64_t, const char*> rows[] = {
        {0, "0"},           {512, "512"},      {999, "999"},        {1000, "1.0k"},
        {9011, "9.0k"},     {9949, "9.9k"},    {9950, "10k"},       {88'102, "88k"},
        {999'499, "999k"},  {999'500, "1.0M"}, {1'234'567, "1.2M"}, {5'000'000'000, "5.0G"},
        {UINT64_MAX, "18E"}};
    for (const auto& [count, text] : rows) EXPECT_EQ(short_count(count), text);
}

TEST(Human, durations_choose_their_unit) {
    const std::pair<std::int64_t, const char*> rows[] = {
        {0, "0.0ms"},
        {300'000, "0.3ms"},
        {41'250'000, "41.2ms"},
        {420'000'000, "420ms"},
        {999'600'000, "1.0s"},
        {41'000'000'000, "41.0s"},
        {102'000'000'000, "102s"},
        {723'000'000'000, "12m03s"},
        {14'520'000'000'000, "4h02m"},
        {-3'100'000, "-3.1ms"},
        {INT64_MIN, "-"},
    };
    for (const auto& [ns, text] : rows) EXPECT_EQ(short_duration({ns}), text);
}

TEST(Human, sizes_and_groups) {
    EXPECT_EQ(grouped(5119), "5,119");
    EXPECT_EQ(grouped(999), "999");
    EXPECT_EQ(grouped(1'234'567), "1,234,567");
    EXPECT_EQ(file_size(96), "96 B");
    EXPECT_EQ(file_size(1'258'291), "1.2 MiB");
    EXPECT_EQ(file_size(104'857'600), "100 MiB");
    EXPECT_EQ(counted(1, "session"), "1 session");
    EXPECT_EQ(counted(0, "gap"), "0 gaps");
}

TEST(Human, the_outcome_of_a_session_in_a_word) {
    chain::Session session;
    session.state = chain::SessionState::open;
    EXPECT_EQ(outcome(session), "open");
    session.outcome = chain::Session::Outcome::failure;
    EXPECT_EQ(outcome(session), "failed");
    session.exit_code = 126;
    EXPECT_EQ(outcome(session), "exit 126");
    session.state = chain::SessionState::refused;
    session.status = 404;
    EXPECT_EQ(outcome(session), "HTTP 404");
}

TEST(Wrap, breaks_at_spaces_and_never_inside_a_word) {
    EXPECT_EQ(wrap("one two three", 7), (std::vector<std::string>{"one two", "three"}));
    EXPECT_EQ(wrap("averylongword x", 5), (std::vector<std::string>{"averylongword", "x"}));
    EXPECT_EQ(wrap("two  spaces", 0), (std::vector<std::string>{"two  spaces"}));
    EXPECT_TRUE(wrap("", 5).empty());
}

TEST(Waterfall, bars_lie_on_a_common_axis) {
    const std::vector<Span> spans = {
        {"1 kubelet", {0}, {2'000'000}}, {"2 cri", {2'000'000}, {6'000'000}}, {"3 runtime", {9'000'000}, {10'000}}};
    Style style;
    const std::vector<std::string> lines = waterfall(spans, style, 0);
    ASSERT_EQ(lines.size(), 4U);
    EXPECT_EQ(lines[1].find("├"), 11U);
    EXPECT_NE(lines[1].find("┤  2.0ms"), std::string::npos);
    EXPECT_NE(lines[3].find("│  0.0ms"), std::string::npos);
    style.glyphs = Glyphs::ascii;
    for (const std::string& line : waterfall(spans, style, 50)) {
        EXPECT_LE(display_width(line), 50U) << line;
        for (const unsigned char c : line) EXPECT_LT(c, 0x80);
    }
}

TEST(Waterfall, is_left_out_when_there_is_nothing_to_draw) {
    EXPECT_TRUE(waterfall({}, Style{}, 80).empty());
    EXPECT_TRUE(waterfall({{"x", {0}, {0}}}, Style{}, 80).empty());
}

// A role without a row in the table would be shown as it stands in JSON.
TEST(Human, every_role_has_words) {
    std::set<std::string> roles = {"cri-streaming-server",
                                   "kubelet-api",
                                   "kubelet-read-only",
                                   "kubelet-healthz",
                                   "cri-socket",
                                   "containerd-api",
                                   "shim-socket",
                                   "docker-api",
                                   "device-plugin",
                                   "pod-resources",
                                   "containerd-ttrpc",
                                   "csi-socket",
                                   "kube-proxy-healthz",
                                   "kube-proxy-metrics",
                                   "etcd-client",
                                   "etcd-peer",
                                   "apiserver",
                                   "metrics",
                                   "pprof",
                                   "published-port"};
    for (const chain::TcpRule& rule : chain::tcp_rules()) roles.emplace(rule.role);
    for (const chain::NumberRule& rule : chain::number_rules()) roles.emplace(rule.role);
    for (const chain::SocketRule& rule : chain::socket_rules()) roles.emplace(rule.role);
    for (const chain::SocketKey& key : chain::socket_keys()) roles.emplace(key.role);
    EXPECT_GT(roles.size(), 50U);
    for (const std::string& role : roles) {
        const std::string words = role_name(role);
        // Words of one piece may be the same as the name: metrics, scheduler.
        EXPECT_TRUE(words != role || role.find('-') == std::string::npos) << role;
        EXPECT_TRUE(has_role_name(role)) << role;
        EXPECT_LE(words.size(), 30U) << role;
    }
    EXPECT_EQ(role_name("unknown"), "unknown");
    EXPECT_EQ(role_name(""), "unknown");
    EXPECT_FALSE(has_role_name("of-a-newer-hopscope"));
}

}  // namespace
}  // namespace hopscope::exports
