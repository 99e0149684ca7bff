// What socket_map and socket_scan print: one line of JSON.
#pragma once

#include <cstdio>
#include <ctime>
#include <vector>

#include "core/result.h"
#include "core/socket_table.h"

namespace hopscope::bench {

inline double cpu_ms() {
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

inline int failed(const char* program, const Error& error, int code) {
    std::fprintf(stderr, "%s: %s %s: %s\n", program, error.doing.c_str(), error.subject.c_str(), error.why.c_str());
    return code;
}

}  // namespace hopscope::bench
