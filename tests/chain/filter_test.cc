// The filter language: what matches, what does not, and what is said when it cannot be read.
#include "chain/filter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "story.h"

namespace hopscope::chain {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::int64_t kStart = 1'795'280'641'000'000'000;  // 2026-11-21T17:04:01Z

// A session with everything that filters ask for.
Session exec_session() {
    Session s;
    s.number = 7;
    s.op = Op::exec;
    s.state = SessionState::closed;
    s.proto = Proto::websocket;
    s.hop = HopKind::runtime;
    s.subprotocol = Untrusted("v4.channel.k8s.io");
    s.connected = {kStart - 20'000'000};
    s.start = {kStart};
    s.answered = {kStart + 60'000'000};
    s.end = {kStart + 20'800'000'000};
    s.first_frame = 88;
    s.answer_frame = 90;
    s.last_frame = 200;
    s.client = test::endpoint("10.1.2.3:54766");
    s.server = test::endpoint("127.0.0.1:42313");
    s.method = Untrusted("GET");
    s.target = Untrusted("/exec/6NLIabcd");
    s.status = 101;
    s.token = Token{Untrusted("6NLIabcd"), 1};
    s.command = {Untrusted("sh"), Untrusted("-c"), Untrusted("secret")};
    s.tty = true;
    s.exit_code = 3;
    s.outcome = Session::Outcome::failure;
    s.status_reason = Untrusted("NonZeroExitCode");
    s.status_message = Untrusted("error executing command [secret], exit code 3");
    s.bytes = {64, 2'000'000};
    s.gaps = 1;
    s.missing_bytes = 20;
    s.kubectl_session = Untrusted("5cf1cf1d-aaaa");
    s.kubectl_command = Untrusted("kubectl exec");
    s.user_agent = Untrusted("kubectl/v1.27.16");
    s.forwarded_for = {Untrusted("192.168.7.9"), Untrusted("no address")};
    s.k8s.namespace_ = Untrusted("default");
    s.k8s.pod = Untrusted("web-0");
    s.k8s.container = Untrusted("nginx");
    s.container.id = Untrusted("34ad623a0356");
    s.container.runtime = "containerd";
    Stream in, out;
    in.id = 0;
    in.kind = StreamKind::in;
    in.bytes.in = 64;
    out.id = 1;
    out.kind = StreamKind::out;
    out.bytes.out = 2'000'000;
    out.frames = 38;
    s.streams.push_back(std::move(in));
    s.streams.push_back(std::move(out));
    s.resizes = {{{kStart}, 120, 40}};
    return s;
}

Session bare_session() {
    Session s;
    s.number = 8;
    s.state = SessionState::cut;
    s.start = {kStart};
    s.end = {kStart + 1};
    return s;
}

struct Case {
    const char* filter;
    bool full, bare;  // does it match the full session, the bare one?
};
class Sessions : public testing::TestWithParam<Case> {};
TEST_P(Sessions, match_or_not) {
    auto filter = Filter::parse(GetParam().filter);
    ASSERT_TRUE(filter) << GetParam().filter << ": " << filter.error().doing << filter.error().why;
    filter->set_now({kStart + 60'000'000'000});
    const Session full = exec_session(), bare = bare_session();
    EXPECT_EQ(filter->matches(row_of(full)), GetParam().full) << GetParam().filter << " on the full session";
    EXPECT_EQ(filter->matches(row_of(bare)), GetParam().bare) << GetParam().filter << " on the bare session";
}

INSTANTIATE_TEST_SUITE_P(Words, Sessions,
                         testing::Values(Case{"op == exec", true, false}, Case{"op == EXEC", true, false},
                                         Case{"op == attach", false, false}, Case{"op != attach", true, false},
                                         Case{"op == exex", false, false}, Case{"operation == exec", true, false},
                                         Case{"proto == websocket", true, false}, Case{"proto == ws", true, false},
                                         Case{"proto == spdy", false, false}, Case{"proto != spdy", true, false},
                                         Case{"protocol == WS", true, false}, Case{"hop == runtime", true, false},
                                         Case{"state == closed", true, false}, Case{"state != closed", false, true},
                                         Case{"state == cut", false, true}, Case{"session == s7", true, false},
                                         Case{"id == S8", false, true}, Case{"status == failure", true, false},
                                         Case{"request.method == get", true, false},
                                         Case{"container.runtime == containerd", true, false},
                                         Case{"token == t1", true, false}, Case{"token == 6NLI", true, false},
                                         Case{"token == 6NLIabcd", false, false}, Case{"token ~ abcd", false, false},
                                         Case{"grade >= seen", true, true}, Case{"grade < decoded", false, false}));

INSTANTIATE_TEST_SUITE_P(
    Texts, Sessions,
    testing::Values(Case{"pod == web-0", true, false}, Case{"pod == WEB-0", false, false},
                    Case{"pod != web-1", true, false}, Case{"pod == 'web-0'", true, false},
                    Case{"pod == \"web-0\"", true, false}, Case{"pod ~ ^web-", true, false},
                    Case{"pod ~ '^(web|db)-[0-9]+$'", true, false}, Case{"pod !~ ^db-", true, false},
                    Case{"pod !~ ^web-", false, false}, Case{"pod has EB", true, false},
                    Case{"pod has x", false, false}, Case{"ns == default", true, false},
                    Case{"k8s.namespace == default", true, false}, Case{"container == nginx", true, false},
                    Case{"container.id ~ ^34ad", true, false}, Case{"ua ~ kubectl", true, false},
                    Case{"kubectl_command == 'kubectl exec'", true, false}, Case{"subprotocol ~ ^v4", true, false},
                    Case{"reason == NonZeroExitCode", true, false}, Case{"message has secret", false, false},
                    Case{"message has 'exit code 3'", true, false}, Case{"request.path has /exec/6NLI", true, false},
                    Case{"path ~ abcd", false, false}, Case{"not pod == web-1", true, true},
                    Case{"pod in {web-0 web-1}", true, false}, Case{"pod in {web-1, 'web-0'}", true, false},
                    Case{"pod in {a b c}", false, false}));

INSTANTIATE_TEST_SUITE_P(
    Numbers, Sessions,
    testing::Values(Case{"exit == 3", true, false}, Case{"exit != 0", true, false}, Case{"exit > 2", true, false},
                    Case{"exit >= 4", false, false}, Case{"exit_code in {1 2 3}", true, false},
                    Case{"exit > -1", true, false}, Case{"not exit == 0", true, true},
                    Case{"not (exit != 0)", false, true}, Case{"request.status == 101", true, false},
                    Case{"request.status ~ ^1", true, false}, Case{"port == 42313", true, false},
                    Case{"port in {10250 42313}", true, false}, Case{"peer.port == 54766", true, false},
                    Case{"local.port == 42313", true, false}, Case{"frame == 88", true, false},
                    Case{"frame == 90", true, false}, Case{"frame == 89", false, false}, Case{"gaps > 0", true, false},
                    Case{"streams == 2", true, false}, Case{"args == 3", true, false},
                    Case{"resizes >= 1", true, false}, Case{"stream.frames == 38", true, false}));

INSTANTIATE_TEST_SUITE_P(Units, Sessions,
                         testing::Values(Case{"bytes > 1MiB", true, false}, Case{"bytes.out > 1.9MiB", true, false},
                                         Case{"bytes.out == 2000kB", true, false}, Case{"bytes.in == 64", true, false},
                                         Case{"bytes.in == 64B", true, false}, Case{"bytes < 1KiB", false, true},
                                         Case{"bytes.out > 1 MiB", true, false}, Case{"bytes > 1GiB", false, false},
                                         Case{"missing == 20", true, false}, Case{"setup > 50ms", true, false},
                                         Case{"setup == 80ms", true, false}, Case{"latency == 60ms", true, false},
                                         Case{"lat > 0.05s", true, false}, Case{"latency > 50000us", true, false},
                                         Case{"latency > 5 ms", true, false}, Case{"duration > 20s", true, false},
                                         Case{"duration < 1m", true, true}, Case{"duration < 1h", true, true},
                                         Case{"duration > 1d", false, false}, Case{"setup > 0", true, false},
                                         Case{"age == 1m", true, true}, Case{"age < 2m", true, true}));

INSTANTIATE_TEST_SUITE_P(Times, Sessions,
                         testing::Values(Case{"since >= -5m", true, true}, Case{"since >= -30s", false, false},
                                         Case{"since <= now", true, true}, Case{"ts >= 17:04:00", true, true},
                                         Case{"ts < 17:04:01", false, false}, Case{"ts > 17:04", true, true},
                                         Case{"end > 17:04:21.5", true, false},
                                         Case{"ts == 2026-11-21T17:04:01Z", true, true},
                                         Case{"ts > 2026-11-21T17:04:00.999999999Z", true, true},
                                         Case{"ts > 2026-11-22T00:00:00Z", false, false},
                                         Case{"ts > 23:00", true, true}));

INSTANTIATE_TEST_SUITE_P(
    Addresses, Sessions,
    testing::Values(Case{"peer.address == 10.1.2.3", true, false}, Case{"peer.address == 10.0.0.0/8", true, false},
                    Case{"peer.address != 10.0.0.0/8", false, false},
                    Case{"peer.address != 192.168.0.0/16", true, false}, Case{"client == 10.1.2.0/24", true, false},
                    Case{"client == 10.1.3.0/24", false, false}, Case{"local.address == 127.0.0.1", true, false},
                    Case{"local.address == ::ffff:127.0.0.1", true, false},
                    Case{"peer.address == 0.0.0.0/0", true, false}, Case{"peer.address == fe80::/10", false, false},
                    Case{"peer.address in {192.168.0.0/16 10.0.0.0/8}", true, false},
                    Case{"peer.address ~ ^10[.]", true, false}, Case{"xff == 192.168.0.0/16", true, false}));

INSTANTIATE_TEST_SUITE_P(Lists, Sessions,
                         testing::Values(Case{"stream.type == stdin", true, false}, Case{"stream == out", true, false},
                                         Case{"stream.type == data", false, false},
                                         Case{"stream.type != data", true, false},
                                         Case{"stream.type != stdin", false, false},
                                         Case{"stream.id == 1", true, false}, Case{"stream.type !~ ^std", false, false},
                                         Case{"stream.type !~ data", true, false}));

INSTANTIATE_TEST_SUITE_P(
    Logic, Sessions,
    testing::Values(Case{"op == exec and exit == 3", true, false}, Case{"op == exec exit == 3", true, false},
                    Case{"op == exec && exit == 0", false, false}, Case{"op == attach or exit == 3", true, false},
                    Case{"op == attach || exit == 3", true, false}, Case{"! op == attach", true, true},
                    Case{"not not op == exec", true, false}, Case{"(op == exec)", true, false},
                    Case{"op == attach or op == exec and exit == 0", false, false},
                    Case{"(op == attach or op == exec) and exit == 3", true, false},
                    Case{"pod ~ \"^web-\" ws", true, false}, Case{"not (op == exec or cut)", false, false},
                    Case{"exit != 0 or request.status == 404", true, false}, Case{"op==exec", true, false},
                    Case{"exit>2&&exit<4", true, false}, Case{"  op\t==\n exec  ", true, false}));

INSTANTIATE_TEST_SUITE_P(
    Flags, Sessions,
    testing::Values(Case{"exec", true, false}, Case{"attach", false, false}, Case{"ws", true, false},
                    Case{"websocket", true, false}, Case{"spdy", false, false}, Case{"tls", false, false},
                    Case{"tty", true, false}, Case{"error", true, false}, Case{"slow", false, false},
                    Case{"masked", true, false}, Case{"gap", true, false}, Case{"open", false, false},
                    Case{"closed", true, false}, Case{"cut", false, true}, Case{"refused", false, false},
                    Case{"nginx", true, false}, Case{"NGINX", true, false}, Case{"'exec'", true, false},
                    Case{"secret", false, false}, Case{"abcd", false, false}, Case{"6NLI", true, false},
                    Case{"tty == true", true, false}, Case{"tty == no", false, false},
                    Case{"complete == false", true, true}, Case{"tls != true", true, true}));

// --- other rows

TEST(OtherRows, findings_ports_chains_and_streams_have_fields_of_their_own) {
    const auto matches = [](const char* text, const Row& row) {
        auto filter = Filter::parse(text);
        EXPECT_TRUE(filter) << text;
        return filter && filter->matches(row);
    };
    const Session session = exec_session();
    Finding finding;
    finding.code = "TOK-01";
    finding.severity = Severity::warning;
    finding.session = 7;
    finding.says = "refused with 404: token t1 is unknown";
    finding.frame = 91;
    EXPECT_TRUE(matches("severity >= notice", row_of(finding)));
    EXPECT_FALSE(matches("severity > warning", row_of(finding)));
    EXPECT_TRUE(matches("sev == warn", row_of(finding)));
    EXPECT_TRUE(matches("warning", row_of(finding)));
    EXPECT_TRUE(matches("code == TOK-01 and session == s7 and frame == 91", row_of(finding)));
    EXPECT_TRUE(matches("'token t1'", row_of(finding)));
    EXPECT_FALSE(matches("op == exec", row_of(finding))) << "its session is not given";
    EXPECT_TRUE(matches("op == exec", row_of(finding, &session)));

    PortFact port;
    port.local = test::endpoint("127.0.0.1:42313");
    port.role = "cri-streaming-server";
    port.component = "containerd";
    port.confidence = "high";
    port.reach = "node";
    port.seen = 41;
    port.findings = {"PRT-01"};
    EXPECT_TRUE(matches("role == cri-streaming-server and comp in {kubelet containerd}", row_of(port)));
    EXPECT_TRUE(matches("sure >= medium", row_of(port)));
    EXPECT_FALSE(matches("confidence == certain", row_of(port)));
    EXPECT_TRUE(matches("reach > loopback and reach < world", row_of(port)));
    EXPECT_TRUE(matches("port == 42313 and local.address == 127.0.0.0/8 seen > 40 code == PRT-01", row_of(port)));
    EXPECT_FALSE(matches("exec", row_of(port)));

    Chain chain;
    chain.number = 1;
    chain.op = Op::exec;
    chain.sessions = {5, 7};
    chain.k8s.pod = Untrusted("web-0");
    chain.exit_code = 3;
    Hop hop;
    hop.kind = HopKind::cri;
    hop.from = Process{5714, Untrusted("kubelet"), Untrusted("/usr/bin/kubelet")};
    hop.proto = "grpc";
    chain.hops.push_back(std::move(hop));
    EXPECT_TRUE(matches("chain == c1 session == s7 hop == cri proto == grpc pod == web-0 exit == 3", row_of(chain)));
    EXPECT_TRUE(matches("process.comm == kubelet and pid == 5714", row_of(chain)));
    EXPECT_TRUE(matches("exec error", row_of(chain)));

    EXPECT_TRUE(matches("stream.type == stdout bytes.out > 1MiB pod == web-0", row_of(session, session.streams[1])));
    EXPECT_FALSE(matches("stream.type == stdin", row_of(session, session.streams[1])))
        << "a stream's row has that stream only";
}

TEST(RelativeTimes, match_nothing_while_now_is_unknown) {
    const Session session = exec_session();
    EXPECT_FALSE(Filter::parse("since >= -5m")->matches(row_of(session)));
    EXPECT_FALSE(Filter::parse("age > 0s")->matches(row_of(session)));
    EXPECT_TRUE(Filter::parse("since >= 17:04:00")->matches(row_of(session))) << "a time of day needs no now";
}

TEST(SlowFlag, means_a_setup_of_a_second) {
    Session session = exec_session();
    session.answered = session.connected + Duration{1'100'000'000};
    EXPECT_TRUE(Filter::parse("slow")->matches(row_of(session)));
}

TEST(InvalidUtf8, neither_matches_nor_harms) {
    Session session = exec_session();
    session.k8s.pod = Untrusted("\xff\xfe");
    EXPECT_FALSE(Filter::parse("pod ~ '^web'")->matches(row_of(session)));
    EXPECT_TRUE(Filter::parse("pod ~ .*")->matches(row_of(session)));
    EXPECT_TRUE(Filter::parse("pod has '\xff'")->matches(row_of(session)));
}

// Patterns that kill backtracking engines.
TEST(RegularExpressions, take_linear_time) {
    Session session = exec_session();
    session.k8s.pod = Untrusted(std::string(20000, 'a') + "!");
    EXPECT_FALSE(Filter::parse("pod ~ '^(a+)+$'")->matches(row_of(session)));
    EXPECT_TRUE(Filter::parse("pod ~ '(a|b)*'")->matches(row_of(session)));
}

// --- errors

struct Wrong {
    const char* filter;
    const char* code;
    const char* words;  // in doing, why or hint
    const char* caret;  // the last lines of why; null: not looked at
};
class Errors : public testing::TestWithParam<Wrong> {};
TEST_P(Errors, say_what_where_and_how_to_go_on) {
    const auto filter = Filter::parse(GetParam().filter);
    ASSERT_FALSE(filter) << GetParam().filter;
    const Error& error = filter.error();
    EXPECT_EQ(error.code, GetParam().code) << GetParam().filter;
    EXPECT_THAT(error.doing + " " + error.why + " " + error.hint, HasSubstr(GetParam().words));
    EXPECT_THAT(error.why, testing::EndsWith(GetParam().caret ? GetParam().caret : "")) << error.why;
}

INSTANTIATE_TEST_SUITE_P(
    Table, Errors,
    testing::Values(
        Wrong{"latencyy > 5ms", "FLT-01", "filter field 'latencyy' does not exist; did you mean 'latency'?", nullptr},
        Wrong{"podd == x", "FLT-01", "did you mean 'pod'?", nullptr},
        Wrong{"request.stauts == 404", "FLT-01", "did you mean 'request.status'?", nullptr},
        Wrong{"qqqqqqqqqq == 1", "FLT-01", "'qqqqqqqqqq' does not exist", nullptr},
        Wrong{"'pod' == x", "FLT-01", "", nullptr}, Wrong{"command == x", "FLT-01", "", nullptr},
        Wrong{"op == exec and podd in {a}", "FLT-01", "'podd'", nullptr},
        Wrong{"lat > 5 apples", "FLT-02", "unknown unit 'apples'", "\n  lat > 5 apples\n          ^"},
        Wrong{"lat > 5 apples", "FLT-02", "write 5ms, 5s or 5us", nullptr},
        Wrong{"lat > 5apples", "FLT-02", "unknown unit 'apples'", "\n  lat > 5apples\n         ^"},
        Wrong{"lat > 5", "FLT-02", "a unit is missing after '5'", "\n  lat > 5\n         ^"},
        Wrong{"lat > fast", "FLT-02", "'fast' is no duration", "\n  lat > fast\n        ^"},
        Wrong{"lat > 5MS", "FLT-02", "unknown unit 'MS'", nullptr},
        Wrong{"bytes > 5MB", "FLT-02", "unknown unit 'MB'", nullptr},
        Wrong{"bytes > 5MB", "FLT-02", "write 5, 5kB, 5KiB, 5MiB or 5GiB", nullptr},
        Wrong{"bytes > many", "FLT-02", "'many' is no size", nullptr},
        Wrong{"bytes > 99999999999GiB", "FLT-02", "too large", nullptr},
        Wrong{"exit == 3ms", "FLT-02", "unknown unit 'ms'", "\n  exit == 3ms\n           ^"},
        Wrong{"exit == x", "FLT-02", "'x' is no number", nullptr},
        Wrong{"exit == 99999999999999999999", "FLT-02", "too large", nullptr},
        Wrong{"exit == 1.5", "FLT-02", "", nullptr},
        Wrong{"port in {10250 x}", "FLT-02", "'x' is no number", "\n  port in {10250 x}\n                 ^"},
        Wrong{"peer.address == 10.0.0", "FLT-02", "is no IP address", nullptr},
        Wrong{"peer.address == 10.0.0.0/33", "FLT-02", "'33' is no prefix length", nullptr},
        Wrong{"peer.address == ::1/129", "FLT-02", "'129' is no prefix length", nullptr},
        Wrong{"ts > 25:00", "FLT-02", "is no time", nullptr},
        Wrong{"ts > 2026-02-30T00:00:00Z", "FLT-02", "is no time", nullptr},
        Wrong{"ts > yesterday", "FLT-02", "write 17:04:00", nullptr},
        Wrong{"tty == maybe", "FLT-02", "neither true nor false", nullptr},
        Wrong{"severity >= bad", "FLT-02", "none of: info notice warning error", nullptr},
        Wrong{"op > exec", "FLT-02", "'op' has no order", "\n  op > exec\n     ^"},
        Wrong{"pod < x", "FLT-02", "has no order", nullptr}, Wrong{"bytes ~ 5", "FLT-02", "needs text", nullptr},
        Wrong{"lat has 5", "FLT-02", "needs text", nullptr},
        Wrong{"pod ~ '(['", "FLT-02", "not a regular expression", nullptr},
        Wrong{"pod ~ 'a{100000}'", "FLT-02", "not a regular expression", nullptr},
        Wrong{"", "FLT-03", "the filter is empty", nullptr}, Wrong{"   ", "FLT-03", "the filter is empty", nullptr},
        Wrong{"op =", "FLT-03", "'=' is no operator", "\n  op =\n     ^"},
        Wrong{"op = exec", "FLT-03", "write ==", nullptr}, Wrong{"a & b", "FLT-03", "write 'and'", nullptr},
        Wrong{"a | b", "FLT-03", "write 'or'", nullptr},
        Wrong{"op ==", "FLT-03", "a value is missing after '=='", "\n  op ==\n       ^"},
        Wrong{"op == and", "FLT-03", "a value is missing", nullptr},
        Wrong{"== exec", "FLT-03", "cannot stand here", nullptr},
        Wrong{"(op == exec", "FLT-03", "not closed", "\n  (op == exec\n  ^"},
        Wrong{"op == exec)", "FLT-03", "was not opened", "\n  op == exec)\n            ^"},
        Wrong{"()", "FLT-03", "", nullptr}, Wrong{"not", "FLT-03", "missing at the end", nullptr},
        Wrong{"op == exec and", "FLT-03", "missing at the end", nullptr},
        Wrong{"or exec", "FLT-03", "cannot stand here", nullptr},
        Wrong{"pod == 'web", "FLT-03", "the quote is not closed", "\n  pod == 'web\n         ^"},
        Wrong{"port in 5", "FLT-03", "a set is missing", nullptr},
        Wrong{"port in {}", "FLT-03", "the set is empty", nullptr},
        Wrong{"port in {1 2", "FLT-03", "the set is not closed", nullptr},
        Wrong{"exec , attach", "FLT-03", "", nullptr}, Wrong{"pod == \x1b[2J x (", "FLT-03", "", nullptr}));

TEST(Errors, of_hostile_filters_are_printable_and_short) {
    const auto filter = Filter::parse(std::string(5000, 'x') + " == 'a' \x1b[2J (");
    ASSERT_FALSE(filter);
    EXPECT_THAT(filter.error().doing + filter.error().why, testing::Not(HasSubstr("\x1b")));
    const auto late = Filter::parse("exec " + std::string(5000, ' ') + "(");
    ASSERT_FALSE(late);
    EXPECT_LT(late.error().why.size(), 400U) << "only the surroundings are shown";
}

TEST(Bounds, of_depth_length_tests_and_sets_hold) {
    EXPECT_TRUE(Filter::parse(std::string(60, '(') + "exec" + std::string(60, ')')));
    EXPECT_EQ(Filter::parse(std::string(5000, '(') + "exec" + std::string(5000, ')')).error().code, "FLT-03");
    EXPECT_EQ(Filter::parse(std::string(5000, '!') + "exec").error().code, "FLT-03");
    EXPECT_EQ(Filter::parse(std::string(17000, 'x')).error().code, "FLT-03");
    std::string many = "exec";
    for (int i = 0; i < 1100; ++i) many += " exec";
    EXPECT_THAT(Filter::parse(many).error().why, HasSubstr("too many tests"));
    std::string set = "port in {";
    for (int i = 0; i < 5000; ++i) set += "1 ";
    EXPECT_THAT(Filter::parse(set + "}").error().why, HasSubstr("the set is too large"));
}

// --- which part matched nothing

TEST(Explanation, names_the_part_that_matched_none) {
    auto filter = Filter::parse("op == exex and pod ~ ^web");
    const Session full = exec_session(), bare = bare_session();
    for (int i = 0; i < 4205; ++i) {
        filter->matches(row_of(full));
        filter->matches(row_of(bare));
    }
    EXPECT_EQ(filter->explain_no_match(), "0 of 8,410 rows match; \"op == exex\" matched none");
    ASSERT_EQ(filter->leaves().size(), 2U);
    EXPECT_EQ(filter->leaves()[0].tried, 8410U);
    EXPECT_EQ(filter->leaves()[0].present, 4205U);
    EXPECT_EQ(filter->leaves()[0].hits, 0U);
    EXPECT_EQ(filter->leaves()[1].tried, 0U) << "the first part had settled it";
}

TEST(Explanation, says_when_no_row_has_the_field) {
    auto filter = Filter::parse("role == unknown");
    filter->matches(row_of(bare_session()));
    EXPECT_EQ(filter->explain_no_match(),
              "0 of 1 row matches; \"role == unknown\" matched none (no row has this field)");
}

TEST(Explanation, says_when_every_part_matched_something) {
    auto filter = Filter::parse("exec cut");
    filter->matches(row_of(exec_session()));
    EXPECT_THAT(filter->explain_no_match(), HasSubstr("\"cut\" matched none"));
    auto split = Filter::parse("(exec or cut) and not exec and not cut");
    split->matches(row_of(exec_session()));
    split->matches(row_of(bare_session()));
    EXPECT_THAT(split->explain_no_match(), HasSubstr("each part matched some rows, but none matched all of it"));
}

// --- the table

TEST(Fields, are_one_table_without_doubles) {
    std::set<std::string_view> names;
    for (const Field& field : fields()) {
        EXPECT_TRUE(names.insert(field.name).second) << field.name;
        EXPECT_NE(field.get, nullptr) << field.name;
        EXPECT_NE(field.views, 0) << field.name;
        EXPECT_FALSE(field.says.empty()) << field.name;
        EXPECT_EQ(find_field(field.name), &field);
        EXPECT_TRUE(Filter::parse(field.example)) << field.example;
        EXPECT_THAT(std::string(field.example), HasSubstr(" "));
    }
    for (const Field& field : fields()) {
        std::string aliases(field.aliases);
        for (char* word = std::strtok(aliases.data(), " "); word; word = std::strtok(nullptr, " ")) {
            EXPECT_TRUE(
                names
                    .insert(find_field(word)->name == field.name
                                ? std::string_view(field.aliases.data() + (word - aliases.data()), std::strlen(word))
                                : field.name)
                    .second)
                << word << " means two things";
        }
    }
    EXPECT_EQ(find_field("nosuch"), nullptr);
}

TEST(Fields, tell_values_only_for_the_views_that_they_name) {
    const Session session = exec_session();
    Finding finding;
    finding.code = "X-1";
    finding.says = "x";
    finding.frame = 1;
    finding.at = {kStart};
    PortFact port;
    port.local = test::endpoint("127.0.0.1:1");
    Chain chain;
    chain.number = 1;
    struct Counter final : ValueSink {
        void on(const FieldValue&) override { ++count; }
        int count = 0;
    };
    for (const Field& field : fields()) {
        for (const Row& row :
             {row_of(session), row_of(session, session.streams[0]), row_of(finding), row_of(port), row_of(chain)}) {
            Counter counter;
            field.get(row, {kStart + 1}, counter);
            const bool named = (field.views & static_cast<std::uint8_t>(row.view)) != 0;
            EXPECT_TRUE(named || counter.count == 0) << field.name << " in " << to_string(row.view);
        }
    }
}

TEST(Flags, do_not_hide_fields_of_another_meaning) {
    for (const Flag& flag : flags()) {
        EXPECT_EQ(find_flag(flag.name), &flag);
        EXPECT_TRUE(Filter::parse(flag.name)) << flag.name;
    }
}

}  // namespace
}  // namespace hopscope::chain
