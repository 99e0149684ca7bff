// What a session that was joined late belongs to, by what the node tells at the start: a fake tree of /proc.
#include "cli/live_late.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "procmap/table/tree.h"

namespace hopscope::cli {
namespace {

using testing::Contains;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr std::int64_t kMs = 1'000'000;
constexpr std::uint32_t kRuntime = 20, kShim = 30, kMain = 31;
const std::string kContainer(64, 'a'), kSandbox(64, 'b'), kExec(64, 'e'), kOtherExec(64, 'f');
const std::string kBundles = "/run/containerd/io.containerd.runtime.v2.task/k8s.io/";

auto says(const std::string& text) { return Contains(Field(&chain::Evidence::says, HasSubstr(text))); }

Endpoint at(std::uint16_t port) { return {*IpAddress::parse("127.0.0.1"), port}; }

class LiveLate : public testing::Test {
protected:
    LiveLate() {
        process(kRuntime, 1, "containerd", ProcessRole::containerd);
        process(kShim, 1, "containerd-shim", ProcessRole::containerd_shim);
        process(kMain, kShim, "main", ProcessRole::unknown, kContainer);
        tree.link("/proc/30/cwd", kBundles + kSandbox);
        tree.write(kBundles + kContainer + "/init.pid", "31");
        socket(SocketState::listen, {}, 39000);
        streams(kContainer, {"stdin", "stdout"});
    }
    void process(std::uint32_t pid, std::uint32_t parent, std::string_view comm, ProcessRole role,
                 const std::string& container = {}) {
        Process made;
        made.id = {.pid = pid, .start_ticks = pid};
        made.started = {pid * kMs};
        made.parent_pid = parent;
        made.comm = Untrusted(comm);
        made.role = role;
        made.container_id = Untrusted(container);
        table.processes.push_back(std::move(made));
    }
    // A program in the container; its arguments are in /proc.
    void program(std::uint32_t pid, std::uint32_t parent, std::string_view comm) {
        process(pid, parent, comm, ProcessRole::unknown, kContainer);
        tree.write("/proc/" + std::to_string(pid) + "/cmdline", std::string(comm) + std::string("\0arg\0", 5));
    }
    void socket(SocketState state, const Endpoint& remote, std::uint16_t port) {
        Socket made;
        made.transport = Transport::tcp;
        made.state = state;
        made.local = at(port);
        made.remote = remote;
        made.owners.push_back({.process = {.pid = kRuntime, .start_ticks = kRuntime}, .fd = 3});
        table.sockets.push_back(std::move(made));
    }
    void connection(std::uint16_t port) { socket(SocketState::established, at(port), 39000); }
    // Held open by containerd and the shim.
    void streams(const std::string& id, const std::vector<std::string>& names) {
        for (const std::string& name : names) {
            const std::string path =
                "/run/containerd/io.containerd.grpc.v1.cri/containers/" + kContainer + "/io/1/" + id + "-" + name;
            tree.link("/proc/20/fd/" + std::to_string(++fd_), path);
            tree.link("/proc/30/fd/" + std::to_string(fd_), path);
        }
    }
    void begin(bool ends = true) {
        for (const Process& each : table.processes) book.know(each);
        late.begin(procmap::HostRoot(tree.directory()), table, book, ends);
    }
    // One that is joined late, with something on its standard output.
    const chain::Session& session(std::uint16_t port) {
        ++flows_;
        builder.flow({.id = flows_, .slot = flows_, .client = at(port), .server = at(39000), .unix_server = {}});
        builder.on(StreamOpened{.id = 5, .kind = StreamKind::out, .port = {}, .request_id = {}, .why = {}}, place());
        const chain::Session& opened = *builder.model().sessions.back();
        late.opened(opened, builder);
        return opened;
    }
    [[nodiscard]] chain::Place place() const { return {.flow = flows_, .slot = flows_, .at = {5000 * kMs}}; }
    // What it said at its end.
    void ended(int code) {
        builder.on(ExitStatus{.id = 1, .success = code == 0, .exit_code = code, .reason = {}, .message = {}}, place());
    }
    chain::Chain chain_of(const chain::Session& session) {
        late.look(session, builder, book, processes);
        chain::Chain chain;
        chain.op = session.op;
        chain.sessions = {session.number};
        is_late = late.complete(chain, builder.model().sessions, book);
        return chain;
    }

