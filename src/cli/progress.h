// "node.pcap  61 %  1.4 of 2.3 GiB  612 MiB/s  ETA 1 s" on stderr, for work that takes longer than a second.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace hopscope::cli {

// On a terminal the line is redrawn in place and removed at the end; elsewhere (--progress always) one line every 10 s.
class Progress {
public:
    Progress(bool enabled, bool always);
    ~Progress();
    // Cheap when it is not yet time to draw.
    void update(const std::string& name, std::uint64_t bytes_done, std::optional<std::uint64_t> bytes_total);

private:
    using Clock = std::chrono::steady_clock;
    bool enabled_, terminal_;
    bool drawn_ = false;
    Clock::time_point begin_, next_;
};

}  // namespace hopscope::cli
