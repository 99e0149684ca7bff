// Passes what the live pipeline tells on to the writer of the format that was asked for, names the processes at both
// ends of a session before it is told, and counts what the summary needs.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "chain/filter.h"
#include "chain/finished_chains.h"
#include "chain/observer.h"
#include "chain/reveal.h"
#include "cli/live_kernel.h"
#include "cli/live_owners.h"
#include "export/event_lines.h"
#include "export/ndjson.h"
#include "export/output.h"
#include "export/style.h"
#include "pipeline/pipeline.h"

namespace hopscope::cli {

// What is called lost for people. A live capture keeps no old packets, so that bytes that are sent again are never
// compared with the first ones: nothing is missing because of that (JSON has the counter all the same).
LossCounters losses_of(const chain::Model& model);

enum class LiveFormat : std::uint8_t { text, json, otlp };

struct LiveWatchOptions {
    LiveFormat format = LiveFormat::text;
    chain::Reveal reveal;
    exports::Style style;
    chain::Filter* filter = nullptr;  // borrowed
    LiveOwners* owners = nullptr;     // borrowed; null: ends are not named
    LiveKernel* kernel = nullptr;     // borrowed; null: chains are told without what it knows
};

class LiveWatch final : public chain::Observer, public pipeline::EventTap {
public:
    LiveWatch(exports::Output& out, const LiveWatchOptions& options);

    // The pipeline that this is the observer of; once, before its first packet.
    void attach(pipeline::Pipeline& pipeline) { pipeline_ = &pipeline; }
    void start(const exports::CaptureStart& start);
    // By the clock: sums, losses and finished chains that are due; then everything written leaves the buffer.
    void tick(Timestamp now);
    void turn(Timestamp last_packet);
    // After Pipeline::finish().
    void finish();

    void on(const Event& event, const chain::Place& place) override;
    void session_opened(const chain::Session&, const chain::Place&) override;
    void stream_opened(const chain::Session&, const chain::Stream&, const chain::Place&) override;
    void stream_data(const chain::Session&, const chain::Stream&, Direction, Bytes, const chain::Place&) override;
    void stream_closed(const chain::Session&, const chain::Stream&, const chain::Place&) override;
    void resized(const chain::Session&, const chain::Stream&, const chain::Resize&, const chain::Place&) override;
    void session_ended(const chain::Session&, const chain::Place&) override;
    void finding(const chain::Finding&) override;

    [[nodiscard]] std::uint64_t lines() const;
    [[nodiscard]] std::uint64_t sessions_over() const { return sessions_over_; }

private:
    void tell(const chain::Chain& joined, std::span<const chain::Session* const> sessions);
    void tell_processes(Timestamp now);

    exports::Output& out_;
    LiveWatchOptions options_;
    std::unique_ptr<exports::Ndjson> json_;
    std::unique_ptr<exports::EventLines> text_;
    pipeline::Pipeline* pipeline_ = nullptr;
    chain::FinishedChains chains_;
    std::uint64_t sessions_over_ = 0, otlp_lines_ = 0;
};

}  // namespace hopscope::cli
