// What the user may ask for, and which listeners answer.
#include "cli/ports_match.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/ports.h"
#include "cli/ports_watch.h"
#include "core/untrusted.h"

namespace hopscope::cli {
namespace {

using chain::Verdict;
using testing::HasSubstr;
using testing::Not;
using Kind = PortQuery::Kind;

Endpoint at(const char* address, std::uint16_t port) { return {*IpAddress::parse(address), port}; }

chain::Owner owner(std::uint32_t pid, const char* comm, const char* exe, const char* role = "") {
    chain::Owner made;
    made.process = {.pid = pid, .comm = Untrusted(comm), .exe = Untrusted(exe)};
    made.process_role = role;
    return made;
}

Verdict tcp(const char* address, std::uint16_t port, chain::Owner who) {
    Verdict verdict;
    verdict.local = at(address, port);
    verdict.owners.push_back(std::move(who));
    verdict.role = "unknown";
    verdict.confidence = "low";
    return verdict;
}

Verdict unix_socket(const char* path, std::uint64_t inode, chain::Owner who) {
    Verdict verdict = tcp("0.0.0.0", 0, std::move(who));
    verdict.transport = Transport::unix_stream;
    verdict.unix_path = path;
    verdict.inode = inode;
    return verdict;
}

std::vector<Verdict> node() {
    return {
        tcp("127.0.0.1", 35751, owner(10107, "kubelet", "/usr/bin/kubelet", "kubelet")),
        tcp("::", 10250, owner(10107, "kubelet", "/usr/bin/kubelet", "kubelet")),
        tcp("0.0.0.0", 8080, owner(40, "python3", "/usr/bin/python3.11")),
        tcp("::1", 8080, owner(41, "node", "/usr/bin/node")),
        tcp("10.0.0.5", 8080, owner(42, "nginx", "/usr/sbin/nginx")),
        unix_socket("/run/containerd/containerd.sock", 900,
                    owner(2685, "containerd", "/usr/bin/containerd", "containerd")),
        unix_socket("/tmp/before-rename.sock", 901, owner(43, "server", "/usr/bin/server")),
        unix_socket("@/containerd-shim/x.sock", 902, owner(44, "shim", "/usr/bin/shim")),
        unix_socket("/var/run/docker.sock", 903, owner(1186, "dockerd", "/usr/bin/dockerd", "dockerd")),
    };
}

SocketTable table() {
    SocketTable made;
    Socket renamed{.transport = Transport::unix_stream, .state = SocketState::listen, .inode = 901};
    renamed.file_device = 7;
    renamed.file_inode = 5005;
    Socket client{.transport = Transport::tcp, .state = SocketState::established, .inode = 77};
    client.local = at("127.0.0.1", 54766);
    client.remote = at("127.0.0.1", 35751);
    client.owners.push_back({{10107, 0}, 33});
    made.sockets = {renamed, client};
    Process kubelet;
    kubelet.id = {10107, 1};
    kubelet.comm = Untrusted("kubelet");
    Process idle;
    idle.id = {20000, 1};
    idle.comm = Untrusted("sleep");
    made.processes = {kubelet, idle};
    return made;
}

PortQuery parsed(std::string_view text) {
    auto query = parse_query(text);
    EXPECT_TRUE(query) << text << ": " << (query ? "" : query.error().why);
    return query ? *query : PortQuery{};
}

// The listeners that answer, as "127.0.0.1:35751 @path …".
std::vector<std::string> answers(const PortQuery& query) {
    static const std::vector<Verdict> verdicts = node();
    std::vector<std::string> list;
    for (const Verdict* verdict : find_listeners(query, verdicts, table()))
        list.push_back(verdict->unix_path.empty() ? to_string(verdict->local) : verdict->unix_path);
    return list;
}
using Answers = std::vector<std::string>;

TEST(PortQuery, forms) {
    EXPECT_EQ(parsed("35751").kind, Kind::port);
    EXPECT_EQ(parsed("35751").port, 35751);
    EXPECT_EQ(parsed("*:10250").kind, Kind::port);
    EXPECT_EQ(parsed(":10250").port, 10250);
    EXPECT_EQ(parsed("127.0.0.1:35751").kind, Kind::endpoint);
    EXPECT_EQ(*parsed("127.0.0.1:35751").address, *IpAddress::parse("127.0.0.1"));
    EXPECT_EQ(parsed("[::1]:8080").kind, Kind::endpoint);
    EXPECT_EQ(*parsed("[::1]:8080").address, *IpAddress::parse("::1"));
    EXPECT_EQ(*parsed("localhost:8080").address, *IpAddress::parse("127.0.0.1"));
    EXPECT_EQ(parsed("http://127.0.0.1:33821/exec/6cBPriL6").port, 33821);
    EXPECT_EQ(parsed("127.0.0.1:33821/exec/6cBPriL6").port, 33821);
    EXPECT_EQ(parsed("[::1]:33821/").port, 33821);
    EXPECT_EQ(parsed("@name:1/x").path, "@name:1/x");
    EXPECT_EQ(parsed("//[::]:33731/cri/exec/x").port, 33731);
    EXPECT_EQ(parsed("/run/x.sock").kind, Kind::path);
    EXPECT_EQ(parsed("unix:///run/x.sock").path, "/run/x.sock");
    EXPECT_EQ(parsed("@abstract").kind, Kind::path);
    EXPECT_EQ(parsed("kubelet").kind, Kind::process);
    EXPECT_EQ(parsed("kubelet").name, "kubelet");
    EXPECT_EQ(parsed("kubelet[5714]").pid, 5714U);
    EXPECT_EQ(parsed("kubelet[5714]").name, "kubelet");
    EXPECT_EQ(parsed("4194304").kind, Kind::process);
    EXPECT_EQ(parsed("4194304").pid, 4194304U);
    EXPECT_EQ(parsed("Web Content").name, "Web Content");
}

TEST(PortQuery, slips_are_usage_errors_with_an_example) {
    for (const char* text : {"127.0.0.1:", "127.0.0.1:abc", "[::1]:", "[::1]:abc", "localhost:", "*:http",
                             "http://127.0.0.1:abc/x", "127.0.0.1:80x"}) {
        const auto query = parse_query(text);
        ASSERT_FALSE(query) << text;
        EXPECT_THAT(query.error().why, HasSubstr("has no valid port")) << text;
        EXPECT_EQ(query.error().code, "USE-01");
    }
    for (const char* text : {"", "0", "99999999999", "127.0.0.1", "::1", "127.0.0.1:0", "127.0.0.1:70000", "::1:8080",
                             "example.org:80", "[::1]:x1:2"}) {
        const auto query = parse_query(text);
        ASSERT_FALSE(query) << text;
        EXPECT_EQ(query.error().code, "USE-01");
        EXPECT_THAT(query.error().hint, HasSubstr("hopscope why"));
    }
    const auto hostile = parse_query("\x1b[2J:0");
    ASSERT_FALSE(hostile);
    EXPECT_THAT(hostile.error().why, Not(HasSubstr("\x1b")));
}

TEST(FindListeners, by_port_and_address) {
    EXPECT_EQ(answers(parsed("35751")), (Answers{"127.0.0.1:35751"}));
    EXPECT_EQ(answers(parsed("8080")), (Answers{"0.0.0.0:8080", "[::1]:8080", "10.0.0.5:8080"}));
    // The exact address comes first, the one on all addresses answers, too.
    EXPECT_EQ(answers(parsed("10.0.0.5:8080")), (Answers{"10.0.0.5:8080", "0.0.0.0:8080"}));
    EXPECT_EQ(answers(parsed("[::1]:8080")), (Answers{"[::1]:8080"}));
    EXPECT_EQ(answers(parsed("10.9.9.9:10250")), (Answers{"[::]:10250"}));
    EXPECT_EQ(answers(parsed("127.0.0.2:35751")), Answers{});
}

TEST(FindListeners, by_path_file_or_last_name) {
    EXPECT_EQ(answers(parsed("/run/containerd/containerd.sock")), (Answers{"/run/containerd/containerd.sock"}));
    EXPECT_EQ(answers(parsed("/run/docker.sock")), (Answers{"/var/run/docker.sock"}));
    EXPECT_EQ(answers(parsed("@/containerd-shim/x.sock")), (Answers{"@/containerd-shim/x.sock"}));
    EXPECT_EQ(answers(parsed("containerd.sock")), (Answers{"/run/containerd/containerd.sock"}));
    PortQuery renamed = parsed("/tmp/after-rename.sock");
    EXPECT_EQ(answers(renamed), Answers{});
    renamed.file_device = 7;
    renamed.file_inode = 5005;
    EXPECT_EQ(answers(renamed), (Answers{"/tmp/before-rename.sock"}));
    renamed.file_device = 8;  // the same number on another file system is another file
    EXPECT_EQ(answers(renamed), Answers{});
}

TEST(FindListeners, by_process) {
    EXPECT_EQ(answers(parsed("kubelet")), (Answers{"127.0.0.1:35751", "[::]:10250"}));
    EXPECT_EQ(answers(parsed("kubelet[10107]")).size(), 2U);
    EXPECT_EQ(answers(parsed("kubelet[1]")), Answers{});
    EXPECT_EQ(answers(parsed("python3.11")), (Answers{"0.0.0.0:8080"}));               // the file's name
    EXPECT_EQ(answers(parsed("2685")), (Answers{"/run/containerd/containerd.sock"}));  // no such port: a pid
}

TEST(NotListening, tells_a_client_s_port_from_a_listener) {
    const NotListening told = explain_not_listening(parsed("54766"), node(), table());
    EXPECT_THAT(told.why, HasSubstr("one end of a connection to 127.0.0.1:35751, established, held by kubelet[10107]"));
    EXPECT_THAT(told.hint, HasSubstr("hopscope why 127.0.0.1:35751"));
}

TEST(NotListening, offers_what_is_near) {
    EXPECT_THAT(explain_not_listening(parsed("35715"), node(), table()).hint,
                HasSubstr("127.0.0.1:35751 (kubelet[10107])"));
    EXPECT_THAT(explain_not_listening(parsed("/elsewhere/docker.sock"), node(), table()).hint,
                HasSubstr("/var/run/docker.sock (dockerd[1186])"));
    EXPECT_THAT(explain_not_listening(parsed("sleep"), node(), table()).why, HasSubstr("listens nowhere"));
    EXPECT_THAT(explain_not_listening(parsed("nosuch"), node(), table()).why, HasSubstr("no such process"));
    EXPECT_THAT(explain_not_listening(parsed("70000"), node(), table()).why, HasSubstr("as a port it is too large"));
    EXPECT_THAT(explain_not_listening(parsed("1"), {}, {}).hint, HasSubstr("--all"));
}

TEST(PortChoice, kinds_sureness_and_components) {
    PortChoice choice;
    Verdict sure = tcp("127.0.0.1", 10250, owner(1, "kubelet", "/usr/bin/kubelet", "kubelet"));
    sure.confidence = "certain";
    const Verdict nobody = tcp("127.0.0.1", 80, owner(2, "nginx", "/usr/sbin/nginx"));
    const Verdict pod = tcp("127.0.0.1", 81, owner(3, "app", "/app", "container"));
    Verdict by_role = nobody;
    by_role.role = "metrics";
    EXPECT_TRUE(is_shown(choice, sure));
    EXPECT_FALSE(is_shown(choice, nobody));
    EXPECT_FALSE(is_shown(choice, pod));
    EXPECT_TRUE(is_shown(choice, by_role));
    choice.all = true;
    EXPECT_TRUE(is_shown(choice, nobody));
    choice.min_sure = "high";
    EXPECT_FALSE(is_shown(choice, nobody));
    EXPECT_TRUE(is_shown(choice, sure));
    choice.tcp = false;
    EXPECT_FALSE(is_considered(choice, sure));
    choice = {};
    Verdict udp = sure;
    udp.transport = Transport::udp;
    EXPECT_FALSE(is_shown(choice, udp));
    choice.udp = true;
    EXPECT_TRUE(is_shown(choice, udp));
    choice.shows_namespace = [](std::uint64_t number) { return number == 5; };
    udp.net_namespace = 6;
    EXPECT_FALSE(is_considered(choice, udp));
    udp.net_namespace = 5;
    EXPECT_TRUE(is_considered(choice, udp));
}

TEST(PortChoice, worth_asking_is_what_is_listed_and_not_settled) {
    chain::Judgement judgement;
    judgement.verdicts = {tcp("127.0.0.1", 1, owner(1, "kubelet", "/k", "kubelet")),
                          tcp("127.0.0.1", 2, owner(2, "decoy", "/x")),
                          tcp("127.0.0.1", 3, owner(3, "y", "/y")),
                          tcp("127.0.0.1", 4, owner(4, "z", "/z")),
                          tcp("127.0.0.1", 5, owner(5, "u", "/u")),
                          tcp("127.0.0.1", 6, owner(6, "v", "/v"))};
    judgement.verdicts[5].owners.clear();
    EXPECT_EQ(count_without_owner({}, judgement), 0U);
    EXPECT_EQ(count_without_owner({.all = true}, judgement), 1U);
    for (Verdict& verdict : judgement.verdicts) verdict.confidence = "low";
    judgement.verdicts[0].confidence = "certain";
    judgement.verdicts[1].findings = {"PRT-05"};
    judgement.verdicts[3].confidence = "certain";
    judgement.verdicts[4].transport = Transport::udp;
    const auto ports = [&](const PortChoice& choice) {
        std::vector<int> all;
        for (const Endpoint& place : worth_asking(choice, judgement)) all.push_back(place.port);
        return all;
    };
    EXPECT_EQ(ports({}), (std::vector<int>{2, 1})) << "of strangers only what is suspicious, and that first";
    EXPECT_EQ(ports({.all = true, .udp = true}), (std::vector<int>{2, 3, 1})) << "who is known is not asked";
    EXPECT_EQ(ports({.all = true, .tcp = false}), std::vector<int>{});
    // Both may be about the answer.
    EXPECT_EQ(ports({.min_sure = "high", .filter = [](const Verdict&) { return false; }}), (std::vector<int>{2, 1}));
}

TEST(PortChoice, findings_follow_their_verdicts) {
    chain::Judgement judgement;
    judgement.verdicts = {tcp("127.0.0.1", 1, owner(1, "kubelet", "/k", "kubelet")),
                          tcp("127.0.0.1", 2, owner(2, "x", "/x")), tcp("127.0.0.1", 3, owner(3, "y", "/y"))};
    judgement.verdicts[0].confidence = "certain";
    judgement.verdicts[0].findings = {"KUB-03"};
    judgement.verdicts[1].findings = {"PRT-05"};  // only looks like a component
    for (const char* code : {"KUB-03", "PRT-05", "PRT-09"}) judgement.findings.push_back({.code = code});
    for (std::size_t i = 0; i < 2; ++i) judgement.findings[i].listener = chain::id_of(judgement.verdicts[i]);
    const chain::Judgement shown = chosen({}, judgement);
    ASSERT_EQ(shown.verdicts.size(), 2U);
    EXPECT_EQ(shown.verdicts[1].local.port, 2);
    EXPECT_EQ(shown.findings.size(), 3U);

    const PortChoice sure{.min_sure = "certain"};
    const chain::Judgement fewer = chosen(sure, judgement);
    ASSERT_EQ(fewer.verdicts.size(), 1U);
    ASSERT_EQ(fewer.findings.size(), 2U);
    EXPECT_EQ(fewer.findings[0].code, "KUB-03");
    EXPECT_EQ(fewer.findings[1].code, "PRT-09");  // nobody's: a process left behind
}

TEST(PortChoice, the_filter_is_asked_once_of_each_listener) {
    chain::Judgement judgement;
    for (const std::uint16_t port : std::initializer_list<std::uint16_t>{1, 2, 3})
        judgement.verdicts.push_back(tcp("127.0.0.1", port, owner(1, "x", "/x")));
    judgement.verdicts[0].findings = {"PRT-05"};
    judgement.findings.push_back({.code = "PRT-05"});
    std::size_t asked = 0;
    PortChoice choice{.all = true};
    choice.filter = [&](const chain::Verdict&) { return ++asked > 100; };
    EXPECT_TRUE(chosen(choice, judgement).verdicts.empty());
    EXPECT_EQ(asked, 3U) << "what is told of an empty answer counts these";
}

TEST(WatchInterval, in_seconds) {
    EXPECT_EQ(*watch_interval(""), 1000);
    EXPECT_EQ(*watch_interval("0.25"), 250);
    EXPECT_EQ(*watch_interval("2"), 2000);
    for (const char* text : {"0", "0.01", "x", "3601", "-1", "1s", "nan", "inf"})
        EXPECT_FALSE(watch_interval(text)) << text;
}

}  // namespace
}  // namespace hopscope::cli
