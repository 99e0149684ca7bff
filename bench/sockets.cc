// sockets PROCESSES SECONDS: a machine full of sockets to map. Each process holds ten: one TCP listener, two TCP
// connections to itself (four ends), a bound unix listener, and two unix socket pairs (four ends). Prints "ready" when
// all are open; ends when its standard input does, or after SECONDS. All on loopback.
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {

const sockaddr* generic(const void* address) { return static_cast<const sockaddr*>(address); }

void need(bool fine, const char* what) {
    if (fine) return;
    std::perror(what);
    _exit(1);
}

void open_ten_sockets(int number) {
    const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    need(::bind(listener, generic(&address), length) == 0 && ::listen(listener, 8) == 0, "listen");
    need(::getsockname(listener, static_cast<sockaddr*>(static_cast<void*>(&address)), &length) == 0, "getsockname");
    for (int i = 0; i < 2; ++i) {
        const int client = ::socket(AF_INET, SOCK_STREAM, 0);
        need(::connect(client, generic(&address), length) == 0, "connect");
        need(::accept(listener, nullptr, nullptr) >= 0, "accept");
    }
    const int bound = ::socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    const std::string text = "hopscope-bench-" + std::to_string(::getpid()) + "-" + std::to_string(number);
    std::memcpy(name.sun_path + 1, text.data(), text.size());
    need(::bind(bound, generic(&name), static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + text.size())) == 0,
         "bind");
    need(::listen(bound, 8) == 0, "listen unix");
    for (int i = 0; i < 2; ++i) {
        int pair[2];
        need(::socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0, "socketpair");
    }
}

}  // namespace

int main(int count, char** words) {
    if (count != 3) {
        std::fprintf(stderr, "usage: sockets PROCESSES SECONDS\n");
        return 2;
    }
    const int processes = std::atoi(words[1]), seconds = std::atoi(words[2]);
    ::close_range(3, ~0U, 0);  // whatever the caller left open would be counted in every process
    int ready[2];
    need(::pipe(ready) == 0, "pipe");
    const pid_t parent = ::getpid();
    std::vector<pid_t> children;
    for (int i = 0; i < processes; ++i) {
        const pid_t child = ::fork();
        need(child >= 0, "fork");
        if (child == 0) {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);
            if (::getppid() != parent) _exit(1);
            ::close(ready[0]);
            open_ten_sockets(i);
            need(::write(ready[1], "x", 1) == 1, "write");
            ::close(ready[1]);
            while (true) ::pause();
        }
        children.push_back(child);
    }
    ::close(ready[1]);
    char byte;
    int opened = 0;
    while (::read(ready[0], &byte, 1) == 1) ++opened;
    if (opened == processes) {
        std::puts("ready");
        std::fflush(stdout);
        pollfd input{STDIN_FILENO, POLLIN, 0};
        while (::poll(&input, 1, seconds * 1000) > 0 && ::read(STDIN_FILENO, &byte, 1) > 0) continue;
    }
    for (const pid_t child : children) ::kill(child, SIGKILL);
    for (const pid_t child : children) ::waitpid(child, nullptr, 0);
    return opened == processes ? 0 : 1;
}
