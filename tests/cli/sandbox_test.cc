// What the sandbox refuses, and that it leaves the rest alone: tried in a child process, as it cannot be undone.
#include "cli/sandbox.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <functional>
#include <thread>

namespace hopscope::cli {
namespace {

// The bits that `body` returns, from a child that is in the sandbox; 255: it could not enter.
int inside(Sandbox kind, const std::function<int()>& body) {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(enter_sandbox(kind) ? body() : 255);
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 254;
}

bool refused(long result) { return result < 0 && errno == EPERM; }

bool execve_is_refused() {
    char name[] = "/bin/true";
    char* argv[] = {name, nullptr};
    return refused(::execve(name, argv, nullptr));
}

TEST(Sandbox, OfflineRefusesProgramsSocketsAndTracing) {
    if (!sandbox_works()) GTEST_SKIP() << "no sandbox under a sanitizer: test_release has it";
    const int seen = inside(Sandbox::offline, [] {
        int bits = 0;
        if (refused(::socket(AF_INET, SOCK_STREAM, 0))) bits |= 1;
        if (refused(::socket(AF_UNIX, SOCK_STREAM, 0))) bits |= 2;
        if (execve_is_refused()) bits |= 4;
        if (refused(::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr))) bits |= 8;
        return bits;
    });
    EXPECT_EQ(seen, 15);
}

TEST(Sandbox, OfflineReadsWritesAndStartsThreads) {
    if (!sandbox_works()) GTEST_SKIP() << "no sandbox under a sanitizer: test_release has it";
    const int seen = inside(Sandbox::offline, [] {
        int bits = 0;
        char byte = 0;
        const int in = ::open(HOPSCOPE_SOURCE_DIR "/README.md", O_RDONLY | O_CLOEXEC);
        if (in >= 0 && ::read(in, &byte, 1) == 1) bits |= 1;
        const int out = ::open("/tmp", O_WRONLY | O_TMPFILE | O_CLOEXEC, 0600);
        if (out < 0 || ::write(out, "x", 1) == 1) bits |= 2;  // a file system may not have O_TMPFILE
        std::thread([&] { bits |= 4; }).join();
        return bits;
    });
    EXPECT_EQ(seen, 7);
}

TEST(Sandbox, LiveHasSocketsButNoPrograms) {
    if (!sandbox_works()) GTEST_SKIP() << "no sandbox under a sanitizer: test_release has it";
    const int seen = inside(
        Sandbox::live, [] { return (::socket(AF_UNIX, SOCK_STREAM, 0) >= 0 ? 1 : 0) | (execve_is_refused() ? 2 : 0); });
    EXPECT_EQ(seen, 3);
}

TEST(Sandbox, OpenerMakesPacketSocketsAndHardlyAnythingElse) {
    if (!sandbox_works()) GTEST_SKIP() << "no sandbox under a sanitizer: test_release has it";
    const int seen = inside(Sandbox::opener, [] {
        int bits = 0;
        if (refused(::socket(AF_INET, SOCK_STREAM, 0))) bits |= 1;
        if (refused(::open("/tmp/hopscope-must-not-be", O_WRONLY | O_CREAT, 0600))) bits |= 2;
        if (::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC) >= 0) bits |= 4;
        if (refused(::setns(0, CLONE_NEWNS))) bits |= 8;
        if (::setns(-1, CLONE_NEWNET) < 0 && errno == EBADF) bits |= 16;
        if (execve_is_refused()) bits |= 32;
        if (refused(::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr))) bits |= 64;
        return bits;
    });
    EXPECT_EQ(seen, 127);
}

}  // namespace
}  // namespace hopscope::cli
