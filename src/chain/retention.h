// Keeps the memory of sessions within what was asked for: the oldest ones that are over go first.
//
// They go in batches, so that the list of sessions is not moved for each: up to an eighth of the list (and at least 64)
// may stay longer than asked for, until the next batch or trim().
#pragma once

#include <algorithm>

#include "chain/builder.h"
#include "chain/model.h"

namespace hopscope::chain {

// Bytes that `session` takes, what it shares with others left out.
std::size_t memory_of(const Session& session);

class Keeper {
public:
    Keeper(Model& model, const Retention& retention) : model_(model), retention_(retention) {}

    // `session` is over; it may be gone after the next call of any method.
    void ended(const Session& session);
    // Exactly what was asked for.
    void trim();
    // Room for so many bytes more of an open session? Sessions that are over make room first.
    [[nodiscard]] bool room_for(std::size_t bytes);
    // The fixed part, streams and resizes of open sessions.
    void open_grew(std::size_t bytes) { open_bytes_ += bytes; }
    void open_ended(const Session& session) { open_bytes_ -= std::min(open_bytes_, open_bytes_of(session)); }

    static constexpr std::size_t kOpenSessionBytes =
        sizeof(Session) + 512;  // with its texts and what its connection keeps
    [[nodiscard]] static std::size_t open_bytes_of(const Session& session) {
        return kOpenSessionBytes + session.streams.size() * sizeof(Stream) + session.resizes.size() * sizeof(Resize);
    }
    [[nodiscard]] std::size_t kept_bytes() const { return over_bytes_ + open_bytes_; }

private:
    void evict(std::size_t count_over, std::size_t bytes_over);

    Model& model_;
    Retention retention_;
    std::size_t over_count_ = 0, over_bytes_ = 0, open_bytes_ = 0;
};

}  // namespace hopscope::chain
