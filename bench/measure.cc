// Runs a command and tells what it took: CPU time and peak memory from wait4(2), as one line of JSON.
//
// A small program of its own, because the peak memory of a child counts what its parent held when it was forked: under
// a Python harness nothing would ever need less than 11 MB.
#include <fcntl.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>

extern char** environ;

namespace {

double seconds(const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

double now() {
    timespec time{};
    clock_gettime(CLOCK_MONOTONIC, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 3) {
        std::fputs("Usage: measure STDOUT-FILE COMMAND [ARGUMENT]...\n", stderr);
        return 2;
    }
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, argv[1], O_WRONLY | O_CREAT | O_TRUNC, 0644);
    pid_t child = 0;
    const double begin = now();
    if (const int error = posix_spawnp(&child, argv[2], &actions, nullptr, argv + 2, environ); error != 0) {
        std::fprintf(stderr, "measure: cannot run '%s': %s\n", argv[2], std::strerror(error));
        return 1;
    }
    int status = 0;
    rusage usage{};
    while (wait4(child, &status, 0, &usage) < 0) {
        if (errno != EINTR) return 1;
    }
    std::printf("{\"cpu_s\":%.6f,\"user_s\":%.6f,\"system_s\":%.6f,\"wall_s\":%.6f,\"rss_kib\":%ld,\"exit\":%d}\n",
                seconds(usage.ru_utime) + seconds(usage.ru_stime), seconds(usage.ru_utime), seconds(usage.ru_stime),
                now() - begin, usage.ru_maxrss, WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
    return 0;
}
