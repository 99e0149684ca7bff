#include "capture/live_namespace.h"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <thread>

namespace hopscope::capture {

Status in_net_namespace(const std::string& path, const std::function<void()>& action) {
    if (path.empty()) {
        action();
        return Done{};
    }
    const auto failed = [&](int error, const char* hint) {
        return unexpected(Error{.doing = "cannot enter the network namespace",
                                .subject = path,
                                .why = std::generic_category().message(error),
                                .errno_value = error,
                                .hint = hint,
                                .code = "CAP-26"});
    };
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return failed(errno, "name a process id, a name of 'ip netns list', or a namespace file");
    int error = 0;
    // setns(2) moves one thread only: this one ends right after, the others never see the other namespace.
    std::thread([&] {
        if (::setns(fd, CLONE_NEWNET) != 0)
            error = errno;
        else
            action();
    }).join();
    ::close(fd);
    if (error != 0)
        return failed(error, error == EPERM ? "CAP_SYS_ADMIN is needed: run it with sudo" : "name a network namespace");
    return Done{};
}

}  // namespace hopscope::capture
