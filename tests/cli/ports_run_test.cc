// The commands as a user runs them, on fake nodes and on this machine: output, notes, exit codes.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <sstream>

namespace hopscope::cli {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

struct Ran {
    int code = -1;
    std::string out, err;
};

std::string drain(const std::string& path) {
    std::FILE* file = std::fopen(path.c_str(), "r");
    std::string text;
    if (!file) return text;
    char block[4096];
    for (std::size_t got = 0; (got = std::fread(block, 1, sizeof block, file)) > 0;) text.append(block, got);
    std::fclose(file);
    return text;
}

Ran hopscope(const std::string& arguments) {
    ::setenv("HOPSCOPE_CONFIG", "/dev/null", 1);
    ::unsetenv("HOPSCOPE_OPTIONS");
    const std::string out = testing::TempDir() + "hopscope-out." + std::to_string(::getpid());
    const std::string err = testing::TempDir() + "hopscope-err." + std::to_string(::getpid());
    const int status = std::system(
        (std::string(HOPSCOPE_BINARY) + " " + arguments + " >" + out + " 2>" + err + " </dev/null").c_str());
    Ran ran{.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1, .out = drain(out), .err = drain(err)};
    ::unlink(out.c_str());
    ::unlink(err.c_str());
    return ran;
}

std::string on(const char* node) { return std::string(" --host-root " HOPSCOPE_SOURCE_DIR "/testdata/proc/") + node; }

TEST(RunPorts, the_mystery_port_of_an_old_kubelet) {
    const Ran why = hopscope("why 35751" + on("kubelet-1.11-dockershim"));
    EXPECT_EQ(why.code, 0) << why.err;
    EXPECT_TRUE(why.out.starts_with("127.0.0.1:35751  is ")) << why.out;
    EXPECT_THAT(why.out, HasSubstr("CRI streaming server"));
    EXPECT_THAT(why.out, HasSubstr("certain"));
    EXPECT_THAT(why.out, HasSubstr("Why 404"));
    EXPECT_THAT(why.out, HasSubstr("/proc/10107/fd/"));
    EXPECT_EQ(hopscope("ports 127.0.0.1:35751" + on("kubelet-1.11-dockershim")).out, why.out);
}

TEST(RunPorts, json_has_the_port_object) {
    const Ran ran = hopscope("why 35751 -o json" + on("kubelet-1.11-dockershim"));
    ASSERT_EQ(ran.code, 0);
    EXPECT_EQ(ran.err, "");  // limits stand in the document
    const json document = json::parse(ran.out);
    EXPECT_EQ(document.at("schema"), "hopscope.ports/v1");
    ASSERT_EQ(document.at("ports").size(), 1U);
    const json& port = document.at("ports").at(0);
    EXPECT_EQ(port.at("role"), "cri-streaming-server");
    EXPECT_EQ(port.at("confidence"), "certain");
    EXPECT_EQ(port.at("reach"), "loopback");
    EXPECT_EQ(port.at("process").at("comm"), "kubelet");
    EXPECT_EQ(port.at("evidence").at(0).at("id"), "owner");
}

TEST(RunPorts, the_list_its_filters_and_findings) {
    const Ran all = hopscope("ports" + on("kubelet-open"));
    EXPECT_EQ(all.code, 0);
    EXPECT_TRUE(all.out.starts_with("LISTENS ON")) << all.out;
    EXPECT_THAT(all.out, HasSubstr("*:10255"));
    EXPECT_THAT(all.out, HasSubstr("KUB-03"));
    EXPECT_THAT(all.out, HasSubstr("containerd.sock"));
    const Ran rows = hopscope("ports --no-unix --no-header -f 'reach == world'" + on("kubelet-open"));
    EXPECT_EQ(rows.code, 0);
    EXPECT_THAT(rows.out, Not(HasSubstr("containerd.sock")));
    EXPECT_THAT(rows.out, Not(HasSubstr("127.0.0.1")));
    EXPECT_THAT(rows.out, HasSubstr("*:10250"));
    EXPECT_THAT(rows.out, Not(HasSubstr("shown of")));
    const Ran unsure = hopscope("ports --no-header --min-sure certain" + on("decoy"));
    EXPECT_THAT(unsure.out, Not(HasSubstr(":33821")));  // one of two random listeners
    const Ran none = hopscope("ports -f 'role == nosuch'" + on("kubelet-open"));
    EXPECT_EQ(none.code, 3);
    EXPECT_THAT(none.err, HasSubstr("matched none"));
}

TEST(RunPorts, nothing_there_is_3_and_says_what_to_try) {
    const Ran ran = hopscope("why 10251 10250" + on("kubelet-open"));
    EXPECT_EQ(ran.code, 3);
    EXPECT_THAT(ran.err, HasSubstr("nothing to explain at '10251'"));
    EXPECT_THAT(ran.err, HasSubstr("*:10250"));  // a similar one
    EXPECT_THAT(ran.err, HasSubstr("[NOD-01]"));
    EXPECT_THAT(ran.out, HasSubstr("*:10250"));  // the other question is answered
}

TEST(RunPorts, usage_is_2) {
    for (const char* arguments : {"why",
                                  "why 127.0.0.1",
                                  "why 99999999999",
                                  "ports --unix --no-unix",
                                  "ports -o yaml",
                                  "ports --watch=0",
                                  "ports -o ndjson",
                                  "ports -f 'nosuch == 1'",
                                  "ports --netns /nonexistent",
                                  "ports --min-sure very",
                                  "doctor NO-99",
                                  "graph stray",
                                  "graph -f 'garbage ~~'",
                                  "graph -f 'nosuch == 1'",
                                  "doctor -f 'garbage ~~'",
                                  "doctor NO-99 -o json",
                                  "why 127.0.0.1:",
                                  "why 127.0.0.1:abc",
                                  "why '[::1]:'",
                                  "why 0",
                                  "why ::1"}) {
        const Ran ran = hopscope(arguments);
        EXPECT_EQ(ran.code, 2) << arguments << "\n" << ran.err;
        EXPECT_THAT(ran.err, HasSubstr("fix:")) << arguments;
        EXPECT_EQ(ran.out, "") << arguments;
    }
    EXPECT_THAT(hopscope("why").err, HasSubstr("hopscope why 35751"));
}

TEST(RunPorts, only_a_network_namespace_is_taken_for_one) {
    const std::pair<const char*, const char*> cases[] = {
        {"/etc/passwd", "it is a file, but not one of a namespace"},
        {"/proc/self/ns/uts", "it is a namespace, but not one of the network"},
        {"/etc", "Is a directory"},
        {"/dev/null", "Not a regular file"},
        {"4294967295", "No such file or directory"}};
    for (const auto& [which, why] : cases) {
        const Ran ran = hopscope(std::string("ports --netns ") + which);
        EXPECT_EQ(ran.code, 2) << which;
        EXPECT_THAT(ran.err, HasSubstr(why)) << which;
        EXPECT_THAT(ran.err, HasSubstr("[NOD-03]")) << which;
    }
    for (const char* which : {"/proc/self/ns/net", "/proc/thread-self/ns/net"})
        EXPECT_EQ(hopscope(std::string("ports --netns ") + which).err.find("NOD-03"), std::string::npos) << which;
    EXPECT_EQ(hopscope("ports --netns 1" + on("kubelet-open")).err.find("NOD-03"), std::string::npos);  // links only
}

TEST(RunPorts, a_root_without_proc_is_5_and_says_what_to_give) {
    for (const char* command : {"ports", "why 80", "graph", "ports --watch"}) {
        const Ran ran = hopscope(std::string(command) + " --host-root /nonexistent");
        EXPECT_EQ(ran.code, 5) << command << "\n" << ran.err;
        EXPECT_THAT(ran.err, HasSubstr("cannot open '/nonexistent/proc': No such file or directory  [NOD-02]"));
        EXPECT_THAT(ran.err, HasSubstr("fix:  --host-root DIR")) << command;
    }
    EXPECT_EQ(hopscope("doctor --host-root /nonexistent").code, 4);
}

TEST(RunPorts, another_machine_s_files_cannot_be_read_with_ebpf) {
    const Ran ran = hopscope("ports --ebpf require" + on("k3s"));
    EXPECT_EQ(ran.code, 4);
    EXPECT_THAT(ran.err, HasSubstr("[BPF-01]"));
}

TEST(RunGraph, every_format) {
    EXPECT_THAT(hopscope("graph" + on("kubelet-1.26-containerd")).out, HasSubstr("containerd[2685]"));
    EXPECT_TRUE(hopscope("graph -o dot" + on("kubelet-1.26-containerd")).out.starts_with("digraph hopscope {"));
    EXPECT_TRUE(hopscope("graph -o mermaid" + on("kubelet-1.26-containerd")).out.starts_with("flowchart LR\n"));
    const json graph = json::parse(hopscope("graph -o json" + on("kubelet-1.26-containerd")).out);
    EXPECT_GT(graph.at("nodes").size(), 3U);
    EXPECT_GT(graph.at("edges").size(), 3U);
}

TEST(RunGraph, the_filter_is_that_of_ports) {
    const std::string filter = " -f 'role == cri-streaming-server'" + on("kubelet-1.26-containerd");
    const json ports = json::parse(hopscope("ports --no-unix -o json" + filter).out);
    ASSERT_EQ(ports.at("ports").size(), 1U);
    const Ran ran = hopscope("graph -o json" + filter);
    EXPECT_EQ(ran.code, 0) << ran.err;
    std::vector<std::string> listeners, processes;
    const json graph = json::parse(ran.out);
    for (const json& node : graph.at("nodes"))
        (node.at("kind") == "listener" ? listeners : processes).push_back(node.at("id"));
    EXPECT_EQ(listeners, std::vector<std::string>{"l127.0.0.1:33821"});
    EXPECT_THAT(processes, testing::Contains("p2685"));
    EXPECT_LT(ran.out.size(), hopscope("graph -o json" + on("kubelet-1.26-containerd")).out.size());
    for (const char* format : {"text", "json", "dot", "mermaid"}) {
        const Ran none =
            hopscope(std::string("graph -f 'role == nosuch' -o ") + format + on("kubelet-1.26-containerd"));
        EXPECT_EQ(none.code, 3) << format;
        EXPECT_THAT(none.err, HasSubstr("matched none")) << format;
    }
}

// Whatever takes a filter reads it; whatever does not says so.
TEST(RunEverything, a_filter_is_never_passed_over) {
    for (const char* command :
         {"ports", "why 80", "observe --for 1s", "record -w /dev/null", "graph", "doctor", "doctor PRT-03", "analyze x",
          "chain x", "extract x", "decode x", "mask x y", "schema", "completion bash", "version"}) {
        const Ran ran = hopscope(std::string(command) + " -f 'garbage ~~'");
        EXPECT_EQ(ran.code, 2) << command << "\n" << ran.err;
        EXPECT_EQ(ran.out, "") << command;
        EXPECT_TRUE(ran.err.find("[FLT-") != std::string::npos || ran.err.find("does not take") != std::string::npos)
            << ran.err;
    }
}

TEST(RunDoctor, codes_as_json) {
    const json one = json::parse(hopscope("doctor PRT-03 -o json").out);
    EXPECT_EQ(one.at("schema"), "hopscope.codes/v1");
    EXPECT_EQ(one.at("codes").at(0).at("code"), "PRT-03");
    for (const char* key : {"title", "text", "remedy"}) EXPECT_NE(one.at("codes").at(0).at(key), "") << key;
    const Ran mixed = hopscope("doctor prt-04 NO-99 KUB-03 -o json");
    EXPECT_EQ(mixed.code, 2);
    EXPECT_EQ(json::parse(mixed.out).at("codes").size(), 2U);
    EXPECT_THAT(hopscope("schema codes").out, HasSubstr("hopscope.codes/v1"));
    EXPECT_EQ(hopscope("help PRT-03 -o json").code, 2);
}

TEST(RunDoctor, explains_codes_and_rows) {
    const Ran code = hopscope("doctor prt-05");
    EXPECT_EQ(code.code, 0);
    EXPECT_TRUE(code.out.starts_with("PRT-05  ")) << code.out;
    EXPECT_EQ(hopscope("help PRT-05").out, code.out);
    const Ran page = hopscope("doctor -o json" + on("kubelet-1.26-containerd"));
    EXPECT_TRUE(page.code == 0 || page.code == 4) << page.err;
    const json document = json::parse(page.out);
    EXPECT_EQ(document.at("usable"), page.code == 0);
    for (const json& row : document.at("rows")) {
        EXPECT_EQ(hopscope("doctor " + row.at("code").get<std::string>()).code, 0) << row.at("code");
        if (row.at("code") == "K8S-01") EXPECT_EQ(row.at("state"), "ok");
        if (row.at("state") == "ok") continue;
        EXPECT_NE(row.value("lost", ""), "") << row;
        EXPECT_NE(row.value("fix", ""), "") << row;
        if (row.at("code") == "K8S-03") EXPECT_THAT(row.at("says").get<std::string>(), HasSubstr("127.0.0.1:33821"));
    }
}

// A listener of this test on loopback.
class Listener {
public:
    Listener() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        ::bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address);
        ::listen(fd_, 8);
        socklen_t size = sizeof address;
        ::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
        port = ntohs(address.sin_port);
    }
    ~Listener() { ::close(fd_); }
    std::uint16_t port = 0;

