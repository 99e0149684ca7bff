// What every command on capture files shares: open, run the pipeline over all packets, tell trouble, show progress.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "capture/reader.h"
#include "cli/command_line.h"
#include "decode/tls/tls.h"
#include "pipeline/pipeline.h"

namespace hopscope::cli {

struct OfflineOptions {
    std::vector<std::string> files;
    bool sidecars = true;  // what a recording has beside it is read, too
    std::vector<std::string> tls_key_files;
    chain::Retention retention;
    pipeline::EventTap* tap = nullptr;    // borrowed
    chain::Observer* observer = nullptr;  // borrowed
    std::function<bool()> output_failed;  // asked now and then: stop early, nobody reads any more
    bool progress = false;
    bool announce_trouble = true;  // damage of a file on stderr
};

// A run over capture files. After run() the model is complete, capture facts and losses of the reader included.
class Offline {
public:
    // Opens everything: CAP-10, CAP-12, or TLS-10 for a key file.
    static Result<std::unique_ptr<Offline>> open(const OfflineOptions& options);
    ~Offline();

    // Packets of the first bytes are known: file names and formats, before any packet was read.
    [[nodiscard]] std::vector<capture::FileSummary> files() const;
    void run();
    [[nodiscard]] chain::Model& model();
    [[nodiscard]] const chain::Builder& builder() const;
    // A file beside a recording is read, too: it tells CRI calls and processes.
    [[nodiscard]] bool has_sidecar() const;
    [[nodiscard]] bool damaged() const;  // a file was cut off or not readable in places

private:
    Offline();
    struct State;
    std::unique_ptr<State> state_;
};

// Closed sessions that stay at hand so that chains can be joined: the hops of one action end within seconds.
inline constexpr std::size_t kJoinableSessions = 512;

OfflineOptions offline_options(const Invocation& invocation);

}  // namespace hopscope::cli
