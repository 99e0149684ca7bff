// SPDY/3 header blocks: inflating them, and reading the name/value pairs that Kubernetes sends.
//
// One HeaderContext serves one direction of one connection. It keeps no zlib state while the direction is young: the
// plain text of its blocks (up to limits::kSpdyHistoryBytesMax) is enough to prime one inflater that all connections
// share, because every block ends byte-aligned on a sync flush. Only a direction with more header text than that, or
// with blocks that end elsewhere, gets an inflater of its own.
#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "core/bytes.h"
#include "core/event.h"

namespace hopscope::decode::stream {
class RawInflater;
}

namespace hopscope::decode::stream::spdy {

class HeaderContext {
public:
    HeaderContext();
    ~HeaderContext();
    HeaderContext(HeaderContext&&) noexcept;
    HeaderContext& operator=(HeaderContext&&) noexcept;

    // The plain text of the next block, or nothing if it cannot be inflated: then the context is lost().
    // Valid until the next call for any context of this thread.
    std::optional<Bytes> inflate(Bytes block);

    // The same for a block whose last bytes are not at hand: something only if all of its text came out all the same.
    std::optional<Bytes> inflate_cut(Bytes block);

    // Blocks were missed: nothing that follows can be inflated until restart().
    void lose();
    [[nodiscard]] bool lost() const { return state_ == State::lost; }
    // The plain text so far, without the dictionary; stays readable after lose(). At most 32 KiB.
    [[nodiscard]] std::vector<std::uint8_t> history() const;
    // Goes on as at the beginning of a connection.
    void restart();

private:
    enum class State : std::uint8_t { fresh, going, lost };

    // Takes the zlib head off the first block; false: this is none.
    bool take_head(Bytes& block);
    // What the history means together with the dictionary, primed into `inflater`.
    void prime(RawInflater& inflater) const;

    State state_ = State::fresh;
    bool with_dictionary_ = true;
    std::vector<std::uint8_t> history_;
    std::unique_ptr<RawInflater> own_;
};

// True if `block` begins a zlib stream with the SPDY dictionary: the first block of a direction.
bool begins_stream(Bytes block);

// Plain text of `block`, if short, when everything before it, dictionary excluded, was `history`. For trying out
// guesses: changes no context. Valid until the next call for any context of this thread.
std::optional<Bytes> inflate_after(Bytes history, Bytes block);

// Plain text of `block`, if short, with an unknown history of 32 KiB: `known[i]` tells whether plain[i] came from the
// block itself.
struct HalfKnown {
    std::vector<std::uint8_t> plain;
    std::vector<bool> known;
};
std::optional<HalfKnown> inflate_without_history(Bytes block);

// What Kubernetes says about a stream.
struct StreamHeaders {
    std::uint32_t pairs = 0;
    std::string_view type;  // "stdout"; empty: none
    StreamKind kind = StreamKind::unknown;
    std::optional<std::uint16_t> port;
    std::optional<std::uint32_t> request_id;
    bool irregular = false;  // upper-case or repeated names, port or request id that is no number
};

// Nothing unless `plain` is a whole, well-formed block (lengths within it, no byte left over, pairs within the limit).
std::optional<StreamHeaders> parse_headers(Bytes plain);

StreamKind kind_of(std::string_view streamtype);

}  // namespace hopscope::decode::stream::spdy
