// Which bytes of a connection may stay in a masked capture.
//
// Safe by default: a byte that nobody has called harmless is overwritten. Walkers follow the framing of what hopscope
// decodes (HTTP/1.1, HTTP/2 with CRI calls, SPDY/3.1, WebSocket, TLS records) just far enough to tell structure from
// content; whatever they do not understand, and everything after a gap, is content.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/bytes.h"
#include "core/endpoint.h"
#include "core/event.h"

namespace hopscope::record {

// The verdict on one direction, by stream offset.
class MaskPlan {
public:
    struct Span {
        std::uint64_t begin = 0, end = 0;
    };
    // Bytes that stay, but changed: same length.
    struct Edit {
        std::uint64_t offset = 0;
        std::string bytes;
    };
    // WebSocket payload is overwritten under its mask, so that it reads as 'x' when unmasked.
    struct MaskedSpan {
        std::uint64_t begin = 0, end = 0;
        std::uint8_t key[4] = {};
        std::uint64_t key_origin = 0;  // offset at which key[0] applies
    };

    // Offsets come in growing order.
    void keep(std::uint64_t begin, std::uint64_t end);
    // In any order, but not over one another.
    void edit(std::uint64_t offset, std::string bytes);
    void masked(const MaskedSpan& span) { masked_.push_back(span); }

    // Overwrites in `bytes` (at stream offset `offset`) what may not stay; returns how many bytes were overwritten.
    std::size_t apply(std::uint64_t offset, std::uint8_t* bytes, std::size_t size) const;

    // Live: bytes before `offset` were written out and are asked for no more, but perhaps for a retransmission: the
    // last limits::kMaskPlanSpans stay. What is forgotten is overwritten when it comes again.
    void forget_before(std::uint64_t offset);

private:
    // Overwrites all of [from, to).
    std::size_t overwrite(std::uint64_t offset, std::uint8_t* bytes, std::uint64_t from, std::uint64_t to) const;

    std::vector<Span> keep_;
    std::vector<Edit> edits_;
    std::vector<MaskedSpan> masked_;
};

// What was overwritten, for the summary. `calls`: gRPC messages whose content was.
struct MaskCounts {
    std::uint64_t auth = 0, tokens = 0, commands = 0, calls = 0, payload_frames = 0, payload_bytes = 0,
                  connections_not_understood = 0;
};

// Same-length stand-ins, equal wherever one of the last limits::kPseudonymsMax tokens, or words, occurs: so that what
// belongs together is still found. Of what they stand for they tell the length, and what is equal.
class Pseudonyms {
public:
    std::string of(const std::string& token);
    // Of a word of a command. Few short words can be told apart: further ones are filled with `otherwise`, which
    // differs by place, so that what is not known to be equal never looks so.
    std::string of_word(const std::string& word, char otherwise);

private:
    struct Known {
        std::unordered_map<std::string, std::string> names;
        std::deque<std::string> order;
        void add(const std::string& text, const std::string& name);
    };
    Known tokens_, words_;
    std::uint64_t given_ = 0;
    std::unordered_map<std::size_t, std::uint64_t> words_given_;  // by length
};

// Follows one connection. Without a handshake the side that sends a request first is the client, whatever was said.
// Where the beginning is neither a request, an answer nor TLS, nothing is understood. `kind_of` tells what a stream is,
// as far as the decoders know.
class ConnectionWalker {
public:
    using KindOf = std::function<StreamKind(std::uint32_t stream)>;
    ConnectionWalker(KindOf kind_of, Pseudonyms& pseudonyms, MaskCounts& counts);
    // The connection was joined in the middle; its client is known. Before its first bytes.
    void joined_late();
    ~ConnectionWalker();
    ConnectionWalker(ConnectionWalker&&) noexcept;

    void bytes(Direction direction, std::uint64_t offset, Bytes bytes);
    // From here on nothing of this direction is understood any more.
    void gap(Direction direction);
    void end();

    [[nodiscard]] MaskPlan& plan(Direction direction);

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace hopscope::record
