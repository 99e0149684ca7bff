// Runs as the first program of a small virtual machine: loads every eBPF object on that kernel, uses each once, and
// says what came out; where the kernel is in lockdown "confidentiality", that each is refused and the error says why.
// Prints one line for each expectation and "ALL RIGHT" at the end, or "NOT RIGHT". See run.sh.
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <string>

#include "procmap/bpf/capabilities.h"
#include "procmap/bpf/process_watcher.h"
#include "procmap/bpf/scanner.h"
#include "procmap/bpf/unix_tap.h"
#include "procmap/bpf/watcher.h"

namespace {

using namespace hopscope;
using namespace hopscope::procmap;

constexpr const char* kPath = "/probe.sock";
bool all_right = true;

void expect(bool good, const std::string& what) {
    std::printf("%s  %s\n", good ? "ok  " : "FAIL", what.c_str());
    all_right = all_right && good;
}

template <typename Opened>
bool opened(const char* name, const Opened& result) {
    expect(result.has_value(), name);
    if (!result) std::printf("      %s: %s\n", result.error().doing.c_str(), result.error().why.c_str());
    return result.has_value();
}

// "none integrity [confidentiality]": the one in brackets is in force.
bool is_confidential() {
    std::string modes;
    std::getline(std::ifstream("/sys/kernel/security/lockdown"), modes);
    return modes.find("[confidentiality]") != std::string::npos;
}

template <typename Opened>
void expect_refused(const std::string& name, const Opened& result) {
    const bool refused = !result.has_value();
    expect(refused, name + (refused ? " is refused: " + result.error().why : " is refused, but it loads"));
    if (refused)
        expect(result.error().why.find("lockdown") != std::string::npos && result.error().code == "BPF-01",
               name + ": it says that lockdown is why");
}

int tcp_listener(sockaddr_in& address) {
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    const bool bound = ::bind(fd, reinterpret_cast<const sockaddr*>(&address), size) == 0 && ::listen(fd, 8) == 0 &&
                       ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0;
    expect(bound, "a TCP listener");
    return fd;
}

void check_sockets(const std::vector<Socket>& sockets) {
    const auto pid = static_cast<std::uint32_t>(::getpid());
    int listeners = 0, peers = 0, files = 0;
    for (const Socket& socket : sockets) {
        if (socket.owners.empty() || socket.owners[0].process.pid != pid) continue;
        if (socket.transport == Transport::tcp && socket.state == SocketState::listen) ++listeners;
        if (socket.unix_local.path == kPath && socket.file_inode != 0) ++files;
        for (const Socket& other : sockets)
            if (socket.unix_peer_inode != 0 && other.inode == socket.unix_peer_inode &&
                other.unix_peer_inode == socket.inode)
                ++peers;
    }
    expect(listeners == 1, "scan: the TCP listener");
    expect(files == 2, "scan: path and file of the unix listener and of what it accepted");
    expect(peers == 2, "scan: both ends of the unix connection");
}

}  // namespace

int main() {
    std::setvbuf(stdout, nullptr, _IONBF, 0);
    std::puts("");  // the firmware has not ended its line
    auto life = SocketWatcher::open(limits::kLifeRingBytes, 0, limits::kLifeRingBytes);
    auto processes = ProcessWatcher::open();
    auto tap = UnixTap::open({kPath});
    auto scanner = Scanner::open();
    const bool refused = is_confidential();
    if (refused) {
        expect_refused("sockets' lives", life);
        expect_refused("processes", processes);
        expect_refused("unix tap", tap);
        expect_refused("scanner", scanner);
    }
    const bool loaded = !refused && static_cast<int>(opened("sockets' lives load", life)) &
                                        static_cast<int>(opened("processes load", processes)) &
                                        static_cast<int>(opened("unix tap loads", tap)) &
                                        static_cast<int>(opened("scanner loads", scanner));
    if (loaded) {
        sockaddr_in address{};
        const int listener = tcp_listener(address);
        sockaddr_un name{};
        name.sun_family = AF_UNIX;
        std::strcpy(name.sun_path, kPath);
        ::unlink(kPath);
        const int local = ::socket(AF_UNIX, SOCK_STREAM, 0), client = ::socket(AF_UNIX, SOCK_STREAM, 0);
        expect(::bind(local, reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0 && ::listen(local, 8) == 0 &&
                   ::connect(client, reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0,
               "a unix connection");
        const int server = ::accept(local, nullptr, nullptr);
        const std::string request(100'000, 'q');
        expect(::write(client, request.data(), request.size()) == static_cast<ssize_t>(request.size()),
               "a write of 100,000 bytes");
        expect(::write(server, "answer", 6) == 6, "an answer");
        constexpr int kConnections = 100;
        for (int i = 0; i < kConnections; ++i) {
            const int near = ::socket(AF_INET, SOCK_STREAM, 0);
            if (::connect(near, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
                expect(false, "connect");
            const int far = ::accept(listener, nullptr, nullptr);
            ::close(near);
            ::close(far);
        }
        const pid_t child = ::fork();
        if (child == 0) {
            ::execl("/bin/sh", "sh", "-c", "exit 3", nullptr);
            ::_exit(127);
        }
        ::waitpid(child, nullptr, 0);
        if (auto sockets = (*scanner)->scan(); opened("the scan runs", sockets)) check_sockets(*sockets);
        ::sleep(1);

        int closed = 0;
        const auto self = static_cast<std::uint32_t>(::getpid());
        SocketLifeBook book([&](const SocketLife& one) {
            if (one.kind == SocketLife::Kind::closed && one.client_owner.pid == self && one.server_owner.pid == self)
                ++closed;
        });
        int accepts = 0;
        (*life)->drain([&](const SocketSign& sign) { book.on(sign); },
                       [&](const UnixAccept& accept) {
                           const bool ours = accept.server.pid == self && accept.client.pid == self;
                           const bool whole = accept.client.start_ticks == accept.server.start_ticks &&
                                              accept.client_comm.raw() == "probe" && accept.listener_inode != 0 &&
                                              accept.server_inode != 0 && accept.client_inode != 0;
                           accepts += ours && whole ? 1 : 0;
                       });
        book.flush();
        expect(closed == kConnections && (*life)->lost() == 0,
               "both owners of " + std::to_string(closed) + " connections");

        expect(accepts == 1, "both owners and ends of the unix connection, when it was accepted");

        bool started = false, ended = false;
        (*processes)->drain([&](const ProcessEvent& event) {
            if (event.process.pid != static_cast<std::uint32_t>(child)) return;
            if (event.kind == ProcessEvent::Kind::exec) started = event.cmdline.size() == 3 && event.parent_pid == self;
            if (event.kind == ProcessEvent::Kind::exit) ended = event.exit_code == 3;
        });
        expect(started, "start of a program with its arguments");
        expect(ended, "end of a program with its exit code");

        std::string requests, answers;
        (*tap)->flush(
            [&](const UnixWrite& write) { (write.by_server ? answers : requests).append(as_text(write.bytes)); });
        expect(requests == request && answers == "answer" && (*tap)->lost() == 0,
               "bytes of both ends of the unix connection");
    }
    for (const Capability& row : check_capabilities()) {
        if (row.code == "BPF-01" || row.code == "BPF-04")
            expect((row.state == Capability::State::ok) != refused, "doctor: " + row.name + (refused ? " no" : " yes"));
        std::printf("      %s %s: %s\n", row.code.c_str(), row.name.c_str(), row.detail.c_str());
    }
    std::printf("%s\n", all_right ? "ALL RIGHT" : "NOT RIGHT");
    return all_right ? 0 : 1;
}
