// Encrypted connections: their sizes and times, for joining them to what was decoded on other hops.
//
// A proxy that passes bytes on writes inside TLS what it writes outside: the lengths of the records, less what
// encryption adds, sum up to the bytes of the streaming hop. Kept per connection: the first
// records of each direction one by one, everything after them as a sum.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>

#include "chain/model.h"
#include "core/event.h"

namespace hopscope::chain {

inline constexpr std::size_t kFirstRecords = 24;     // handshake, heads and a few frames; measured: 6 to 12
inline constexpr std::size_t kSealedKeptMax = 1024;  // closed connections that wait to be joined, some 1 KiB each

struct SealedSide {
    std::array<std::uint64_t, kFirstRecords> sum_before{};  // plaintext bytes before record i
    std::array<Timestamp, kFirstRecords> at{};
    std::uint64_t records = 0, bytes = 0;  // of type 23, less the overhead
    std::uint32_t last_bytes = 0;
    Timestamp last;
};

struct SealedConnection {
    FlowId flow = 0;
    Endpoint client, server;
    Timestamp opened, last;
    std::uint64_t opened_frame = 0;
    std::uint16_t version = 0, cipher_suite = 0;
    bool decrypted = false;  // then it is no secret, and no business of this book
    bool gaps = false;
    std::array<SealedSide, 2> side;  // by Direction

    void record(const TlsRecord& event, Timestamp now);
    // Bytes that encryption adds to a record of type 23.
    [[nodiscard]] std::uint32_t overhead_bytes() const;
    // A record from which on the bytes of a direction (a closing alert aside) are `bytes`, or differ only by the frames
    // with which SPDY says goodbye: a relay that closes may not pass the last ones on, or only a part.
    struct Tail {
        std::size_t first = 0;              // record
        std::uint64_t differing_bytes = 0;  // 0: exactly equal
    };
    [[nodiscard]] std::optional<Tail> tail(Direction direction, std::uint64_t bytes,
                                           std::uint64_t goodbye_bytes_max) const;
};

// The closed and open sealed connections of a run, oldest first.
class TlsBook {
public:
    void add(std::unique_ptr<SealedConnection> connection);
    [[nodiscard]] const std::deque<std::unique_ptr<SealedConnection>>& all() const { return kept_; }
    [[nodiscard]] std::uint64_t forgotten() const { return forgotten_; }

private:
    std::deque<std::unique_ptr<SealedConnection>> kept_;
    std::uint64_t forgotten_ = 0;
};

}  // namespace hopscope::chain
