// Which process an exec started: what joins it, what must not, and that nothing is guessed.
#include "chain/process_book.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "chain_of.h"
#include "core/limits.h"

namespace hopscope::chain {
namespace {

using testing::Contains;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

constexpr std::int64_t kMs = 1'000'000;
constexpr std::uint32_t kShim = 50;
const std::string kContainer(64, 'a'), kOther(64, 'b');

std::vector<Untrusted> words(std::initializer_list<std::string_view> all) {
    std::vector<Untrusted> list;
    for (const std::string_view word : all) list.emplace_back(word);
    return list;
}

// A node where a runtime starts programs: a helper outside of the container, then the program in it.
class Node {
public:
    Node() { exec(0, kShim, 1, "containerd-shim", words({"containerd-shim"}), ""); }

    void exec(std::int64_t ms, std::uint32_t pid, std::uint32_t parent, std::string_view comm,
              std::vector<Untrusted> arguments, const std::string& cgroup, std::string_view file = "/bin/sh") {
        book.on({.kind = ProcessEvent::Kind::exec,
                 .at = {ms * kMs},
                 .process = {.pid = pid, .start_ticks = 7},
                 .parent_pid = parent,
                 .comm = Untrusted(comm),
                 .filename = Untrusted(file),
                 .cmdline = std::move(arguments),
                 .cgroup_names = cgroup.empty() ? std::vector<Untrusted>{Untrusted("system.slice")}
                                                : std::vector<Untrusted>{Untrusted(cgroup), Untrusted("kubepods")}});
    }
    // As runc does it: pid - 1 is its helper.
    void start(std::int64_t ms, std::uint32_t pid, std::vector<Untrusted> arguments,
               const std::string& container = kContainer) {
        exec(ms - 1, pid - 1, kShim, "runc", words({"runc", "exec"}), "");
        exec(ms, pid, pid - 1, "sh", std::move(arguments), "cri-containerd-" + container + ".scope");
    }
    void fork(std::int64_t ms, std::uint32_t pid, std::uint32_t maker) {
        book.on({.kind = ProcessEvent::Kind::fork,
                 .at = {ms * kMs},
                 .process = {.pid = pid, .start_ticks = 7},
                 .parent_pid = maker});
    }
    void exit(std::int64_t ms, std::uint32_t pid, int code) {
        book.on({.kind = ProcessEvent::Kind::exit,
                 .at = {ms * kMs},
                 .process = {.pid = pid, .start_ticks = 7},
                 .exit_code = code});
    }
    Session& session(std::int64_t start_ms, std::int64_t end_ms, std::vector<Untrusted> command,
                     std::optional<int> code = std::nullopt) {
        auto fresh = std::make_unique<Session>();
        fresh->number = static_cast<std::uint32_t>(sessions.size() + 1);
        fresh->op = Op::exec;
        fresh->state = SessionState::closed;
        fresh->hop = HopKind::runtime;
        fresh->start = {start_ms * kMs};
        fresh->end = {end_ms * kMs};
        fresh->over = true;
        fresh->command = std::move(command);
        fresh->container.id = Untrusted(kContainer);
        fresh->exit_code = code;
        return *sessions.emplace_back(std::move(fresh));
    }
    Chain chain_of(const Session& session) { return test::chain_of(book, session, sessions); }

