#include "export/output.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <thread>

namespace hopscope::exports {
namespace {

TEST(Output, keeps_the_order_of_small_and_large_pieces) {
    StringOutput out;
    std::string want;
    const std::string large(3 * kOutputBufferBytes + 7, 'L');
    for (int i = 0; i < 3; ++i) {
        for (const std::string& piece :
             {std::string("small"), std::string(kOutputBufferBytes - 2, 'm'), large, std::string()}) {
            out.append(piece);
            want += piece;
        }
        char* room = out.room(4);
        *room++ = '|';
        out.commit(room);
        want += '|';
    }
    EXPECT_EQ(out.text(), want);
}

struct Pipe {
    Pipe() { EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0); }
    ~Pipe() {
        for (const int fd : ends)
            if (fd >= 0) ::close(fd);
    }
    void close_end(int which) {
        ::close(ends[which]);
        ends[which] = -1;
    }
    int ends[2];
};

TEST(FdOutput, writes_through_a_full_nonblocking_pipe) {
    Pipe pipe;
    ASSERT_EQ(::fcntl(pipe.ends[1], F_SETFL, O_NONBLOCK), 0);
    const std::string all(1 << 20, 'x');
    std::size_t read_bytes = 0;
    std::thread reader([&] {
        char buffer[4096];
        for (ssize_t n = 0; (n = ::read(pipe.ends[0], buffer, sizeof buffer)) > 0;)
            read_bytes += static_cast<std::size_t>(n);
    });
    {
        FdOutput out(pipe.ends[1], "standard output");
        out.append(all);
        out.append("tail");
        out.flush();
        EXPECT_FALSE(out.failed());
        EXPECT_TRUE(out.status());
    }
    pipe.close_end(1);
    reader.join();
    EXPECT_EQ(read_bytes, all.size() + 4);
}

TEST(FdOutput, remembers_that_the_reader_is_gone) {
    const auto before = std::signal(SIGPIPE, SIG_IGN);
    Pipe pipe;
    pipe.close_end(0);
    FdOutput out(pipe.ends[1], "standard output");
    out.append("x");
    out.flush();
    out.append("y");
    EXPECT_TRUE(out.failed());
    const Status status = out.status();
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, "OUT-01");
    EXPECT_EQ(status.error().errno_value, EPIPE);
    std::signal(SIGPIPE, before);
}

TEST(FdOutput, says_that_the_disk_is_full) {
    const int fd = ::open("/dev/full", O_WRONLY | O_CLOEXEC);
    if (fd < 0) GTEST_SKIP() << "no /dev/full here";
    {
        FdOutput out(fd, "report.json");
        out.append(std::string(100'000, 'x'));
        out.flush();
        const Status status = out.status();
        ASSERT_FALSE(status);
        EXPECT_EQ(status.error().code, "OUT-02");
        EXPECT_EQ(status.error().subject, "report.json");
        EXPECT_FALSE(status.error().hint.empty());
    }
    ::close(fd);
}

}  // namespace
}  // namespace hopscope::exports
