// socket_map READS: makes the whole socket table of this machine READS times with one reader, and prints the CPU time
// of each in milliseconds as one line of JSON: the first is the full map, the others are refreshes.
// socket_map --iterator PASSES: the same of the eBPF iterator alone, loaded before the first pass; exit code 3 and the
// reason on standard error where it cannot be used.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <vector>

#include "procmap/bpf/scanner.h"
#include "procmap/table/reader.h"

namespace {

using hopscope::Socket;

double cpu_ms() {
    timespec time{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_nsec) / 1e6;
}

struct Counts {
    std::vector<double> times;
    std::size_t sockets = 0, owned = 0, processes = 0;

    void take(const std::vector<Socket>& all) {
        sockets = all.size();
        owned = 0;
        for (const Socket& socket : all) owned += socket.owners.empty() ? 0 : 1;
    }
    void print() const {
        std::printf("{\"sockets\":%zu,\"owned\":%zu,\"processes\":%zu,\"cpu_ms\":[", sockets, owned, processes);
        for (std::size_t i = 0; i < times.size(); ++i) std::printf("%s%.3f", i == 0 ? "" : ",", times[i]);
        std::puts("]}");
    }
};

int failed(const hopscope::Error& error, int code) {
    std::fprintf(stderr, "socket_map: %s %s: %s\n", error.doing.c_str(), error.subject.c_str(), error.why.c_str());
    return code;
}

int map(int reads) {
    Counts counts;
    hopscope::procmap::TableReader reader({});
    for (int i = 0; i < reads; ++i) {
        const double before = cpu_ms();
        const auto table = reader.read();
        counts.times.push_back(cpu_ms() - before);
        if (!table) return failed(table.error(), 1);
        counts.take(table->sockets);
        counts.processes = table->processes.size();
    }
    counts.print();
    return 0;
}

int iterate(int passes) {
    const auto scanner = hopscope::procmap::Scanner::open();
    if (!scanner) return failed(scanner.error(), 3);
    Counts counts;
    for (int i = 0; i < passes; ++i) {
        const double before = cpu_ms();
        const auto sockets = (*scanner)->scan();
        counts.times.push_back(cpu_ms() - before);
        if (!sockets) return failed(sockets.error(), 3);
        counts.take(*sockets);
    }
    counts.print();
    return 0;
}

}  // namespace

int main(int count, char** words) {
    if (count > 1 && std::strcmp(words[1], "--iterator") == 0) return iterate(count > 2 ? std::atoi(words[2]) : 1);
    return map(count > 1 ? std::atoi(words[1]) : 1);
}
