// The live event loop: waits for any of its inputs, a timer and signals, and lets the pipeline know that time passes.
//
// One thread, no queues: an input's drain() hands its packets or bytes to the pipeline directly. The runner knows no
// device: an input is a descriptor that becomes readable and a function that takes what is there, a bounded piece at a
// time, so that no input starves another and output is flushed between two pieces. It does not format, filter or count
// losses; whoever owns the inputs does.
//
// While run() waits it takes SIGINT, SIGTERM (the first one ends the run in order, a second one ends the process at
// once with exit status 130: also when the reader of standard output has stalled) and SIGUSR1 (status). They are
// handled by small handlers that wake the loop through an eventfd, not by signalfd: a blocked signal could not end a
// process that waits in write(2). One runner at a time may run in a process.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "core/packet.h"
#include "core/result.h"
#include "core/time.h"

namespace hopscope::pipeline {

// The time that live packets carry: CLOCK_REALTIME.
Timestamp wall_clock();

class Pipeline;

struct LiveInput {
    std::string name;                     // for errors
    int fd = -1;                          // borrowed; readable while drain() would find something
    std::function<Result<bool>()> drain;  // takes a bounded piece; true: there may be more; an error: it is over
};

struct LiveHooks {
    std::function<void()> after_turn;            // after each turn in which something was drained, and after each tick
    std::function<void(Timestamp now)> on_tick;  // every limits::kLiveTickMs, by the wall clock
    std::function<bool()> enough;                // asked after each turn: true ends the run
    std::function<void()> on_status;             // SIGUSR1
    std::function<void(const std::string& name, const Error& error)> input_over;
};

enum class LiveEnd : std::uint8_t { signal, time_over, enough, no_input };

class LiveRunner {
public:
    LiveRunner(Pipeline& pipeline, LiveHooks hooks);
    ~LiveRunner();
    LiveRunner(const LiveRunner&) = delete;
    LiveRunner& operator=(const LiveRunner&) = delete;

    // Before run(), or from a hook while it runs. At most limits::kLiveInputsMax.
    Status add(LiveInput input);
    // For drain functions: numbers the packet (one count over all inputs) and hands it to the pipeline.
    void packet(Packet packet);
    [[nodiscard]] std::uint64_t packets() const;

    // Until a signal, the time, enough() or the end of the last input; then everything that is still there is drained
    // once more. The caller calls Pipeline::finish(). Errors are system calls that cannot fail on a sound system
    // (LIV-01).
    Result<LiveEnd> run(std::optional<Duration> at_most);

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace hopscope::pipeline
