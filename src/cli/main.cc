// hopscope: reads argv, runs one command.
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <clocale>
#include <csignal>
#include <cstdio>

#include "cli/commands.h"
#include "cli/report_error.h"
#include "cli/sandbox.h"

namespace {

using namespace hopscope::cli;

void print_stats() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval& t) {
        return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
    };
    std::fprintf(stderr, "hopscope: cpu %.3f s user, %.3f s system, peak memory %.1f MB\n", seconds(usage.ru_utime),
                 seconds(usage.ru_stime), static_cast<double>(usage.ru_maxrss) / 1000.0);
}

// Commands that only read files that others wrote.
bool wants_sandbox(std::string_view command) {
    static constexpr std::array<std::string_view, 5> kOffline = {"analyze", "chain", "extract", "decode", "mask"};
    return std::find(kOffline.begin(), kOffline.end(), command) != kOffline.end();
}

int run(const Invocation& invocation) {
    if (invocation.on("version")) return run_version(invocation);
    if (!invocation.command) {
        const bool asked = invocation.on("help");
        std::fputs(overview_page().c_str(), asked ? stdout : stderr);
        return asked ? kDone : kUsage;
    }
    if (invocation.on("help")) {
        std::fputs(help_page(*invocation.command).c_str(), stdout);
        return kDone;
    }
    if (wants_sandbox(invocation.command->name)) {
        // An old kernel is no reason not to read a file.
        if (const hopscope::Status entered = enter_sandbox(Sandbox::offline); !entered) report_error(entered.error());
    }
    return invocation.command->run(invocation);
}

}  // namespace

int main(int argc, char** argv) {
    std::setlocale(LC_CTYPE, "");
    // A reader that went away is a normal end (head, less): writes then fail with EPIPE and we stop quietly.
    std::signal(SIGPIPE, SIG_IGN);
    const auto invocation = parse_command_line({argv + 1, argv + argc});
    if (!invocation) {
        report_error(invocation.error());
        return exit_code(invocation.error());
    }
    set_quiet(invocation->on("quiet"));
    int code = run(*invocation);
    if (std::fflush(stdout) != 0 && code == kDone) code = kFailed;
    if (invocation->on("stats")) print_stats();
    return code;
}
