// Descriptors of real processes, read one after the other by one DescriptorWalk: what it remembers of one never shows
// in what it tells of the next.
#include "procmap/table/descriptors.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vector>

#include "procmap/table/live_sockets.h"

namespace hopscope::procmap {
namespace {

// A process with descriptors at exactly `sockets` and `files`.
class Holder {
public:
    Holder(const std::vector<int>& sockets, const std::vector<int>& files) {
        int ready[2];
        EXPECT_EQ(::pipe(ready), 0);
        pid_ = ::fork();
        if (pid_ == 0) {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);
            const int say = ::fcntl(ready[1], F_DUPFD, 500), file = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
            const int socket = ::socket(AF_UNIX, SOCK_STREAM, 0);
            const int high_file = ::fcntl(file, F_DUPFD, 501), high_socket = ::fcntl(socket, F_DUPFD, 502);
            ::close_range(0, 499, 0);
            for (const int fd : sockets) ::dup2(high_socket, fd);
            for (const int fd : files) ::dup2(high_file, fd);
            ::close(high_file);
            ::close(high_socket);
            const bool told = ::write(say, "x", 1) == 1;
            ::close(say);
            while (told) ::pause();
            ::_exit(1);
        }
        ::close(ready[1]);
        char byte;
        EXPECT_EQ(::read(ready[0], &byte, 1), 1);
        EXPECT_EQ(::read(ready[0], &byte, 1), 0);  // nothing but what was asked for is open
        ::close(ready[0]);
    }
    ~Holder() {
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }
    Holder(const Holder&) = delete;
    Holder& operator=(const Holder&) = delete;
    [[nodiscard]] std::uint32_t pid() const { return static_cast<std::uint32_t>(pid_); }

private:
    pid_t pid_ = -1;
};

TEST(DescriptorWalk, SiblingsAndStrangers) {
    const test::Fd proc(::open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    struct Case {
        std::vector<int> sockets, files;
    };
    const Case cases[]{
        {{3, 5, 6}, {0, 1, 2}},  // listed
        {{3, 5, 6}, {0, 1, 2}},  // the same numbers
        {{0, 5, 6}, {1, 2, 3}},  // the same numbers, other sockets
        {{3, 5, 7}, {0, 1, 2}},  // as many, one other number
        {{3, 5}, {0, 1, 2}},     // fewer
        {{3, 5, 9}, {0, 1, 2}},  // more again
        {{200}, {}},
        {{}, {200}},
        {{}, {}},
        {{4}, {}},
    };
    for (const bool is_real_proc : {true, false}) {
        DescriptorWalk walk(is_real_proc);
        for (const Case& one : cases) {
            const Holder holder(one.sockets, one.files);
            std::vector<HeldSocket> held{{1, 1}};
            DirectoryFacts directory;
            EXPECT_EQ(walk.of(proc.get(), holder.pid(), held, directory), Walk::whole);
            std::vector<int> numbers;
            for (const HeldSocket& socket : held) {
                numbers.push_back(static_cast<int>(socket.fd));
                EXPECT_EQ(socket.inode, held.front().inode);
                EXPECT_GT(socket.inode, 0U);
            }
            EXPECT_EQ(numbers, one.sockets);
            if (directory.open != 0) EXPECT_EQ(directory.open, one.sockets.size() + one.files.size());
        }
    }
    std::vector<HeldSocket> held;
    DirectoryFacts directory;
    DescriptorWalk walk(true);
    EXPECT_EQ(walk.of(proc.get(), 0x7fffffff, held, directory), Walk::gone);
    EXPECT_EQ(directory, DirectoryFacts());
}

}  // namespace
}  // namespace hopscope::procmap
