// What an ordinary user is told of a process whose executable he may not read. Needs root, to be others.
#include <fcntl.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "procmap/table/cgroup_path.h"
#include "procmap/table/elf_builder.h"
#include "procmap/table/reader.h"
#include "procmap/table/tree.h"

namespace hopscope::procmap {
namespace {

constexpr uid_t kNobody = 65534;

bool become_nobody() { return ::setgroups(0, nullptr) == 0 && ::setgid(kNobody) == 0 && ::setuid(kNobody) == 0; }

class FirstArgument : public ::testing::Test {
protected:
    void SetUp() override {
        if (::geteuid() != 0) GTEST_SKIP() << "needs root, to be others";
        std::filesystem::permissions(tree_.directory(), std::filesystem::perms(0755));
        tree_.write(
            "/true/containerd",
            test::elf64({{".go.buildinfo",
                          test::build_info("go1.19.8", "path\tgithub.com/containerd/containerd/cmd/containerd\n")}}));
        // Its name is a component's, it sleeps, and who started it may not read it: it is setuid.
        std::filesystem::copy_file("/bin/sleep", tree_.path("/containerd"));
        ASSERT_EQ(::chmod(tree_.path("/containerd").c_str(), 04755), 0);
    }
    void TearDown() override {
        if (sleeper_ <= 0) return;
        ::kill(sleeper_, SIGKILL);
        ::waitpid(sleeper_, nullptr, 0);
    }
    // Starts it with the path of a true containerd as its name.
    void start(bool as_nobody) {
        int done[2];
        ASSERT_EQ(::pipe2(done, O_CLOEXEC), 0);
        sleeper_ = ::fork();
        if (sleeper_ == 0) {
            if (!as_nobody || become_nobody())
                ::execl(tree_.path("/containerd").c_str(), tree_.path("/true/containerd").c_str(), "60", nullptr);
            ::_exit(1);
        }
        ::close(done[1]);
        char none;
        EXPECT_EQ(::read(done[0], &none, 1), 0);  // closed by exec
        ::close(done[0]);
        struct stat status {};
        ASSERT_EQ(::stat(("/proc/" + std::to_string(sleeper_)).c_str(), &status), 0);
        if (status.st_uid != 0) GTEST_SKIP() << "no setuid programs here (nosuid)";
    }
    // The role that nobody is told, and whether there is a doubt.
    std::pair<ProcessRole, bool> told() {
        void* const shared = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        auto* const answer = static_cast<int*>(shared);
        *answer = -1;
        const pid_t child = ::fork();
        if (child == 0) {
            if (!become_nobody()) ::_exit(1);
            TableReader reader({.all_net_namespaces = false});
            const auto table = reader.read();
            const Process* process = table ? find_process(*table, static_cast<std::uint32_t>(sleeper_)) : nullptr;
            if (process == nullptr) ::_exit(2);
            *answer = static_cast<int>(process->role) * 2 + (process->role_doubt.empty() ? 0 : 1);
            ::_exit(0);
        }
        ::waitpid(child, nullptr, 0);
        const int value = *answer;
        ::munmap(shared, 4096);
        EXPECT_GE(value, 0);
        return {static_cast<ProcessRole>(value / 2), value % 2 == 1};
    }

    test::Tree tree_;
    pid_t sleeper_ = 0;
};

TEST_F(FirstArgument, OfASetuidProgramIsNotBelieved) {
    start(true);
    if (IsSkipped()) return;
    EXPECT_EQ(told(), std::pair(ProcessRole::unknown, true));
}

TEST_F(FirstArgument, OfRootIsBelievedWithADoubt) {
    start(false);
    const auto cgroup = HostRoot().read("/proc/self/cgroup");
    if (cgroup && is_of_user_session(telling_cgroup(*cgroup))) GTEST_SKIP() << "run from a login session";
    EXPECT_EQ(told(), std::pair(ProcessRole::containerd, true));
}

}  // namespace
}  // namespace hopscope::procmap
