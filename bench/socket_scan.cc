// socket_scan PASSES: CPU time of the eBPF iterator alone, loaded before the first pass, as socket_map prints it; exit
// code 3 and the reason on standard error where it cannot be used. A program of its own: socket_map is measured whole,
// and what libbpf takes to be loaded is no part of a map without eBPF.
#include <cstdlib>

#include "procmap/bpf/scanner.h"
#include "socket_counts.h"

int main(int count, char** words) {
    using namespace hopscope;
    const int passes = count > 1 ? std::atoi(words[1]) : 1;
    const auto scanner = procmap::Scanner::open();
    if (!scanner) return bench::failed("socket_scan", scanner.error(), 3);
    bench::Counts counts;
    for (int i = 0; i < passes; ++i) {
        const double before = bench::cpu_ms();
        const auto sockets = (*scanner)->scan();
        counts.times.push_back(bench::cpu_ms() - before);
        if (!sockets) return bench::failed("socket_scan", sockets.error(), 3);
        counts.take(*sockets);
    }
    counts.print();
    return 0;
}