    procmap::test::Tree tree;
    SocketTable table;
    chain::ProcessBook book;
    chain::SessionProcesses processes;
    chain::Builder builder;
    LateSessions late;
    bool is_late = false;

private:
    std::uint32_t flows_ = 0;
    int fd_ = 5;
};

TEST_F(LiveLate, exec_by_fifo_pid_by_the_shims_folder_and_what_runs_below) {
    connection(1);
    streams(kExec, {"stdin", "stdout"});
    tree.write(kBundles + kContainer + "/" + kExec + ".pid", "40");
    program(40, kShim, "sh");
    program(41, 40, "sleep");
    program(42, kMain, "httpd");
    begin();
    const chain::Session& only = session(1);
    EXPECT_TRUE(late.waits_for(only.number));
    const chain::Chain chain = chain_of(only);
    EXPECT_FALSE(late.waits_for(only.number));
    EXPECT_TRUE(is_late);
    EXPECT_EQ(only.hop, chain::HopKind::runtime);
    EXPECT_EQ(only.grade, Grade::seen);
    EXPECT_EQ(only.op, chain::Op::exec);
    EXPECT_EQ(only.container.id, kContainer);
    EXPECT_THAT(only.evidence, says("the only exec whose streams the runtime held open"));
    ASSERT_THAT(chain.hops, SizeIs(1));
    const chain::Hop& hop = chain.hops[0];
    EXPECT_EQ(hop.kind, chain::HopKind::process);
    EXPECT_EQ(hop.from->pid, kShim);
    EXPECT_EQ(hop.to->pid, 40U);
    EXPECT_THAT(hop.evidence, says("in the shim's folder under the exec's id"));
    ASSERT_THAT(hop.ran, SizeIs(2));
    EXPECT_EQ(hop.ran[0].command, (std::vector<Untrusted>{Untrusted("sh"), Untrusted("arg")}));
    EXPECT_EQ(hop.ran[1].process.pid, 41U);
    std::vector<std::uint32_t> told;
    processes.look(builder, book, {6000 * kMs}, [&](const chain::Session&, const chain::ProcessStep& step) {
        EXPECT_TRUE(step.already);
        told.push_back(step.process->process.pid);
    });
    EXPECT_EQ(told, (std::vector<std::uint32_t>{40, 41}));
}

TEST_F(LiveLate, who_has_opened_a_connection) {
    connection(1);
    begin();
    EXPECT_EQ(late.first_is_client(at(1), at(39000)), true);
    EXPECT_EQ(late.first_is_client(at(39000), at(1)), false);
    EXPECT_EQ(late.first_is_client(at(39000), at(2)), std::nullopt);
}

TEST_F(LiveLate, without_the_file_the_only_other_child_of_the_shim) {
    connection(1);
    streams(kExec, {"stdin", "stdout"});
    program(40, kShim, "sh");
    begin();
    const chain::Chain chain = chain_of(session(1));
    ASSERT_THAT(chain.hops, SizeIs(1));
    EXPECT_EQ(chain.hops[0].to->pid, 40U);
    EXPECT_THAT(chain.hops[0].evidence, says("beside the main process it is the only one"));
}

TEST_F(LiveLate, without_the_file_one_of_several_children_is_not_taken) {
    connection(1);
    streams(kExec, {"stdin", "stdout"});
    program(40, kShim, "sh");
    program(41, kShim, "orphan");
    begin();
    const chain::Session& only = session(1);
    EXPECT_THAT(chain_of(only).hops, IsEmpty());
    EXPECT_EQ(only.container.id, kContainer) << "the exec's FIFO tells that much";
}

TEST_F(LiveLate, a_number_that_is_another_containers_by_now_is_not_taken) {
    connection(1);
    streams(kExec, {"stdin", "stdout"});
    tree.write(kBundles + kContainer + "/" + kExec + ".pid", "40");
    process(40, 1, "other", ProcessRole::unknown, kSandbox);
    begin();
    EXPECT_THAT(chain_of(session(1)).hops, IsEmpty());
}

TEST_F(LiveLate, two_execs_are_listed_until_their_ends_tell_them_apart) {
    connection(1);
    connection(2);
    streams(kExec, {"stdout"});
    streams(kOtherExec, {"stdout"});
    tree.write(kBundles + kContainer + "/" + kExec + ".pid", "40");
    tree.write(kBundles + kContainer + "/" + kOtherExec + ".pid", "41");
    program(40, kShim, "sh");
    program(41, kShim, "sh");
    begin();
    const chain::Session& one = session(1);
    const chain::Chain unknown = chain_of(one);
    EXPECT_THAT(unknown.hops, IsEmpty());
    EXPECT_THAT(unknown.candidates, SizeIs(2));
    EXPECT_THAT(unknown.candidates, says("pid 41, ran when hopscope began to look, and so did 1 more"));
    EXPECT_EQ(one.container.id, kContainer);
    book.on({.kind = ProcessEvent::Kind::exit,
             .at = {4000 * kMs},
             .process = {.pid = 41, .start_ticks = 41},
             .exit_code = 3});
    ended(3);
    const chain::Chain known = chain_of(one);
    ASSERT_THAT(known.hops, SizeIs(1));
    EXPECT_EQ(known.hops[0].to->pid, 41U);
    EXPECT_THAT(known.hops[0].evidence, says("ended with 3, as the session says"));
}

TEST_F(LiveLate, an_attach_has_the_containers_main_process) {
    connection(1);
    program(42, kMain, "httpd");
    begin();
    const chain::Session& only = session(1);
    const chain::Chain chain = chain_of(only);
    EXPECT_EQ(only.op, chain::Op::attach);
    ASSERT_THAT(chain.hops, SizeIs(1));
    EXPECT_EQ(chain.hops[0].to->pid, kMain);
    ASSERT_THAT(chain.hops[0].ran, SizeIs(2));
    EXPECT_EQ(chain.hops[0].ran[1].process.pid, 42U);
}

TEST_F(LiveLate, another_runtimes_containers_do_not_count) {
    connection(1);
    process(60, 1, "containerd", ProcessRole::containerd);
    tree.link("/proc/60/fd/9",
              "/run/two/io.containerd.grpc.v1.cri/containers/" + kOtherExec + "/io/1/" + kOtherExec + "-stdin");
    begin();
    const chain::Chain chain = chain_of(session(1));
    ASSERT_THAT(chain.hops, SizeIs(1));
    EXPECT_EQ(chain.hops[0].to->pid, kMain);
}

TEST_F(LiveLate, without_connections_nothing_is_read_and_later_sessions_are_none_of_its) {
    streams(kExec, {"stdout"});
    tree.write(kBundles + kContainer + "/" + kExec + ".pid", "40");
    program(40, kShim, "sh");
    begin();
    EXPECT_EQ(book.programs(), 0U);
    const chain::Session& other = session(1);
    EXPECT_FALSE(late.waits_for(other.number));
    EXPECT_THAT(chain_of(other).hops, IsEmpty());
    EXPECT_FALSE(is_late);
    EXPECT_EQ(other.hop, chain::HopKind::unknown);
}

TEST_F(LiveLate, what_is_gone_from_proc_is_no_error) {
    connection(1);
    begin();
    table.processes.clear();
    LateSessions nothing;
    chain::ProcessBook empty;
    nothing.begin(procmap::HostRoot("/nowhere"), table, empty, true);
    EXPECT_EQ(empty.programs(), 0U);
}

}  // namespace
}  // namespace hopscope::cli
