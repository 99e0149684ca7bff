#include "procmap/bpf/process_watcher.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <chrono>
#include <fstream>
#include <thread>

#include "procmap/bpf/clock.h"
#include "sockets_of_a_test.h"
#include "support/control_group.h"

namespace hopscope::procmap {
namespace {

using namespace hopscope::test;

class ProcessWatcherTest : public ::testing::Test {
protected:
    void SetUp() override {
        auto opened = ProcessWatcher::open();
        SKIP_OR_FAIL_WITHOUT(opened);
        watcher = std::move(*opened);
    }
    // Starts the program in a child that does `before` first; waits for its end. Returns its pid.
    template <typename Before>
    std::uint32_t run(std::vector<const char*> arguments, Before before) {
        arguments.push_back(nullptr);
        const pid_t child = ::fork();
        if (child == 0) {
            before();
            ::execv(arguments[0], const_cast<char* const*>(arguments.data()));
            ::_exit(126);
        }
        ::waitpid(child, nullptr, 0);
        return static_cast<std::uint32_t>(child);
    }
    std::uint32_t run(std::vector<const char*> arguments) {
        return run(std::move(arguments), [] {});
    }
    // All starts and ends until nothing came of this process for half a second; how it was made is in `forks`.
    std::vector<ProcessEvent> events_of(std::uint32_t pid) {
        std::vector<ProcessEvent> found;
        forks.clear();
        auto last = std::chrono::steady_clock::now();
        while (std::chrono::steady_clock::now() - last < std::chrono::milliseconds(500)) {
            pollfd waiting{watcher->fd(), POLLIN, 0};
            ::poll(&waiting, 1, 50);
            watcher->drain([&](const ProcessEvent& event) {
                if (event.process.pid != pid) return;
                (event.kind == ProcessEvent::Kind::fork ? forks : found).push_back(event);
                last = std::chrono::steady_clock::now();
            });
        }
        return found;
    }
    std::unique_ptr<ProcessWatcher> watcher;
    std::vector<ProcessEvent> forks;
};

std::vector<std::string> words(const std::vector<Untrusted>& texts) {
    std::vector<std::string> plain;
    for (const Untrusted& text : texts) plain.push_back(text.raw());
    return plain;
}

TEST_F(ProcessWatcherTest, program_that_ends_at_once) {
    const std::int64_t before = clock_ns(CLOCK_REALTIME);
    const std::uint32_t pid = run({"/bin/true", "first", "", "third argument"});
    const auto events = events_of(pid);
    ASSERT_EQ(events.size(), 2U);
    EXPECT_EQ(events[0].kind, ProcessEvent::Kind::exec);
    EXPECT_EQ(events[0].filename.raw(), "/bin/true");
    EXPECT_EQ(events[0].comm.raw(), "true");
    EXPECT_EQ(words(events[0].cmdline), (std::vector<std::string>{"/bin/true", "first", "", "third argument"}));
    EXPECT_EQ(events[0].parent_pid, static_cast<std::uint32_t>(::getpid()));
    EXPECT_EQ(events[1].kind, ProcessEvent::Kind::exit);
    EXPECT_EQ(events[1].exit_code, 0);
    EXPECT_EQ(events[1].process, events[0].process);
    EXPECT_GE(events[0].at.ns, before);
    EXPECT_LE(events[0].at, events[1].at);
    EXPECT_LE(events[1].at.ns, clock_ns(CLOCK_REALTIME));
    EXPECT_EQ(watcher->lost(), 0U);
}

TEST_F(ProcessWatcherTest, exit_codes_and_signals) {
    const std::uint32_t three = run({"/bin/sh", "-c", "exit 3"});
    const auto of_three = events_of(three);
    ASSERT_EQ(of_three.size(), 2U);
    EXPECT_EQ(words(of_three[0].cmdline), (std::vector<std::string>{"/bin/sh", "-c", "exit 3"}));
    EXPECT_EQ(of_three[1].exit_code, 3);
    const std::uint32_t killed = run({"/bin/sh", "-c", "kill -9 $$"});
    const auto of_killed = events_of(killed);
    ASSERT_EQ(of_killed.size(), 2U);
    EXPECT_EQ(of_killed[1].exit_code, 128 + 9);
}

TEST_F(ProcessWatcherTest, arguments_are_cut_at_512_bytes) {
    const std::string longest(2000, 'a');
    const auto events = events_of(run({"/bin/true", longest.c_str()}));
    ASSERT_EQ(events.size(), 2U);
    ASSERT_EQ(events[0].cmdline.size(), 2U);
    EXPECT_EQ(events[0].cmdline[1].raw(), std::string(512 - sizeof "/bin/true", 'a'));
}

// Threads are not processes: a program of many threads ends once.
TEST_F(ProcessWatcherTest, threads_end_without_an_event) {
    const pid_t child = ::fork();
    if (child == 0) {
        std::vector<std::thread> threads;
        for (int i = 0; i < 8; ++i) threads.emplace_back([] { ::usleep(1000); });
        for (std::thread& thread : threads) thread.join();
        ::_exit(5);
    }
    ::waitpid(child, nullptr, 0);
    const auto events = events_of(static_cast<std::uint32_t>(child));
    ASSERT_EQ(events.size(), 1U);
    EXPECT_EQ(events[0].kind, ProcessEvent::Kind::exit);
    EXPECT_EQ(events[0].exit_code, 5);
    EXPECT_EQ(forks.size(), 1U);
}

// Who made a process is known although its maker is gone before it starts a program.
TEST_F(ProcessWatcherTest, who_made_a_process_that_was_orphaned) {
    int way[2];
    ASSERT_EQ(::pipe(way), 0);
    const pid_t middle = ::fork();
    if (middle == 0) {
        const pid_t last = ::fork();
        if (last == 0) {
            ::usleep(100'000);
            ::execl("/bin/true", "/bin/true", nullptr);
            ::_exit(126);
        }
        [[maybe_unused]] const ssize_t told = ::write(way[1], &last, sizeof last);
        ::_exit(0);
    }
    pid_t last = 0;
    ASSERT_EQ(::read(way[0], &last, sizeof last), static_cast<ssize_t>(sizeof last));
    ::waitpid(middle, nullptr, 0);
    ::close(way[0]);
    ::close(way[1]);
    const auto events = events_of(static_cast<std::uint32_t>(last));
    ASSERT_EQ(forks.size(), 1U);
    EXPECT_EQ(forks[0].parent_pid, static_cast<std::uint32_t>(middle));
    ASSERT_EQ(events.size(), 2U);
    EXPECT_NE(events[0].parent_pid, static_cast<std::uint32_t>(middle)) << "it has another parent now";
    EXPECT_EQ(forks[0].process, events[0].process);
    EXPECT_LE(forks[0].at, events[0].at);
}

TEST_F(ProcessWatcherTest, names_of_the_control_groups) {
    const std::string root = hopscope::test::writable_control_groups();
    if (root.empty()) GTEST_SKIP() << "no control group to write to";
    const std::string outer = root + "/hopscope-test-pod" + std::to_string(::getpid());
    const std::string inner = outer + "/" + std::string(64, 'a');
    if (::mkdir(outer.c_str(), 0755) != 0) GTEST_SKIP() << "cannot make " << outer << ": " << std::strerror(errno);
    ASSERT_EQ(::mkdir(inner.c_str(), 0755), 0);
    const std::uint32_t pid =
        run({"/bin/true"}, [&] { std::ofstream(inner + "/cgroup.procs") << ::getpid() << std::flush; });
    const auto events = events_of(pid);
    ::rmdir(inner.c_str());
    ::rmdir(outer.c_str());
    ASSERT_EQ(events.size(), 2U);
    for (const ProcessEvent& event : events) {
        ASSERT_GE(event.cgroup_names.size(), 2U);
        EXPECT_EQ(event.cgroup_names[0].raw(), std::string(64, 'a'));
        EXPECT_EQ(event.cgroup_names[1].raw(), "hopscope-test-pod" + std::to_string(::getpid()));
    }
}

TEST_F(ProcessWatcherTest, a_ring_that_is_too_small_counts_what_it_lost) {
    auto small = ProcessWatcher::open(4096);
    SKIP_OR_FAIL_WITHOUT(small);
    for (int i = 0; i < 20; ++i) run({"/bin/true"});
    const std::size_t drained = (*small)->drain([](const ProcessEvent&) {});
    EXPECT_GT((*small)->lost(), 0U);
    EXPECT_GE((*small)->lost() + (*small)->events(), 40U);
    EXPECT_LE(drained, (*small)->events());
}

}  // namespace
}  // namespace hopscope::procmap
