// socket_map READS: makes the whole socket table of this machine READS times with one reader, and prints the CPU time
// of each in milliseconds as one line of JSON: the first is the full map, the others are refreshes.
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <vector>

#include "procmap/table/reader.h"

namespace {

double cpu_ms() {
    timespec time{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_nsec) / 1e6;
}

}  // namespace

int main(int count, char** words) {
    const int reads = count > 1 ? std::atoi(words[1]) : 1;
    hopscope::procmap::TableReader reader({});
    std::vector<double> times;
    std::size_t sockets = 0, owned = 0, processes = 0;
    for (int i = 0; i < reads; ++i) {
        const double before = cpu_ms();
        const auto table = reader.read();
        times.push_back(cpu_ms() - before);
        if (!table) {
            std::fprintf(stderr, "socket_map: %s\n", table.error().why.c_str());
            return 1;
        }
        sockets = table->sockets.size();
        processes = table->processes.size();
        owned = 0;
        for (const hopscope::Socket& socket : table->sockets) owned += socket.owners.empty() ? 0 : 1;
    }
    std::printf("{\"sockets\":%zu,\"owned\":%zu,\"processes\":%zu,\"cpu_ms\":[", sockets, owned, processes);
    for (std::size_t i = 0; i < times.size(); ++i) std::printf("%s%.3f", i == 0 ? "" : ",", times[i]);
    std::puts("]}");
    return 0;
}
