// What is masked, what is shown, and that planted secrets come through nowhere.
#include "chain/reveal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "chain/evidence.h"
#include "chain/fields.h"
#include "chain/mask.h"
#include "story.h"

namespace hopscope::chain {
namespace {

using testing::HasSubstr;
using testing::Not;

Reveal reveal(std::string_view list) {
    auto parsed = Reveal::parse(list);
    EXPECT_TRUE(parsed) << list;
    return parsed ? *parsed : Reveal{};
}

// --- the list

struct Listed {
    const char* list;
    std::vector<Secret> shown, hidden;
};
class Lists : public testing::TestWithParam<Listed> {};
TEST_P(Lists, name_classes) {
    const Reveal parsed = reveal(GetParam().list);
    for (const Secret secret : GetParam().shown)
        EXPECT_TRUE(parsed.shows(secret)) << GetParam().list << " " << static_cast<int>(secret);
    for (const Secret secret : GetParam().hidden)
        EXPECT_FALSE(parsed.shows(secret)) << GetParam().list << " " << static_cast<int>(secret);
}
using S = Secret;
INSTANTIATE_TEST_SUITE_P(
    Table, Lists,
    testing::Values(
        Listed{"", {}, {S::payload, S::in, S::out, S::err, S::data, S::auth, S::token, S::command, S::cri}},
        Listed{"token", {S::token}, {S::command, S::auth, S::payload}},
        Listed{"token,command", {S::token, S::command}, {S::auth, S::in}},
        Listed{"token, command", {S::token, S::command}, {S::auth}},
        Listed{"payload", {S::payload, S::out, S::err, S::data}, {S::in, S::auth, S::token}},
        Listed{"stdin", {S::in}, {S::out, S::payload}},
        Listed{"stdout,stderr,data", {S::out, S::err, S::data}, {S::in, S::payload}},
        Listed{"cri", {S::cri}, {S::command}},
        Listed{"all", {S::payload, S::in, S::out, S::err, S::data, S::auth, S::token, S::command, S::cri}, {}}));

TEST(Lists, with_an_unknown_name_say_what_there_is) {
    const auto parsed = Reveal::parse("token,comand");
    ASSERT_FALSE(parsed);
    EXPECT_EQ(parsed.error().code, "SEC-01");
    EXPECT_EQ(parsed.error().subject, "comand");
    EXPECT_THAT(parsed.error().why, HasSubstr("did you mean 'command'?"));
    EXPECT_THAT(parsed.error().hint, HasSubstr("payload stdin stdout stderr data auth token command cri all"));
    EXPECT_FALSE(Reveal::parse("Token")) << "names are written as they are listed";
}

// --- tokens

TEST(ShownToken, is_its_first_four_characters) {
    const Token token{Untrusted("6NLIabcd"), 1};
    EXPECT_EQ(shown_token(token, {}), "6NLI····");
    EXPECT_EQ(shown_token(token, {}, Glyphs::ascii), "6NLI....");
    EXPECT_EQ(shown_token(token, reveal("token")), "6NLIabcd");
    EXPECT_EQ(shown_token({Untrusted("short"), 1}, {}), "····") << "half of a short one would be too much";
    EXPECT_EQ(shown_token({Untrusted("\x1b[2Jabcd"), 1}, {}), "␛[2J····");
}

// --- targets

struct Target {
    const char* what;
    const char* list;
    const char* target;
    const char* want;
};
class Targets : public testing::TestWithParam<Target> {};
TEST_P(Targets, show_no_token_command_or_credentials) {
    EXPECT_EQ(shown_target(Untrusted(GetParam().target), reveal(GetParam().list)), GetParam().want) << GetParam().what;
}
INSTANTIATE_TEST_SUITE_P(
    Table, Targets,
    testing::Values(
        Target{"token", "", "/exec/6NLIabcd", "/exec/6NLI····"},
        Target{"revealed", "token", "/exec/6NLIabcd", "/exec/6NLIabcd"},
        Target{"below /cri/", "", "/cri/attach/6NLIabcd", "/cri/attach/6NLI····"},
        Target{"any prefix", "", "/a/b/c/portforward/6NLIabcd", "/a/b/c/portforward/6NLI····"},
        Target{"trailing slash", "", "/exec/6NLIabcd/", "/exec/6NLI····/"},
        Target{"any case", "", "/EXEC/6NLIabcd", "/EXEC/6NLI····"},
        Target{"escaped keyword", "", "/%65xec/6NLIabcd", "/%65xec/6NLI····"},
        Target{"something after it", "", "/exec/6NLIabcd/x", "/exec/6NLI····/x"},
        Target{"absolute", "", "http://127.0.0.1:42313/exec/6NLIabcd", "http://127.0.0.1:42313/exec/6NLI····"},
        Target{"scheme-less", "", "//[::]:33733/cri/exec/6NLIabcd", "//[::]:33733/cri/exec/6NLI····"},
        Target{"token and query", "", "/exec/6NLIabcd?command=hunter2", "/exec/6NLI····?command=▒▒▒"},
        Target{"command words", "", "/exec/d/p/c?command=cat&command=%2Fetc%2Fpasswd&output=1",
               "/exec/d/p/c?command=▒▒▒&command=▒▒▒&output=1"},
        Target{"command revealed", "command", "/exec/d/p/c?command=cat&output=1", "/exec/d/p/c?command=cat&output=1"},
        Target{"escaped key", "", "/exec/d/p/c?%63ommand=cat", "/exec/d/p/c?%63ommand=▒▒▒"},
        Target{"kubelet run", "", "/run/d/p/c?cmd=id", "/run/d/p/c?cmd=▒▒▒"},
        Target{"bearer in the query", "", "/api/v1/pods?token=abc&watch=1", "/api/v1/pods?token=▒▒▒&watch=1"},
        Target{"access_token", "", "/x?access_token=abc", "/x?access_token=▒▒▒"},
        Target{"old separators", "", "/x?a=1;token=abc", "/x?a=1;token=▒▒▒"},
        Target{"auth revealed", "auth", "/x?access_token=abc", "/x?access_token=abc"},
        Target{"user and password", "", "http://joe:hunter2@host/x", "http://▒▒▒@host/x"},
        Target{"names stay", "", "/exec/default/web-0/main?container=c", "/exec/default/web-0/main?container=c"},
        Target{"port-forward of a pod stays", "", "/portForward/kube-dns/web-0000", "/portForward/kube-dns/web-0000"},
        Target{"API paths stay", "", "/api/v1/namespaces/exec/aBcDeFgH", "/api/v1/namespaces/exec/aBcDeFgH"},
        Target{"metrics stay", "", "/metrics?format=x", "/metrics?format=x"},
        Target{"empty query stays", "", "/x?", "/x?"}, Target{"star", "", "*", "*"},
        Target{"hostile", "", "/a\r\n\x1b[2J", "/a␍␊␛[2J"}));

TEST(ShownTarget, in_ascii_has_ascii_masks) {
    EXPECT_EQ(shown_target(Untrusted("/exec/6NLIabcd?command=x"), {}, Glyphs::ascii), "/exec/6NLI....?command=###");
}

// --- headers

struct Named {
    const char* name;
    const char* value;
    const char* want;
};
class Headers : public testing::TestWithParam<Named> {};
TEST_P(Headers, show_no_credentials) {
    EXPECT_EQ(shown_header(GetParam().name, GetParam().value, {}), GetParam().want);
}
INSTANTIATE_TEST_SUITE_P(
    Table, Headers,
    testing::Values(Named{"Authorization", "Bearer hunter2", "Bearer ▒▒▒"},
                    Named{"authorization", "Basic aHVudGVyMg==", "Basic ▒▒▒"}, Named{"Authorization", "hunter2", "▒▒▒"},
                    Named{"Proxy-Authorization", "Bearer x y", "Bearer ▒▒▒"}, Named{"Cookie", "session=hunter2", "▒▒▒"},
                    Named{"Set-Cookie", "session=hunter2; Secure", "▒▒▒"}, Named{"X-Auth-Token", "hunter2", "▒▒▒"},
                    Named{"Sec-WebSocket-Protocol",
                          "v4.channel.k8s.io, base64url.bearer.authorization.k8s.io.aHVudGVyMg",
                          "v4.channel.k8s.io, base64url.bearer.authorization.k8s.io.▒▒▒"},
                    Named{"sec-websocket-protocol", "Base64URL.Bearer.Authorization.k8s.io.aHVudGVyMg",
                          "Base64URL.Bearer.Authorization.k8s.io.▒▒▒"},
                    Named{"Sec-WebSocket-Protocol", "v5.channel.k8s.io", "v5.channel.k8s.io"},
                    Named{"Sec-WebSocket-Key", "dGhlIHNhbXBsZQ==", "dGhlIHNhbXBsZQ=="},
                    Named{"Location", "http://127.0.0.1:1/cri/exec/6NLIabcd", "http://127.0.0.1:1/cri/exec/6NLI····"},
                    Named{"Referer", "/x?token=abc", "/x?token=▒▒▒"},
                    Named{"User-Agent", "kubectl/v1.27\x1b[2J", "kubectl/v1.27␛[2J"},
                    Named{"X-Forwarded-For", "10.0.0.1", "10.0.0.1"},
                    Named{"Kubectl-Command", "kubectl exec", "kubectl exec"},
                    Named{"Kubectl-Session", "5cf1cf1d", "5cf1cf1d"}));

TEST(ShownHeader, is_whole_when_asked_for) {
    EXPECT_EQ(shown_header("Authorization", "Bearer hunter2", reveal("auth")), "Bearer hunter2");
    EXPECT_EQ(shown_header("Authorization", "Bearer hunter2", reveal("token,command,payload")), "Bearer ▒▒▒");
}

// --- commands

TEST(ShownCommand, is_a_count_unless_revealed) {
    const std::vector<Untrusted> words{Untrusted("sh"), Untrusted("-c"), Untrusted("echo 'it''s' \x1b")};
    EXPECT_EQ(shown_command(words, {}), "▒▒▒ (3 args)");
    EXPECT_EQ(shown_command({words[0]}, {}), "▒▒▒ (1 arg)");
    EXPECT_EQ(shown_command({}, {}), "");
    EXPECT_EQ(shown_command(words, {}, Glyphs::ascii), "### (3 args)");
    EXPECT_EQ(shown_command(words, reveal("command")), "sh -c 'echo '\\''it'\\'''\\''s'\\'' ␛'");
    EXPECT_EQ(shown_command({Untrusted("")}, reveal("command")), "''");
}

// --- status texts

struct Text {
    const char* what;
    const char* text;
    const char* want;
};
class StatusTexts : public testing::TestWithParam<Text> {};
TEST_P(StatusTexts, repeat_no_command) {
    EXPECT_EQ(shown_status_text(GetParam().text, {}), GetParam().want) << GetParam().what;
    EXPECT_EQ(shown_status_text(GetParam().text, reveal("all")), GetParam().text) << GetParam().what;
}
INSTANTIATE_TEST_SUITE_P(
    Table, StatusTexts,
    testing::Values(
        Text{"containerd",
             "command terminated with non-zero exit code: error executing command [sh -c echo hunter2; exit 3], exit "
             "code 3",
             "command terminated with non-zero exit code: error executing command [▒▒▒], exit code 3"},
        Text{"with brackets of its own", "error executing command [sh -c [ -f x ] && echo ]], exit code 1",
             "error executing command [▒▒▒], exit code 1"},
        Text{"cut off", "error executing command [sh -c echo hun", "error executing command [▒▒▒"},
        Text{"translated", "command terminated with exit code 3", "command terminated with exit code 3"},
        Text{"cri-dockerd", "Error executing in Docker Container: 7", "Error executing in Docker Container: 7"},
        Text{"quoted", "command 'cat hunter2' exited with 126", "command '▒▒▒' exited with 126"},
        Text{"runc",
             "OCI runtime exec failed: exec failed: unable to start container process: exec: \"/no/such/binary\": stat "
             "/no/such/binary: no such file or directory: unknown",
             "OCI runtime exec failed: exec failed: unable to start container process: exec: \"▒▒▒\": stat ▒▒▒: no "
             "such file or directory: unknown"},
        Text{"runc with escaped quotes", "exec: \\\"hunter2\\\": executable file not found in $PATH",
             "exec: \\\"▒▒▒\\\": executable file not found in $PATH"},
        Text{"words stay whole", "exec: \"sh\": the shim and sh failed", "exec: \"▒▒▒\": the shim and ▒▒▒ failed"},
        Text{"fork", "fork/exec /usr/bin/hunter2: permission denied", "fork/exec ▒▒▒: permission denied"},
        Text{"a URL with a token",
             "error sending request: Post \"//[::]:33733/cri/exec/6NLIabcd\": server gave HTTP response",
             "error sending request: Post \"//[::]:33733/cri/exec/6NLI····\": server gave HTTP response"},
        Text{"a URL with a command", "Get \"https://n:10250/exec/d/p/c?command=cat&command=hunter2&output=1\": EOF",
             "Get \"https://n:10250/exec/d/p/c?command=▒▒▒&command=▒▒▒&output=1\": EOF"},
        Text{"a bearer", "invalid header \"Authorization: Bearer eyJhbGci.x\"",
             "invalid header \"Authorization: Bearer ▒▒▒\""},
        Text{"a token parameter", "bad request access_token=abc", "bad request access_token=▒▒▒"},
        Text{"a port-forward text", "error forwarding port 18999 to pod d15763, uid : connect: connection refused",
             "error forwarding port 18999 to pod d15763, uid : connect: connection refused"},
        Text{"nothing to hide", "container not found (\"nope\")", "container not found (\"nope\")"},
        Text{"empty", "", ""}));

TEST(StatusText, is_made_printable) { EXPECT_EQ(shown_status_text("a\nb\x1b", {}), "a␊b␛"); }

TEST(StatusText, hostile_ones_cost_little) {
    std::string text = "exec: \"a\"";
    while (text.size() < 60000) text += " a exec: \"b\" Bearer x token=y /exec/aBcDeFgH command=z";
    EXPECT_THAT(shown_status_text(text, {}), Not(HasSubstr("aBcDeFgH")));
}

// --- payload glyphs

TEST(MaskBytes, shows_a_glyph_for_each_byte_up_to_forty) {
    EXPECT_EQ(mask_bytes(0, Glyphs::unicode), "");
    EXPECT_EQ(mask_bytes(3, Glyphs::unicode), "▒▒▒");
    EXPECT_EQ(mask_bytes(1000, Glyphs::ascii), std::string(40, '#'));
}

// --- planted secrets: nothing that is shown by default may hold one

TEST(PlantedSecrets, come_through_no_finding_evidence_or_filter_field) {
    test::Story story;
    const test::HeaderList headers =
        test::spdy_upgrade({{"Authorization", "Bearer hunter2"}, {"Cookie", "hunter2"}, {"Kubectl-Session", "run"}});
    const auto ask = [&](const char* target, std::uint16_t status, const char* body) {
        auto c = story.connect("127.0.0.1:50000", "127.0.0.1:10250");
        story.request(c, "POST", target, headers);
        story.answer(c, status, body);
        return c;
    };
    ask("/exec/xxxxPLNT", 404, "404 page not found\n");
    ask("/exec/xxxxPLNT", 404, "Post \"http://127.0.0.1/exec/xxxxPLNT\": no\n");
    ask("/exec/d/p/c?command=hunter2&token=hunter2", 500, "error executing command [cat hunter2], exit code 1\n");
    ask("/exec/d/p/c?command=hunter2", 400, "Get \"/exec/d/p/c?command=hunter2\": Bearer hunter2\n");
    auto c = ask("/exec/d/p/c?command=hunter2", 101, "");
    story.tell(c, Upgraded{0, Carrier::spdy31, "v4.channel.k8s.io"});
    story.stream(c, 1, StreamKind::error);
    story.stream(c, 3, StreamKind::in);
    story.data(c, 3, Direction::to_server, "hunter2");
    ExitStatus status;
    status.id = 1;
    status.message = "exec: \"hunter2\": stat hunter2: no such file";
    story.tell(c, status);
    story.close(c);
    Model& model = story.finish();

    std::vector<std::string> shown;
    for (const Finding& f : model.findings) shown.insert(shown.end(), {f.says, f.remedy});
    struct Collect final : ValueSink {
        explicit Collect(std::vector<std::string>& out) : all(out) {}
        void on(const FieldValue& value) override { all.emplace_back(value.text); }
        std::vector<std::string>& all;
    } collect(shown);
    const auto all_fields = [&](const Row& row) {
        for (const Field& field : fields()) field.get(row, model.sessions.back()->end, collect);
    };
    for (const auto& session : model.sessions) {
        for (const Evidence& e : evidence_of(*session)) shown.push_back(e.says);
        all_fields(row_of(*session));
        for (const Stream& stream : session->streams) all_fields(row_of(*session, stream));
    }
    for (const Chain& chain : model.chains) {
        all_fields(row_of(chain));
        for (const Hop& hop : chain.hops) {
            for (const Evidence& e : hop.evidence) shown.push_back(e.says);
        }
    }
    for (const PortFact& port : model.ports) {
        all_fields(row_of(port));
        for (const Evidence& e : port.evidence) shown.push_back(e.says);
    }
    EXPECT_GT(shown.size(), 100U);
    for (const std::string& text : shown) {
        EXPECT_THAT(text, Not(HasSubstr("hunter2")));
        EXPECT_THAT(text, Not(HasSubstr("PLNT"))) << "only the first four characters of a token";
    }
}

}  // namespace
}  // namespace hopscope::chain
