// The rows of the doctor that a survey fills.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/doctor.h"
#include "cli/doctor_host.h"

namespace hopscope::cli {
namespace {

using exports::DoctorRow;
using testing::HasSubstr;
using State = DoctorRow::State;

Process process(std::uint32_t pid, const char* comm, ProcessRole role, const char* version = "") {
    Process made;
    made.id = {pid, 1};
    made.comm = Untrusted(comm);
    made.role = role;
    made.version = version;
    return made;
}

chain::Verdict verdict(const char* role, const char* confidence) {
    chain::Verdict made;
    made.local = {*IpAddress::parse("127.0.0.1"), 33821};
    made.role = role;
    made.confidence = confidence;
    made.short_why = "stream_server_port = 0: random";
    chain::Owner owner;
    owner.process = {.pid = 2685, .comm = Untrusted("containerd"), .exe = {}};
    made.owners.push_back(owner);
    return made;
}

const DoctorRow& row(const std::vector<DoctorRow>& rows, const char* code) {
    for (const DoctorRow& each : rows)
        if (each.code == code) return each;
    ADD_FAILURE() << code;
    return rows.front();
}

RuntimeFacts runtime(const char* path, const char* name, bool answered) {
    RuntimeFacts facts;
    facts.socket_path = Untrusted(path);
    facts.component = name;
    facts.name = Untrusted(name);
    facts.answered = answered;
    return facts;
}

// Whoever is told that something is not as it should be wants to know what it costs, and what to do.
void expect_remedies(const std::vector<DoctorRow>& rows) {
    for (const DoctorRow& each : rows) {
        EXPECT_EQ(each.lost.empty(), each.state == State::ok) << each.code << ": " << each.says;
        EXPECT_EQ(each.fix.empty(), each.state == State::ok) << each.code << ": " << each.says;
    }
}

TEST(DoctorRows, of_a_node) {
    Node node;
    node.table.processes = {process(2685, "containerd", ProcessRole::containerd, "1.6.20"),
                            process(5714, "kubelet", ProcessRole::kubelet, "v1.29.3")};
    ComponentConfig config{
        .process = node.table.processes[1].id, .role = ProcessRole::kubelet, .values = {}, .trouble = {}};
    config.values.push_back(
        {.key = "port", .value = Untrusted("10250"), .source = Untrusted("/var/lib/kubelet/config.yaml"), .line = 12});
    node.configs.push_back(config);
    node.runtimes.push_back({.socket_path = Untrusted("/run/containerd/containerd.sock"),
                             .component = "containerd",
                             .name = Untrusted("containerd"),
                             .version = Untrusted("1.6.20"),
                             .api_version = "v1",
                             .answered = true,
                             .why_not = ""});
    chain::Judgement judgement;
    judgement.verdicts = {verdict("cri-streaming-server", "certain"), verdict("kubelet-api", "certain")};
    const auto rows = node_rows(node, judgement);
    EXPECT_EQ(row(rows, "K8S-01").state, State::ok);
    EXPECT_EQ(row(rows, "K8S-01").says, "kubelet[5714] v1.29.3, /var/lib/kubelet/config.yaml, port 10250");
    EXPECT_EQ(row(rows, "K8S-02").state, State::ok);
    EXPECT_EQ(row(rows, "K8S-02").says,
              "containerd[2685] 1.6.20; containerd 1.6.20 answers at /run/containerd/containerd.sock (v1)");
    EXPECT_EQ(row(rows, "K8S-03").state, State::ok);
    EXPECT_THAT(row(rows, "K8S-03").says,
                HasSubstr("127.0.0.1:33821 containerd[2685], certain (stream_server_port = 0: random)"));
    EXPECT_THAT(row(rows, "TLS-02").says, HasSubstr("is encrypted"));
    expect_remedies(rows);
}

TEST(DoctorRows, a_role_in_doubt_is_told_with_its_doubt) {
    Node node;
    node.table.processes = {process(7, "containerd", ProcessRole::containerd, "1.6.20"),
                            process(8, "kubelet", ProcessRole::kubelet, "v1.29.3")};
    for (Process& each : node.table.processes) each.role_doubt = "the role rests on its first argument";
    const auto rows = node_rows(node, {});
    EXPECT_THAT(row(rows, "K8S-01").says, HasSubstr("kubelet[8] v1.29.3 (the role rests on its first argument)"));
    EXPECT_THAT(row(rows, "K8S-02").says, HasSubstr("containerd[7] 1.6.20 (the role rests on its first argument)"));
}

TEST(DoctorRows, of_a_machine_that_is_no_node) {
    Node node;
    Process decoy = process(7, "kubelet", ProcessRole::unknown);
    decoy.role_doubt = "is named kubelet, but its executable is python3";
    node.table.processes = {decoy};
    const auto rows = node_rows(node, {});
    EXPECT_EQ(row(rows, "TLS-02").state, State::ok);  // nothing that could be encrypted
    for (const char* code : {"K8S-01", "K8S-02", "K8S-03"}) {
        EXPECT_EQ(row(rows, code).state, State::limited) << code;
        EXPECT_FALSE(row(rows, code).needed) << code << ": a machine without it is not ill";
    }
    EXPECT_THAT(row(rows, "K8S-01").says, HasSubstr("kubelet[7]: is named kubelet, but its executable is python3"));
    expect_remedies(rows);
    expect_remedies(node_rows({}, {}));
}

TEST(DoctorRows, a_doubtful_streaming_server_is_not_ok) {
    chain::Judgement judgement;
    judgement.verdicts = {verdict("cri-streaming-server", "medium")};
    const auto rows = node_rows({}, judgement);
    EXPECT_EQ(row(rows, "K8S-03").state, State::limited);
    EXPECT_THAT(row(rows, "K8S-03").fix, HasSubstr("--probe"));
}

TEST(DoctorRows, a_runtime_that_did_not_answer_says_why) {
    Node node;
    node.table.processes = {process(2685, "containerd", ProcessRole::containerd)};
    node.runtimes.push_back({.socket_path = Untrusted("/run/containerd/containerd.sock"),
                             .component = "containerd",
                             .name = {},
                             .version = {},
                             .api_version = "",
                             .answered = false,
                             .why_not = "Permission denied"});
    const auto rows = node_rows(node, {});
    EXPECT_EQ(row(rows, "K8S-02").state, State::limited);
    EXPECT_THAT(row(rows, "K8S-02").says, HasSubstr("did not answer: Permission denied"));
    EXPECT_THAT(row(rows, "K8S-02").fix, HasSubstr("run as root"));
    node.runtimes.clear();  // a copied tree: nobody could be asked, whoever runs it
    EXPECT_THAT(row(node_rows(node, {}), "K8S-02").fix, HasSubstr("mount the host's /run"));
}

// One answer does not make good for another one's silence.
TEST(DoctorRows, a_runtime_that_hangs_is_told_beside_one_that_answers) {
    Node node;
    node.table.processes = {process(1186, "dockerd", ProcessRole::dockerd),
                            process(2685, "containerd", ProcessRole::containerd)};
    Socket socket;
    socket.transport = Transport::unix_stream;
    socket.state = SocketState::listen;
    socket.inode = 77;
    socket.unix_local.path = "/var/run/docker.sock";
    socket.owners = {{{1186, 1}, 4}};
    node.table.sockets = {socket};
    RuntimeFacts silent = runtime("/run/docker.sock", "docker", false);
    silent.why_not = "no answer: Connection timed out";
    silent.waited_ms = 300;
    node.runtimes = {runtime("/run/containerd/containerd.sock", "containerd", true), silent};
    for (const std::uint64_t inode : {0U, 77U}) {
        node.runtimes[1].socket_inode = inode;
        const DoctorRow told = row(node_rows(node, {}), "K8S-02");
        EXPECT_EQ(told.state, State::limited);
        EXPECT_THAT(told.lost, HasSubstr("of /run/docker.sock"));
        EXPECT_THAT(told.fix, HasSubstr("dockerd hangs"));
        EXPECT_THAT(told.fix, HasSubstr("kill -CONT 1186"));
    }
    node.runtimes[1].why_not = "Connection refused";
    node.runtimes[1].waited_ms = 0;
    EXPECT_THAT(row(node_rows(node, {}), "K8S-02").fix, HasSubstr("look at what dockerd does"));
    // By its settings, or by what it was built for, it serves no names: nothing is wrong.
    for (bool RuntimeFacts::*none : {&RuntimeFacts::off, &RuntimeFacts::has_no_cri}) {
        node.runtimes[1] = runtime("/run/docker.sock", "docker", false);
        node.runtimes[1].*none = true;
        EXPECT_EQ(row(node_rows(node, {}), "K8S-02").state, State::ok);
        Node alone = node;
        alone.runtimes.erase(alone.runtimes.begin());
        EXPECT_EQ(row(node_rows(alone, {}), "K8S-02").state, State::limited);
        expect_remedies(node_rows(alone, {}));
    }
}

TEST(DoctorRows, of_this_host) { expect_remedies(host_rows()); }

TEST(DoctorRows, terminal) {
    expect_remedies({terminal_row({}), terminal_row({.is_terminal = true, .name = "dumb"})});
    EXPECT_EQ(terminal_row({}).state, State::limited);
    const DoctorRow good =
        terminal_row({.is_terminal = true, .columns = 160, .rows = 50, .utf8 = true, .name = "xterm-256color"});
    EXPECT_EQ(good.state, State::ok);
    EXPECT_EQ(good.says, "160×50, UTF-8, xterm-256color");
    EXPECT_EQ(terminal_row({.is_terminal = true, .columns = 80, .rows = 24, .utf8 = true, .name = "dumb"}).state,
              State::limited);
}

}  // namespace
}  // namespace hopscope::cli
