// The table and the page of listeners, their JSON document and the lines of a watch.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "export/fixture.h"
#include "export/golden.h"
#include "export/human.h"
#include "export/node_fixture.h"
#include "export/ports_json.h"
#include "export/ports_text.h"
#include "export/schema.h"
#include "export/schema_check.h"
#include "export/watch_lines.h"

namespace hopscope::exports {
namespace {

using nlohmann::json;
using test::expect_golden;
using test::hostile_judgement;
using test::node_judgement;
using test::only_printable;
using testing::HasSubstr;
using testing::Not;

Style style(std::size_t columns, Glyphs glyphs = Glyphs::unicode) { return {.glyphs = glyphs, .columns = columns}; }

std::string table(const chain::Judgement& judgement, const Style& how, bool header = true) {
    StringOutput out;
    write_ports_text(out, judgement, {.style = how, .header = header, .listening = 41});
    return out.text();
}

std::string page(const chain::Judgement& judgement, const Style& how) {
    StringOutput out;
    for (const chain::Verdict& verdict : judgement.verdicts) {
        write_why_text(out, verdict, judgement.findings, how);
        out.append("-\n");
    }
    return out.text();
}

std::string document(const chain::Judgement& judgement) {
    StringOutput out;
    write_ports_json(out, judgement,
                     {.at = test::at(0),
                      .method = "sock_diag + /proc/*/fd",
                      .limits = {"owners of 3 of 44 sockets: CAP_SYS_PTRACE is missing"},
                      .listening = 41,
                      .owners_unknown = 3});
    return out.text();
}

json schema(SchemaName name) {
    StringOutput out;
    write_schema(out, name);
    return json::parse(out.text());
}

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    std::size_t begin = 0;
    for (std::size_t end = 0; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1)
        lines.push_back(text.substr(begin, end - begin));
    EXPECT_EQ(begin, text.size()) << "the last line is not ended";
    return lines;
}

TEST(PortsText, golden) {
    expect_golden("node.ports.txt", table(node_judgement(), style(0)));
    expect_golden("node.100.ports.txt", table(node_judgement(), style(100)));
    expect_golden("node.60.ascii.ports.txt", table(node_judgement(), style(60, Glyphs::ascii)));
}

TEST(PortsText, the_address_is_never_cut_and_lines_fit) {
    for (const std::size_t columns : {40U, 60U, 80U, 100U, 160U}) {
        const std::string text = table(node_judgement(), style(columns), false);
        for (const char* address :
             {"127.0.0.1:35751", "*:10255", "/var/run/docker.sock", "127.0.0.1:41555", "*:8472/udp"})
            EXPECT_THAT(text, HasSubstr(address)) << columns;
        if (columns < 60) continue;  // below that the address alone may be wider
        for (const std::string& line : lines_of(text)) EXPECT_LE(display_width(line), columns) << line;
    }
}

TEST(PortsText, columns_leave_in_their_order) {
    const auto head = [](std::size_t columns) { return lines_of(table(node_judgement(), style(columns))).front(); };
    EXPECT_THAT(head(0), HasSubstr("EXE"));
    EXPECT_THAT(head(0), HasSubstr("PEERS"));
    EXPECT_THAT(head(110), Not(HasSubstr("EXE")));
    EXPECT_THAT(head(110), HasSubstr("WHY"));
    EXPECT_THAT(head(60), Not(HasSubstr("PEERS")));
    EXPECT_THAT(head(60), HasSubstr("ROLE"));
}

TEST(PortsText, on_80_columns_it_is_told_how_sure_it_is) {
    chain::Judgement judgement = node_judgement();
    judgement.verdicts[2].unix_path = "/run/containerd/s/" + std::string(64, 'a');
    judgement.verdicts[2].owners[0].process.comm = Untrusted("containerd-shim");
    judgement.verdicts[2].owners[0].process.pid = 1234567;
    judgement.verdicts[2].owners.resize(1);
    EXPECT_THAT(lines_of(table(judgement, style(80))).front(), HasSubstr("SURE"));
    bool whole = false;
    for (const std::string& line : lines_of(table(judgement, style(80), false))) {
        whole = whole || line == judgement.verdicts[2].unix_path;
        if (line != judgement.verdicts[2].unix_path) EXPECT_LE(display_width(line), 80U) << line;
    }
    EXPECT_TRUE(whole) << "a path is told whole, on a line of its own";
}

TEST(PortsText, a_long_path_stands_above_what_it_is) {
    chain::Judgement judgement = node_judgement();
    chain::Verdict& verdict = judgement.verdicts[2];
    verdict.unix_path = "/run/containerd/s/" + std::string(64, 'a');
    StringOutput out;
    write_why_text(out, verdict, {}, style(80));
    const auto lines = lines_of(out.text());
    EXPECT_EQ(lines[0], verdict.unix_path);
    EXPECT_TRUE(lines[1].starts_with("  is ") && lines[1].ends_with(verdict.confidence)) << lines[1];
    EXPECT_LE(display_width(lines[1]), 80U);
}

TEST(PortsText, all_of_ipv6_alone_is_told_apart) {
    chain::Verdict verdict;
    verdict.local = {*IpAddress::parse("::"), 10250};
    EXPECT_EQ(listens_on(verdict, Glyphs::unicode), "*:10250");
    verdict.v6_only = true;
    EXPECT_EQ(listens_on(verdict, Glyphs::unicode), "[::]:10250");
}

TEST(PortsText, without_a_header_there_are_only_rows) {
    const auto lines = lines_of(table(node_judgement(), style(0), false));
    EXPECT_EQ(lines.size(), node_judgement().verdicts.size());
    EXPECT_TRUE(lines.front().starts_with("127.0.0.1:35751       kubelet[10107]  CRI")) << lines.front();
}

TEST(PortsText, how_long_after_the_boot) {
    chain::Judgement judgement = node_judgement();
    const Timestamp booted = test::at(-1000);
    judgement.verdicts[0].owners[0].process.start = booted + Duration{12'430'000'000};
    StringOutput out;
    write_ports_text(out, judgement,
                     {.style = style(0), .listening = 41, .findings_hidden = 2, .since_boot = true, .booted = booted});
    EXPECT_THAT(lines_of(out.text())[0], HasSubstr("SINCE BOOT"));
    EXPECT_THAT(lines_of(out.text())[1], HasSubstr(" 12.4s "));
    EXPECT_THAT(out.text(), HasSubstr(" ? +1 "));  // of the first process it is not known
    EXPECT_THAT(out.text(), HasSubstr(", booted " + date_time(booted) + " UTC"));
    EXPECT_THAT(out.text(), HasSubstr("2 findings of listeners that the options leave out"));
    EXPECT_THAT(table(judgement, style(0)), Not(HasSubstr("SINCE BOOT")));
    for (chain::Verdict& verdict : judgement.verdicts) verdict.owners.clear();
    StringOutput unowned;
    write_ports_text(unowned, judgement, {.style = style(0), .since_boot = true, .booted = booted});
    EXPECT_THAT(unowned.text(), HasSubstr("SINCE BOOT")) << "asked for, and never left out silently";
    judgement = node_judgement();
    EXPECT_THAT(page(judgement, style(0)), HasSubstr("Runs since"));
}

TEST(PortsText, several_owners_are_counted) {
    EXPECT_THAT(table(node_judgement(), style(0)), HasSubstr("systemd[1] +1"));
}

TEST(WhyText, golden) {
    expect_golden("node.why.txt", page(node_judgement(), style(100)));
    expect_golden("node.pipe.why.txt", page(node_judgement(), style(0)));
    expect_golden("node.80.ascii.why.txt", page(node_judgement(), style(80, Glyphs::ascii)));
}

TEST(WhyText, says_who_holds_it_when_the_title_does_not) {
    const chain::Judgement judgement = node_judgement();
    StringOutput out;
    write_why_text(out, judgement.verdicts[1], judgement.findings, style(0));
    EXPECT_THAT(out.text(), HasSubstr("is the kubelet's read-only API, held by kubelet[10107]."));
    EXPECT_THAT(out.text(), HasSubstr("KUB-03"));
    StringOutput udp;
    write_why_text(udp, judgement.verdicts[4], judgement.findings, style(0));
    EXPECT_THAT(udp.text(), HasSubstr("No process holds it, or none that may be"));
    EXPECT_THAT(udp.text(), Not(HasSubstr("KUB-03")));
}

TEST(WhyText, without_a_terminal_lines_are_no_wider_than_a_page) {
    for (const chain::Verdict& verdict : node_judgement().verdicts) {
        StringOutput out;
        write_why_text(out, verdict, node_judgement().findings, style(0));
        for (const std::string& line : lines_of(out.text())) EXPECT_LE(display_width(line), 100U) << line;
    }
}

TEST(WhyText, evidence_stands_below_each_other_whatever_its_kind_is_called) {
    chain::Verdict verdict = node_judgement().verdicts[0];
    verdict.evidence.push_back(
        {.grade = Grade::decoded, .says = "it is another one", .source = {}, .id = "contradiction"});
    StringOutput out;
    write_why_text(out, verdict, {}, style(100));
    EXPECT_THAT(out.text(), HasSubstr("● contradiction  it is another one"));
    EXPECT_THAT(out.text(), HasSubstr("● owner          LISTEN inode"));
}

TEST(WhyText, says_of_a_peer_what_is_known_of_it) {
    const auto peers = [](chain::Peer peer) {
        chain::Verdict verdict = node_judgement().verdicts[3];
        verdict.peers = {std::move(peer)};
        StringOutput out;
        write_why_text(out, verdict, {}, style(100));
        return out.text();
    };
    chain::Peer peer;
    peer.inode = 157937;
    EXPECT_THAT(peers(peer), HasSubstr("Peers now      a process that cannot be seen, inode 157937"))
        << "the other end of a unix socket is on this node";
    peer = {};
    peer.from = test::endpoint("127.0.0.1", 54766);
    peer.state = "established";
    EXPECT_THAT(peers(peer), HasSubstr("a process that cannot be seen, from 127.0.0.1:54766"));
    peer.state = "close-wait";
    peer.client_closed = true;
    EXPECT_THAT(peers(peer), HasSubstr("a client that has closed its end, from 127.0.0.1:54766, close-wait"));
    peer = {};
    peer.from = test::endpoint("10.4.0.7", 40110);
    EXPECT_THAT(peers(peer), HasSubstr("not on this node, or not visible, from 10.4.0.7:40110"));
}

TEST(WhyText, only_findings_about_the_listener_stand_on_its_page) {
    chain::Verdict verdict;
    verdict.transport = Transport::unix_stream;
    verdict.unix_path = "/run/crio/crio.sock";
    verdict.inode = 7;
    verdict.findings = {"PRT-05"};
    chain::Finding mine{.code = "PRT-05", .says = "this one", .remedy = "look"};
    mine.listener = chain::id_of(verdict);
    chain::Finding other = mine;
    other.says = "another, at /run/crio/crio.sock as well";
    other.listener->inode = 8;
    const chain::Finding nobodys{.code = "PRT-05", .says = "of no listener"};
    StringOutput out;
    write_why_text(out, verdict, {other, mine, nobodys}, style(100));
    EXPECT_THAT(out.text(), HasSubstr("this one"));
    EXPECT_THAT(out.text(), Not(HasSubstr("another")));
    EXPECT_THAT(out.text(), Not(HasSubstr("of no listener")));
}

TEST(WhyText, lines_fit_the_terminal) {
    for (const std::size_t columns : {60U, 80U, 100U, 200U})
        for (const std::string& line : lines_of(page(node_judgement(), style(columns))))
            EXPECT_LE(display_width(line), columns) << line;
}

TEST(PortsText, hostile_names_never_come_out_raw) {
    for (const Glyphs glyphs : {Glyphs::unicode, Glyphs::ascii}) {
        EXPECT_TRUE(only_printable(table(hostile_judgement(), style(0, glyphs))));
        EXPECT_TRUE(only_printable(page(hostile_judgement(), style(100, glyphs))));
    }
    // With colour only our own sequences are there.
    Style coloured = style(0);
    coloured.colour = true;
    const std::string text = table(hostile_judgement(), coloured) + page(hostile_judgement(), coloured);
    for (std::size_t at = 0; (at = text.find('\x1b', at)) != std::string::npos; ++at) {
        const std::string_view rest = std::string_view(text).substr(at + 1, 5);
        EXPECT_TRUE(rest.starts_with("[0m") || rest.starts_with("[1m") || rest.starts_with("[2m") ||
                    rest.starts_with("[33m") || rest.starts_with("[34m") || rest.starts_with("[1;31"))
            << rest;
    }
}

TEST(PortsJson, golden_and_schema) {
    const std::string text = document(node_judgement());
    expect_golden("node.ports.json", text);
    expect_golden("hostile.ports.json", document(hostile_judgement()));
    EXPECT_TRUE(text.starts_with("{\"schema\":\"hopscope.ports/v1\""));
    test::SchemaCheck check(schema(SchemaName::ports));
    for (const chain::Judgement& judgement : {node_judgement(), hostile_judgement(), chain::Judgement{}})
        for (const std::string& problem : check.problems(json::parse(document(judgement)))) ADD_FAILURE() << problem;
}

TEST(PortsJson, a_port_object_is_as_the_contract_says) {
    const json port = json::parse(document(node_judgement())).at("ports").at(0);
    EXPECT_EQ(port.at("local"), (json{{"transport", "tcp"}, {"address", "127.0.0.1"}, {"port", 35751}}));
    EXPECT_EQ(port.at("process").at("pid"), 10107);
    EXPECT_EQ(port.at("process").at("comm"), "kubelet");
    EXPECT_EQ(port.at("role"), "cri-streaming-server");
    EXPECT_EQ(port.at("confidence"), "certain");
    EXPECT_EQ(port.at("evidence").at(0).at("id"), "owner");
    EXPECT_EQ(port.at("ruled_out").at(0).at("role"), "kubelet-healthz");
    const json socket = json::parse(document(node_judgement())).at("ports").at(2);
    EXPECT_EQ(socket.at("local"), (json{{"transport", "unix"}, {"path", "/var/run/docker.sock"}}));
    EXPECT_EQ(socket.at("owners").size(), 2U);
    EXPECT_EQ(socket.at("peers").at(0).at("inode"), 157937);
}

TEST(PortsJson, is_pure_ascii_whatever_the_names_are) {
    for (const char c : document(hostile_judgement())) EXPECT_TRUE((c >= 0x20 && c < 0x7f) || c == '\n');
}

TEST(PortsSchema, golden) {
    for (const auto& [name, file] :
         {std::pair{SchemaName::ports, "ports.schema.json"}, {SchemaName::watch, "watch.schema.json"}}) {
        StringOutput out;
        write_schema(out, name);
        expect_golden(file, out.text());
    }
}

SocketLife life(SocketLife::Kind kind) {
    SocketLife made;
    made.kind = kind;
    made.at = test::at(1.5);
    made.client = test::endpoint("127.0.0.1", 54766);
    made.server = test::endpoint("127.0.0.1", 33821);
    made.client_owner.pid = 5714;
    made.client_comm = Untrusted("kubelet");
    made.server_owner.pid = 2685;
    made.server_comm = Untrusted(test::kHostile);
    made.lived = {1'000'000};
    return made;
}

std::string watch(bool ndjson) {
    StringOutput out;
    WatchLines lines(out, style(0), ndjson);
    lines.start({.at = test::at(0),
                 .method = "polling",
                 .interval = {500'000'000},
                 .limits = {"polling: short connections are missed"}});
    const chain::Judgement judgement = node_judgement();
    lines.port(WatchLines::Port::there, judgement.verdicts[0], test::at(0));
    lines.port(WatchLines::Port::opened, judgement.verdicts[2], test::at(1));
    lines.connection(life(SocketLife::Kind::opened), "");
    lines.connection(life(SocketLife::Kind::closed), "");
    lines.connection(life(SocketLife::Kind::listen), "");  // not a connection
    SocketLife unix_life = life(SocketLife::Kind::opened);
    unix_life.client = unix_life.server = {};
    unix_life.client_inode = 157937;
    unix_life.server_inode = 157387;
    lines.connection(unix_life, "/run/" + std::string(test::kHostile));
    lines.port(WatchLines::Port::closed, judgement.verdicts[2], test::at(3));
    lines.end(test::at(4), 2);
    return out.text();
}

TEST(WatchLines, text_says_what_happened_to_whom) {
    const std::string text = watch(false);
    EXPECT_TRUE(only_printable(text));
    const auto lines = lines_of(text);
    ASSERT_EQ(lines.size(), 8U);
    EXPECT_EQ(lines[0], "# polling: short connections are missed");
    EXPECT_EQ(lines[1], "17:01:43.000 = 127.0.0.1:35751  kubelet[10107]  CRI streaming server (certain)");
    EXPECT_THAT(lines[3], HasSubstr("17:01:44.500 > 127.0.0.1:54766 → :33821  kubelet[5714] → "));
    EXPECT_THAT(lines[4], HasSubstr("lived 1.0ms"));
    EXPECT_THAT(lines[6], HasSubstr("- /var/run/docker.sock"));
    EXPECT_EQ(lines[7], "# 2 events lost");
}

TEST(WatchLines, every_line_is_an_object_of_the_schema) {
    test::SchemaCheck check(schema(SchemaName::watch));
    std::uint64_t sequence = 0;
    for (const std::string& line : lines_of(watch(true))) {
        const json value = json::parse(line);
        for (const std::string& problem : check.problems(value)) ADD_FAILURE() << problem;
        EXPECT_EQ(value.at("seq"), ++sequence);
        EXPECT_TRUE(line.starts_with("{\"schema\":\"hopscope.watch/v1\",\"kind\":\""));
    }
    EXPECT_EQ(sequence, 8U);
}

}  // namespace
}  // namespace hopscope::exports
