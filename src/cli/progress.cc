#include "cli/progress.h"

#include <unistd.h>

#include <cstdio>

#include "core/untrusted.h"

namespace hopscope::cli {
namespace {

std::string binary_size(double bytes) {
    static constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    std::size_t unit = 0;
    while (bytes >= 1024 && unit + 1 < std::size(kUnits)) {
        bytes /= 1024;
        ++unit;
    }
    char text[32];
    std::snprintf(text, sizeof text, unit == 0 ? "%.0f %s" : "%.1f %s", bytes, kUnits[unit]);
    return text;
}

}  // namespace

Progress::Progress(bool enabled, bool always)
    : enabled_(enabled),
      terminal_(isatty(STDERR_FILENO) == 1),
      begin_(Clock::now()),
      next_(begin_ + std::chrono::seconds(1)) {
    if (!terminal_ && !always) enabled_ = false;
    if (!terminal_) next_ = begin_ + std::chrono::seconds(10);
}

Progress::~Progress() {
    if (drawn_ && terminal_) std::fputs("\r\033[K", stderr);
}

void Progress::update(const std::string& name, std::uint64_t bytes_done, std::optional<std::uint64_t> bytes_total) {
    if (!enabled_) return;
    const auto now = Clock::now();
    if (now < next_) return;
    next_ = now + (terminal_ ? std::chrono::milliseconds(200) : std::chrono::milliseconds(10'000));
    const double seconds = std::chrono::duration<double>(now - begin_).count();
    const double rate = static_cast<double>(bytes_done) / seconds;
    std::string line = elide_middle(display(name), 30) + "  ";
    if (bytes_total && *bytes_total > 0) {
        const double part = static_cast<double>(bytes_done) / static_cast<double>(*bytes_total);
        char text[16];
        std::snprintf(text, sizeof text, "%.0f %%  ", part * 100);
        line += text + binary_size(static_cast<double>(bytes_done)) + " of " +
                binary_size(static_cast<double>(*bytes_total));
    } else {
        line += binary_size(static_cast<double>(bytes_done));
    }
    line += "  " + binary_size(rate) + "/s";
    if (bytes_total && *bytes_total > bytes_done && rate > 0) {
        char text[32];
        std::snprintf(text, sizeof text, "  ETA %.0f s", static_cast<double>(*bytes_total - bytes_done) / rate);
        line += text;
    }
    if (terminal_) {
        std::fprintf(stderr, "\r%s\033[K", line.c_str());
    } else {
        std::fprintf(stderr, "%s\n", line.c_str());
    }
    drawn_ = true;
}

}  // namespace hopscope::cli
