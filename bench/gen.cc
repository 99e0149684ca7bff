// Makes the inputs of the benchmarks and load tests: see bench/README.md.
#include <fcntl.h>
#include <unistd.h>

#include <bitset>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <vector>

#include "gen/capture_file.h"
#include "gen/content.h"
#include "gen/options.h"
#include "gen/random.h"
#include "gen/script.h"
#include "gen/tcp.h"
#include "gen/truth.h"

namespace {

using namespace hopscope::gen;

// Client ports: the ephemeral range of Linux, round and round; never a server's port (a connection whose two ports are
// equal on 127.0.0.1 has no direction), never one that is in use.
class ClientPorts {
public:
    explicit ClientPorts(std::uint32_t pool) : count_(pool == 0 ? kAll : pool) {}

    std::uint16_t take() {
        for (;;) {
            const std::uint16_t port = static_cast<std::uint16_t>(kFirst + next_++ % count_);
            if (used_[port] || Script::is_server_port(port)) continue;
            used_[port] = true;
            return port;
        }
    }
    void give_back(std::uint16_t port) { used_[port] = false; }

private:
    static constexpr std::uint32_t kFirst = 32768, kAll = 28232;
    std::uint32_t count_, next_ = 0;
    std::bitset<65536> used_;
};

std::FILE* open_text(const std::string& name) {
    std::FILE* file = std::fopen(name.c_str(), "w");
    if (file == nullptr) std::fprintf(stderr, "gen: cannot write '%s': %s\n", name.c_str(), std::strerror(errno));
    return file;
}

void run(const Options& options, Random& random, Script& script) {
    ClientPorts ports(options.client_ports);
    std::vector<Conn> active(options.at_once);
    std::uint32_t begun = 0;
    const auto begin = [&](Conn& conn) {
        std::uint64_t bytes = options.payload_bytes / options.connections;
        if (begun++ < options.payload_bytes % options.connections) ++bytes;
        script.begin(conn, ports.take(), bytes);
    };
    for (Conn& conn : active) begin(conn);
    std::size_t chosen = 0;
    while (!active.empty()) {
        // Frames of a busy queue belong together.
        if (!active[chosen].busy) chosen = random.below(static_cast<std::uint32_t>(active.size()));
        Conn& conn = active[chosen];
        if (script.turn(conn)) continue;
        ports.give_back(conn.tcp.port[kClient]);
        if (begun < options.connections) {
            begin(conn);
        } else {
            if (&conn != &active.back()) conn = std::move(active.back());
            active.pop_back();
            chosen = 0;
        }
    }
}

}  // namespace

int main(int argc, char** argv) {
    Options options;
    int exit_code = 0;
    if (!parse_options(argc, argv, options, exit_code)) return exit_code;
    int fd = STDOUT_FILENO;
    if (options.output != "-") {
        fd = open(options.output.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        if (fd < 0) {
            std::fprintf(stderr, "gen: cannot write '%s': %s\n", options.output.c_str(), std::strerror(errno));
            return 1;
        }
    }
    std::FILE* sessions = options.sessions.empty() ? nullptr : open_text(options.sessions);
    std::FILE* truth_out = options.truth.empty() ? stderr : open_text(options.truth);
    if (truth_out == nullptr || (sessions == nullptr && !options.sessions.empty())) return 1;

    Random random(options.seed);
    Truth truth;
    const Content content(random, options.random_payload);
    CaptureFile file(options, fd);
    Tcp tcp(options, random, file, truth);
    Script script(options, random, content, tcp, truth, sessions);
    run(options, random, script);
    if (!file.finish()) {
        std::fprintf(stderr, "gen: writing failed: %s\n", std::strerror(errno));
        return 1;
    }
    truth.write(truth_out, file.packets(), file.bytes());
    return 0;
}
