// The one way of the data: packets (later also unix-socket bytes, socket tables, process events) in, a Model out.
//
// Deterministic: no clock, no thread, no I/O. Live capture, capture files, tests and fuzzers call the same functions.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "chain/builder.h"
#include "core/event.h"
#include "core/packet.h"
#include "core/stream_chunk.h"

namespace hopscope::decode {
class TlsKeys;
}

namespace hopscope::pipeline {

// Sees every event with its place before the builder does: for NDJSON and tests.
class EventTap {
public:
    virtual ~EventTap() = default;
    virtual void on(const Event& event, const chain::Place& place) = 0;
    virtual void flow(const chain::FlowInfo&) {}
};

struct Options {
    chain::Retention retention;
    const decode::TlsKeys* tls_keys = nullptr;  // borrowed for the life of the pipeline
    const History* history = nullptr;           // borrowed; for comparing retransmissions
    EventTap* tap = nullptr;                    // borrowed
    chain::Observer* observer = nullptr;        // borrowed
    // Live: who has opened a connection whose handshake was not captured, where the node tells; null: nobody is asked.
    std::function<std::optional<bool>(const Endpoint& first, const Endpoint& second)> first_is_client;
    bool may_hold_copies = false;  // several interfaces or "any": packets may be there twice
};

class Pipeline {
public:
    explicit Pipeline(const Options& options);
    ~Pipeline();
    Pipeline(const Pipeline&) = delete;
    Pipeline& operator=(const Pipeline&) = delete;

    void on(const Packet& packet);
    void on(const StreamChunk& chunk);
    // Live only: no packet came, but it is now surely later than `now`. Holes and ends that wait for time only are
    // told.
    void tick(Timestamp now);
    // Live only: the system says that this connection is over, but its end was not captured (packets were dropped). Its
    // session ends, and is not complete. Nothing happens to a connection whose end was seen.
    void ended_unseen(const Endpoint& client, const Endpoint& server, Timestamp now);
    void lost(LossPlace place, std::uint64_t count);
    // From now on packets may be there twice (a second interface has appeared).
    void expect_copies();
    // The input is over: what is open ends, chains are joined. Call once.
    void finish();

    [[nodiscard]] chain::Model& model();
    [[nodiscard]] chain::Builder& builder();
    [[nodiscard]] const chain::Builder& builder() const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace hopscope::pipeline