private:
    int fd_;
};

TEST(RunPorts, this_machine) {
    const Listener listener;
    const Ran ran = hopscope("why " + std::to_string(listener.port));
    ASSERT_EQ(ran.code, 0) << ran.err;
    EXPECT_TRUE(ran.out.starts_with("127.0.0.1:" + std::to_string(listener.port))) << ran.out;
    EXPECT_THAT(ran.out, HasSubstr("[" + std::to_string(::getpid()) + "]"));  // an own process is always visible
    EXPECT_THAT(hopscope("__complete why " + std::to_string(listener.port).substr(0, 3)).out,
                HasSubstr(std::to_string(listener.port)));
}

TEST(RunPorts, a_watch_ends_well_with_an_interrupt) {
    const Listener listener;
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    const std::string port = std::to_string(listener.port);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        ::dup2(ends[1], STDOUT_FILENO);
        ::close(ends[0]);
        ::close(ends[1]);
        ::execl(HOPSCOPE_BINARY, "hopscope", "ports", port.c_str(), "--watch=0.05", "--ebpf", "off", "-o", "ndjson",
                nullptr);
        ::_exit(127);
    }
    ::close(ends[1]);
    std::FILE* out = ::fdopen(ends[0], "r");
    std::vector<json> lines;
    char* line = nullptr;
    std::size_t size = 0;
    int client = -1;
    while (::getline(&line, &size, out) > 0) {
        lines.push_back(json::parse(line));
        if (lines.back().at("kind") == "port") {
            client = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
            sockaddr_in address{};
            address.sin_family = AF_INET;
            address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
            address.sin_port = htons(listener.port);
            ASSERT_EQ(::connect(client, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
        } else if (lines.back().at("kind") == "connection.open") {
            ::kill(child, SIGINT);
        }
    }
    std::free(line);
    std::fclose(out);
    ::close(client);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
    ASSERT_GE(lines.size(), 4U);
    EXPECT_EQ(lines[0].at("kind"), "watch.start");
    EXPECT_EQ(lines[0].at("method"), "polling");
    EXPECT_THAT(lines[0].at("limits").at(0).get<std::string>(), HasSubstr("are missed"));
    EXPECT_EQ(lines[1].at("kind"), "port");
    EXPECT_EQ(lines[2].at("kind"), "connection.open");
    EXPECT_EQ(lines[2].at("from").at("pid"), ::getpid());
    EXPECT_EQ(lines.back().at("kind"), "watch.end");
}

}  // namespace
}  // namespace hopscope::cli
