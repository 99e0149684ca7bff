// Reads SPDY header blocks whose predecessors were not captured, because Kubernetes is predictable.
//
// Two ways, tried in this order. Guessing: a client of exec opens error, stdin, stdout, stderr, resize in this order;
// one of port-forward an error and a data stream per connection, its three pairs in any order. Every history that is
// possible is tried; what all that fit agree on is the answer. Shape: even with no history at all the length of a
// block's text and the letters that it does not copy are exact; the answer is the only stream type that fits. A wrong
// answer is worse than none: where two answers are possible there is none.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "core/bytes.h"
#include "core/event.h"
#include "decode/stream/upgraded.h"

namespace hopscope::decode::stream::spdy {

// What one SYN_STREAM said, as far as known.
struct Said {
    StreamKind kind = StreamKind::unknown;
    std::optional<std::uint16_t> port;
    std::optional<std::uint32_t> request_id;
};

class HeaderGuess {
public:
    struct Reading {
        Said said;
        std::string_view why;
        Purpose purpose = Purpose::unknown;  // what the reading says about the connection
    };

    // `history` is the text of all blocks before the hole, `last` what the last of them said.
    HeaderGuess(std::vector<std::uint8_t> history, std::optional<Said> last, Purpose purpose);

    // Reads the next block; `missed` blocks before it were not captured. Nothing: unknown.
    std::optional<Reading> read(std::uint32_t missed, Bytes block);
    [[nodiscard]] Purpose purpose() const { return purpose_; }

private:
    // One possible past.
    struct Past {
        std::vector<std::uint8_t> history;
        std::optional<Said> last;
    };

    std::vector<Past> with_missed(const Past& past, std::uint32_t missed) const;
    void add_exec_pasts(const Past& past, std::uint32_t missed, std::vector<Past>& out) const;
    void add_forward_pasts(const Past& past, std::uint32_t missed, std::vector<Past>& out) const;
    std::optional<Reading> read_by_guessing(std::uint32_t missed, Bytes block);

    std::vector<Past> pasts_;
    Purpose purpose_;
};

}  // namespace hopscope::decode::stream::spdy