    ProcessBook book;
    std::vector<std::unique_ptr<Session>> sessions;
};

auto says(const std::string& text) { return Contains(Field(&Evidence::says, HasSubstr(text))); }

TEST(ProcessBook, joins_by_the_arguments_and_tells_parent_start_and_exit) {
    Node node;
    node.start(120, 1001, words({"sh", "-c", "secret"}));
    node.exit(180, 1001, 3);
    const Chain chain = node.chain_of(node.session(100, 200, words({"sh", "-c", "secret"}), 3));
    ASSERT_THAT(chain.hops, SizeIs(1));
    const Hop& hop = chain.hops[0];
    EXPECT_EQ(hop.kind, HopKind::process);
    EXPECT_EQ(hop.grade, Grade::decoded);
    EXPECT_EQ(hop.to->pid, 1001U);
    EXPECT_EQ(hop.to->comm, Untrusted("sh"));
    EXPECT_EQ(hop.from->pid, kShim);
    EXPECT_EQ(hop.from->comm, Untrusted("containerd-shim"));
    EXPECT_EQ(hop.took.ns, 60 * kMs);
    EXPECT_THAT(hop.evidence, says("started 20.0 ms after the request"));
    EXPECT_THAT(hop.evidence, says("started by runc[1000], a child of containerd-shim[50]"));
    EXPECT_THAT(hop.evidence, says("ended with 3, as the session says"));
    EXPECT_THAT(chain.contradictions, IsEmpty());
    for (const Evidence& each : hop.evidence) EXPECT_THAT(each.says, Not(HasSubstr("secret")));
}

TEST(ProcessBook, another_exit_code_is_a_contradiction) {
    Node node;
    node.start(120, 1001, words({"sh"}));
    node.exit(180, 1001, 137);
    const Chain chain = node.chain_of(node.session(100, 200, words({"sh"}), 0));
    ASSERT_THAT(chain.hops, SizeIs(1));
    EXPECT_THAT(chain.contradictions, says("ended with 137, s1 says 0"));
}

TEST(ProcessBook, without_a_known_command_the_only_one_is_seen_not_proved) {
    Node node;
    node.start(120, 1001, words({"sh"}));
    const Chain chain = node.chain_of(node.session(100, 200, {}));
    ASSERT_THAT(chain.hops, SizeIs(1));
    EXPECT_EQ(chain.hops[0].grade, Grade::seen);
}

TEST(ProcessBook, a_script_runs_as_its_interpreter) {
    Node node;
    node.start(120, 1001, words({"/bin/sh", "/run.sh"}));
    const Chain chain = node.chain_of(node.session(100, 200, words({"/run.sh"})));
    ASSERT_THAT(chain.hops, SizeIs(1));
    EXPECT_EQ(chain.hops[0].grade, Grade::seen);
}

TEST(ProcessBook, equal_commands_at_once_are_listed_and_not_guessed) {
    Node node;
    node.start(120, 1001, words({"sh"}));
    node.start(121, 2001, words({"sh"}));
    const Session& first = node.session(100, 200, words({"sh"}));
    const Session& second = node.session(101, 200, words({"sh"}));
    for (const Session* session : {&first, &second}) {
        const Chain chain = node.chain_of(*session);
        EXPECT_THAT(chain.hops, IsEmpty());
        EXPECT_THAT(chain.candidates, SizeIs(2));
        EXPECT_THAT(chain.candidates, says("sh[1001] was started in the container"));
        EXPECT_THAT(chain.candidates, says("1 other sessions could have started it"));
    }
}

TEST(ProcessBook, one_process_that_two_sessions_could_have_started_is_nobodys) {
    Node node;
    node.start(120, 1001, words({"sh"}));
    const Session& first = node.session(100, 200, words({"sh"}));
    node.session(110, 200, words({"sh"}));
    const Chain chain = node.chain_of(first);
    EXPECT_THAT(chain.hops, IsEmpty());
    EXPECT_THAT(chain.candidates, SizeIs(1));
}

TEST(ProcessBook, different_commands_at_once_are_told_apart) {
    Node node;
    std::vector<const Session*> all;
    for (std::uint32_t i = 0; i < 10; ++i) {
        node.start(120 + i, 1001 + 10 * i, words({"sh", std::to_string(i)}));
        all.push_back(&node.session(100 + i, 200, words({"sh", std::to_string(i)})));
    }
    for (std::uint32_t i = 0; i < 10; ++i) {
        const Chain chain = node.chain_of(*all[i]);
        ASSERT_THAT(chain.hops, SizeIs(1));
        EXPECT_EQ(chain.hops[0].to->pid, 1001U + 10 * i);
    }
}

TEST(ProcessBook, what_it_starts_itself_is_not_it) {
    Node node;
    node.start(120, 1001, words({"sh", "-c", "sh"}));
    node.exec(130, 1002, 1001, "sh", words({"sh"}), kContainer);
    // A child of a process that was there before.
    node.exec(131, 1003, 4711, "sleep", words({"sleep", "1"}), kContainer);
    const Chain chain = node.chain_of(node.session(100, 200, {}));
    ASSERT_THAT(chain.hops, SizeIs(1));
    EXPECT_EQ(chain.hops[0].to->pid, 1001U);
}

TEST(ProcessBook, the_last_program_of_the_process_counts_and_its_first_arguments_prove_it) {
    Node node;
    node.exec(118, 1001, kShim, "runc", words({"runc", "exec"}), "");
    node.exec(119, 1002, 1001, "runc:[2:INIT]", words({"runc", "init"}), kContainer, "/proc/self/fd/7");
    node.exec(120, 1003, 1001, "env", words({"env", "top"}), kContainer, "/usr/bin/env");
    node.exec(121, 1003, 1001, "top", words({"top"}), kContainer, "/usr/bin/top");
    node.exit(122, 1002, 0);
    const Chain chain = node.chain_of(node.session(100, 200, words({"env", "top"})));
    ASSERT_THAT(chain.hops, SizeIs(1));
    EXPECT_EQ(chain.hops[0].to->pid, 1003U);
    EXPECT_EQ(chain.hops[0].to->comm, Untrusted("top"));
    EXPECT_EQ(chain.hops[0].to->exe, Untrusted("/usr/bin/top"));
    EXPECT_EQ(chain.hops[0].grade, Grade::decoded);
}

TEST(ProcessBook, another_container_or_another_time_is_not_it) {
    Node node;
    node.start(120, 1001, words({"sh"}), kOther);
    node.start(50, 1011, words({"sh"}));    // before the request
    node.start(9000, 1021, words({"sh"}));  // long after it
    Session& session = node.session(100, 20'000, words({"sh"}));
    EXPECT_THAT(node.chain_of(session).hops, IsEmpty());
    EXPECT_THAT(node.chain_of(session).candidates, IsEmpty());
    node.start(130, 1031, words({"sh"}));
    session.state = SessionState::cut;  // it began before we looked
    EXPECT_THAT(node.chain_of(session).hops, IsEmpty());
}

TEST(ProcessBook, a_helper_that_is_gone_leaves_its_program_to_the_shim_that_was_there_before) {
    Node node;
    hopscope::Process shim, inside;
    shim.id.pid = 60;
    shim.comm = Untrusted("containerd-shim");
    inside.id.pid = 61;
    inside.comm = Untrusted("sh");
    inside.container_id = Untrusted(kContainer);
    node.book.know(shim);
    node.book.know(inside);
    node.exec(120, 1001, 60, "ls", words({"ls"}), kContainer);
    node.exec(121, 1002, 61, "ls", words({"ls"}), kContainer);
    const Chain chain = node.chain_of(node.session(100, 200, words({"ls"})));
    ASSERT_THAT(chain.hops, SizeIs(1));
    EXPECT_EQ(chain.hops[0].to->pid, 1001U);
    EXPECT_EQ(chain.hops[0].from->pid, 60U);
    EXPECT_THAT(chain.hops[0].evidence, says("started by containerd-shim[60]"));
}

TEST(ProcessBook, a_number_that_is_used_again_is_another_process) {
    Node node;
    node.start(10, 1001, words({"sh"}));
    node.exit(20, 1000, 0);  // the helper; its number then is that of a process in the container
    node.exec(2120, 1005, 1000, "ls", words({"ls"}), kContainer);
    EXPECT_THAT(node.chain_of(node.session(2100, 2200, words({"ls"}))).hops, IsEmpty());
}

TEST(ProcessBook, a_helper_that_is_just_ending_still_has_its_program) {
    Node node;
    node.exec(118, 1001, kShim, "runc", words({"runc", "exec"}), "");
    node.exit(119, 1001, 0);
    node.exec(120, 1002, 1001, "ls", words({"ls"}), kContainer);
    ASSERT_THAT(node.chain_of(node.session(100, 200, words({"ls"}))).hops, SizeIs(1));
}

// As lines: depth, pid, comm, exit code.
std::vector<std::string> tree(const Hop& hop) {
    std::vector<std::string> lines;
    for (std::size_t i = 0; i < hop.ran.size(); ++i) {
        std::string line;
        for (std::size_t at = i; at != 0; at = hop.ran[at].parent) line += "  ";
        line += hop.ran[i].process.comm.raw() + std::to_string(hop.ran[i].process.pid);
        if (hop.ran[i].exit_code) line += " " + std::to_string(*hop.ran[i].exit_code);
        lines.push_back(line);
    }
    return lines;
}

TEST(ProcessBook, what_the_shell_ran_whoever_its_parent_is_by_now) {
    Node node;
    node.start(120, 1001, words({"sh"}));
    node.fork(130, 1010, 1001);
    node.exec(131, 1010, 1001, "ls", words({"ls"}), kContainer);
    node.exit(132, 1010, 2);
    node.fork(140, 1011, 1001);  // a subshell: no program of its own
    node.fork(141, 1012, 1011);
    node.exit(142, 1011, 0);
    node.exec(143, 1012, 1, "sleep", words({"sleep", "9"}), kContainer);  // init has it now
    node.fork(150, 1013, 1012);
    node.exec(151, 1013, 1012, "date", words({"date"}), kContainer);
    node.exec(152, 1013, 1012, "env", words({"env"}), kContainer);  // another program, the same process
    node.fork(160, 1014, 1);                                        // another's
    node.exec(161, 1014, 1, "top", words({"top"}), kContainer);
    node.exit(170, 1001, 0);
    const Chain chain = node.chain_of(node.session(100, 200, words({"sh"})));
    ASSERT_THAT(chain.hops, SizeIs(1));
    EXPECT_THAT(tree(chain.hops[0]), testing::ElementsAre("sh1001 0", "  ls1010 2", "  sleep1012", "    env1013"));
    EXPECT_EQ(chain.hops[0].ran[3].programs, 2U);
    EXPECT_EQ(chain.hops[0].ran[1].command, words({"ls"}));
    EXPECT_EQ(chain.hops[0].ran[1].end->ns, 132 * kMs);
}

TEST(ProcessBook, a_number_that_is_used_again_does_not_inherit) {
    Node node;
    node.start(120, 1001, words({"sh"}));
    node.fork(130, 1010, 1001);
    node.exit(131, 1010, 0);
    node.fork(140, 1010, 4711);  // of a process that nobody knows
    node.exec(141, 1010, 4711, "top", words({"top"}), kContainer);
    const Chain chain = node.chain_of(node.session(100, 200, words({"sh"})));
    ASSERT_THAT(chain.hops, SizeIs(1));
    EXPECT_THAT(tree(chain.hops[0]), testing::ElementsAre("sh1001"));
}

TEST(ProcessBook, without_births_the_parent_tells_where_a_program_belongs) {
    Node node;
    node.start(120, 1001, words({"sh"}));
    node.exec(130, 1010, 1001, "ls", words({"ls"}), kContainer);
    const Chain chain = node.chain_of(node.session(100, 200, words({"sh"})));
    EXPECT_THAT(tree(chain.hops.at(0)), testing::ElementsAre("sh1001", "  ls1010"));
}

TEST(ProcessBook, the_shims_answer_decides_between_equal_commands) {
    Node node;
    node.start(120, 1001, words({"sh"}));
    node.start(121, 2001, words({"sh"}));
    node.exit(150, 2001, 4);
    const Session& session = node.session(100, 200, words({"sh"}), 4);
    Chain chain;
    chain.op = Op::exec;
    chain.sessions = {session.number};
    chain.started =
        StartedProcess{.pid = 2001, .shim_pid = kShim, .attached = false, .at = {122 * kMs}, .exit_code = 4};
    node.book.complete(chain, node.sessions);
    ASSERT_THAT(chain.hops, SizeIs(1));
    EXPECT_EQ(chain.hops[0].grade, Grade::decoded);
    EXPECT_EQ(chain.hops[0].to->pid, 2001U);
    EXPECT_THAT(chain.hops[0].evidence, says("the shim answered Start with its pid"));
    EXPECT_EQ(node.book.root_of(session, chain.started, node.sessions), std::optional<ProcessBook::Root>(1));
    // Its start was not seen: there is the answer alone.
    chain.hops.clear();
    chain.started->pid = 3001;
    node.book.complete(chain, node.sessions);
    ASSERT_THAT(chain.hops, SizeIs(1));
    EXPECT_EQ(chain.hops[0].to->pid, 3001U);
    EXPECT_THAT(chain.hops[0].evidence, says("ended with 4, as the session says"));
}

TEST(ProcessBook, of_an_attached_process_what_ran_meanwhile) {
    Node node;
    node.start(10, 1001, words({"server"}));
    for (std::uint32_t i = 0; i < 3; ++i) {
        node.fork(20 + 100 * i, 1010 + i, 1001);
        node.exec(21 + 100 * i, 1010 + i, 1001, "job", words({"job"}), kContainer);
        node.exit(30 + 100 * i, 1010 + i, 0);
    }
    Session& session = node.session(110, 150, {});
    session.op = Op::attach;
    Chain chain;
    chain.op = Op::attach;
    chain.sessions = {session.number};
    chain.started = StartedProcess{.pid = 1001, .shim_pid = kShim, .attached = true, .at = {}, .exit_code = {}};
    node.book.complete(chain, node.sessions);
    ASSERT_THAT(chain.hops, SizeIs(1));
    EXPECT_THAT(tree(chain.hops[0]), testing::ElementsAre("sh1001", "  job1011 0"));
}

TEST(ProcessBook, what_is_kept_of_the_trees_is_bounded_and_the_rest_counted) {
    Node node;
    const auto run = [&](std::uint32_t shell, std::uint32_t count) {
        node.start(120, shell, words({"sh"}));
        for (std::uint32_t i = 0; i < count; ++i) {
            node.fork(130, 500'000 + i, shell);
            node.exec(131, 500'000 + i, shell, "ls", words({"ls"}), kContainer);
            node.exit(132, 500'000 + i, 0);
        }
    };
    run(1001, limits::kBookRanPerProgramMax + 10);
    EXPECT_EQ(node.book.ran(0).size(), limits::kBookRanPerProgramMax);
    EXPECT_EQ(node.book.ran_dropped(0), 11U);
    EXPECT_LE(node.book.steps(0).size(), limits::kBookStepsPerProgramMax);
    for (std::uint32_t i = 1; i < 40; ++i) run(1001 + 10 * i, 900);
    EXPECT_LE(node.book.ran_kept(), limits::kBookRanMax);
    EXPECT_EQ(node.book.ran(0).size(), 1U) << "the oldest list was given up";
    EXPECT_EQ(node.book.ran_dropped(0), limits::kBookRanPerProgramMax + 10U);
    EXPECT_EQ(node.book.ran(39).size(), 901U);
}

TEST(ProcessBook, processes_that_ended_are_forgotten) {
    Node node;
    for (std::uint32_t i = 0; i < 3 * limits::kBookParentsMax; ++i) {
        node.fork(2 * i, 1'000'000 + i, kShim);
        node.exit(2 * i + 1, 1'000'000 + i, 0);
    }
    EXPECT_LT(node.book.parents(), 2000U);
    const std::int64_t now = 6 * std::int64_t{limits::kBookParentsMax};
    node.start(now, 1001, words({"sh"}));
    EXPECT_THAT(node.chain_of(node.session(now - 10, now + 100, words({"sh"}))).hops, SizeIs(1)) << "the shim is known";
}

TEST(ProcessBook, is_bounded) {
    Node node;
    for (std::uint32_t i = 0; i < 2 * limits::kBookProgramsMax; ++i) node.start(i, 10'001 + 2 * i, words({"sh"}));
    EXPECT_EQ(node.book.programs(), limits::kBookProgramsMax);
}

}  // namespace
}  // namespace hopscope::chain
