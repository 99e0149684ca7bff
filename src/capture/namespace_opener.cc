#include "capture/namespace_opener.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstring>
#include <system_error>

namespace hopscope::capture {
namespace {

constexpr int kPair = 0, kProc = 1;  // the only descriptors of the opener
constexpr unsigned kFirstOther = 2;
constexpr int kNoMatch = ESTALE;  // told where the namespace is another one
constexpr timeval kAnswerWithin{.tv_sec = 1, .tv_usec = 0};

struct Request {
    std::uint64_t inode = 0;
    std::uint32_t pid = 0;
    std::uint32_t number = 0;
};
struct Answer {
    std::int32_t error = 0;    // 0: a socket comes with it
    std::uint32_t number = 0;  // the request's: one that came too late is not taken for another's
};

union Rights {
    cmsghdr align;
    std::array<char, CMSG_SPACE(sizeof(int))> bytes;
};

Unexpected<Error> failed(const char* doing, int error, std::string subject = {}) {
    return unexpected(Error{.doing = doing,
                            .subject = std::move(subject),
                            .why = error == kNoMatch ? "it is gone" : std::generic_category().message(error),
                            .errno_value = error,
                            .hint = {},
                            .code = "CAP-26"});
}

// --- in the opener: system calls only, as few as there can be (cli/sandbox allows no other)

int open_in(const Request& request, int& error) {
    // "PID/ns/net", without the heap.
    std::array<char, 32> path{};
    constexpr std::string_view kRest = "/ns/net";
    const auto digits = std::to_chars(path.data(), path.data() + 12, request.pid);
    kRest.copy(digits.ptr, kRest.size());
    error = 0;
    const int net = ::openat(kProc, path.data(), O_RDONLY | O_CLOEXEC);
    if (net < 0) {
        error = errno;
        return -1;
    }
    struct stat facts {};
    const bool known = ::fstat(net, &facts) == 0;
    if (known && facts.st_ino != request.inode)
        error = kNoMatch;
    else if (!known || ::setns(net, CLONE_NEWNET) != 0)
        error = errno;
    ::close(net);
    if (error != 0) return -1;
    const int fd = ::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    if (fd < 0) error = errno;
    return fd;
}

void serve() {
    for (;;) {
        Request request;
        const ssize_t got = ::recv(kPair, &request, sizeof request, 0);
        if (got < 0 && errno == EINTR) continue;
        if (got != static_cast<ssize_t>(sizeof request)) return;  // 0: nobody is there any more
        Answer answer{.number = request.number};
        const int fd = open_in(request, answer.error);
        iovec part{.iov_base = &answer, .iov_len = sizeof answer};
        Rights rights{};
        msghdr message{};
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        if (fd >= 0) {
            message.msg_control = rights.bytes.data();
            message.msg_controllen = rights.bytes.size();
            cmsghdr* head = CMSG_FIRSTHDR(&message);
            head->cmsg_level = SOL_SOCKET;
            head->cmsg_type = SCM_RIGHTS;
            head->cmsg_len = CMSG_LEN(sizeof fd);
            std::memcpy(CMSG_DATA(head), &fd, sizeof fd);
        }
        const bool sent = ::sendmsg(kPair, &message, MSG_NOSIGNAL) >= 0;
        if (fd >= 0) ::close(fd);
        if (!sent) return;
    }
}

void close_others() {
    if (::syscall(SYS_close_range, kFirstOther, ~0U, 0) == 0) return;
    const long most = ::sysconf(_SC_OPEN_MAX);  // before Linux 5.9
    for (int fd = static_cast<int>(kFirstOther); fd < (most > 0 ? most : 1024); ++fd) ::close(fd);
}

[[noreturn]] void be_opener(int pair, int proc, pid_t parent, const std::function<bool()>& confine) {
    ::prctl(PR_SET_NAME, "hopscope-netns", 0, 0, 0);
    // ^C goes to all processes of the terminal: the one that decodes decides when it is over.
    for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGPIPE}) ::signal(number, SIG_IGN);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (::getppid() != parent) ::_exit(0);
    // In this order neither is overwritten: both are above the standard descriptors (start()).
    if (::dup2(pair, kPair) < 0 || ::dup2(proc, kProc) < 0) ::_exit(1);
    close_others();
    if (!confine()) ::_exit(1);
    const char ready = 1;
    if (::send(kPair, &ready, sizeof ready, MSG_NOSIGNAL) == 1) serve();
    ::_exit(0);
}

// A descriptor that is not one of the standard ones, whatever of those is closed.
int above_standard(int fd) {
    if (fd < 0 || fd > STDERR_FILENO) return fd;
    const int moved = ::fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    ::close(fd);
    return moved;
}

}  // namespace

Result<std::unique_ptr<NamespaceOpener>> NamespaceOpener::start(const std::string& proc,
                                                                const std::function<bool()>& confine) {
    constexpr const char* kDoing = "cannot start what opens network namespaces";
    std::array<int, 2> pair{};
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair.data()) != 0) return failed(kDoing, errno);
    Descriptor ours(above_standard(pair[0])), theirs(above_standard(pair[1]));
    Descriptor folder(above_standard(::open(proc.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)));
    if (!ours.ok() || !theirs.ok() || !folder.ok()) return failed(kDoing, errno, proc);
    const pid_t parent = ::getpid();
    const pid_t child = ::fork();
    if (child < 0) return failed(kDoing, errno);
    if (child == 0) be_opener(theirs.get(), folder.get(), parent, confine);
    theirs.reset(-1);
    std::unique_ptr<NamespaceOpener> opener(new NamespaceOpener(child, ours.release()));
    char ready = 0;
    if (::recv(opener->socket_.get(), &ready, sizeof ready, 0) != 1) return failed(kDoing, EPERM);
    ::setsockopt(opener->socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &kAnswerWithin, sizeof kAnswerWithin);
    return opener;
}

NamespaceOpener::~NamespaceOpener() {
    socket_.reset(-1);
    int status = 0;
    while (::waitpid(child_, &status, 0) < 0 && errno == EINTR) {
    }
}

Result<int> NamespaceOpener::open(std::uint32_t pid, std::uint64_t inode) {
    constexpr const char* kDoing = "cannot enter the network namespace of process";
    const std::string subject = std::to_string(pid);
    const Request request{.inode = inode, .pid = pid, .number = ++requests_};
    if (::send(socket_.get(), &request, sizeof request, MSG_NOSIGNAL) < 0) return failed(kDoing, errno, subject);
    for (;;) {
        Answer answer;
        iovec part{.iov_base = &answer, .iov_len = sizeof answer};
        Rights rights{};
        msghdr message{};
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        message.msg_control = rights.bytes.data();
        message.msg_controllen = rights.bytes.size();
        const ssize_t got = ::recvmsg(socket_.get(), &message, MSG_CMSG_CLOEXEC);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return failed(kDoing, errno == EAGAIN ? ETIMEDOUT : errno, subject);
        if (got != static_cast<ssize_t>(sizeof answer)) return failed(kDoing, EPIPE, subject);
        int fd = -1;
        const cmsghdr* head = CMSG_FIRSTHDR(&message);
        if (head != nullptr && head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS)
            std::memcpy(&fd, CMSG_DATA(head), sizeof fd);
        if (answer.number != request.number) {  // of a request that was given up
            if (fd >= 0) ::close(fd);
            continue;
        }
        if (answer.error != 0 || fd < 0) return failed(kDoing, answer.error != 0 ? answer.error : EPIPE, subject);
        return fd;
    }
}

}  // namespace hopscope::capture
