// Raw deflate data (RFC 1951) through zlib, with a history that the caller gives.
//
// Does no framing and no checksums: zlib heads (RFC 1950) are the caller's. About 40 KiB once it has inflated
// something.
#pragma once

#include <zlib.h>

#include <vector>

#include "core/bytes.h"

namespace hopscope::decode::stream {

class RawInflater {
public:
    RawInflater();
    ~RawInflater();
    RawInflater(const RawInflater&) = delete;
    RawInflater& operator=(const RawInflater&) = delete;

    enum class Result : std::uint8_t {
        ok,
        last,  // the deflate stream says that it is over
        bad,   // no deflate data, or it refers to bytes before the history, or gives more than `plain_bytes_max`
    };

    // As if new.
    void reset();
    // Adds to the history; what lies further back than 32 KiB is of no use. Only between blocks.
    void prime(Bytes history);
    // Inflates all of `block`, which ends where a sync flush ended, into `plain` (replaced).
    Result inflate(Bytes block, std::size_t plain_bytes_max, std::vector<std::uint8_t>& plain);
    // The last up to 32 KiB that came out or were primed.
    [[nodiscard]] std::vector<std::uint8_t> history();

    // One for all connections of this thread: reset() and prime() it before use.
    static RawInflater& shared();

private:
    z_stream zlib_{};
    bool ready_ = false;
};

}  // namespace hopscope::decode::stream
