// socket_map READS: makes the whole socket table of this machine without eBPF READS times with one reader, and prints
// the CPU time of each in milliseconds as one line of JSON: the first is the full map, the others are refreshes.
#include <cstdlib>

#include "procmap/table/reader.h"
#include "socket_counts.h"

int main(int count, char** words) {
    using namespace hopscope;
    const int reads = count > 1 ? std::atoi(words[1]) : 1;
    bench::Counts counts;
    procmap::TableReader reader({});
    for (int i = 0; i < reads; ++i) {
        const double before = bench::cpu_ms();
        const auto table = reader.read();
        counts.times.push_back(bench::cpu_ms() - before);
        if (!table) return bench::failed("socket_map", table.error(), 1);
        counts.take(table->sockets);
        counts.processes = table->processes.size();
    }
    counts.print();
    return 0;
}
