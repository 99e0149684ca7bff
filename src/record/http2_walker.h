// Follows one HTTP/2 connection and decides which of its bytes may stay: frames and gRPC framing stay, header values
// that say no more than how it is framed and called stay, bodies of CRI messages and of containerd's own calls about
// processes as cri_masker says; everything else is overwritten, bodies of other services among it.
//
// A connection that was joined late is followed from the first frame boundary on that is believed, in each direction
// for itself; a request whose method is not known waits for its answer, which may tell it. Bounded by limits::kGrpc….
// Errors: where frames make no sense, what follows is overwritten until a boundary is found again.
#pragma once

#include <array>
#include <map>
#include <string>
#include <vector>

#include "decode/grpc/frame.h"
#include "decode/grpc/header_list.h"
#include "decode/grpc/hpack_reader.h"
#include "record/cri_masker.h"
#include "record/gathered.h"
#include "record/mask_plan.h"

namespace hopscope::record {

class Http2Walker {
public:
    // All borrowed; `plans` by direction.
    Http2Walker(std::array<MaskPlan*, 2> plans, Pseudonyms& pseudonyms, MaskCounts& counts, bool late);

    void bytes(Direction direction, std::uint64_t offset, Bytes bytes);
    // Bytes of this direction are missing.
    void gap(Direction direction);

private:
    // The gRPC messages of one direction of a stream.
    struct Messages {
        bool in_step = false;    // what comes next is a message's prefix, or inside the one in hand
        bool skipping = false;   // the body in hand is overwritten whole
        std::uint64_t left = 0;  // of the body in hand
        Gathered message;        // prefix and body
    };
    struct Stream {
        const decode::grpc::CriMethod* method = nullptr;
        const decode::grpc::TaskMethod* task = nullptr;  // of containerd's own API
        bool named = false;                              // its path was seen: whether it is such a method is known
        bool ended[2] = {false, false};
        Messages messages[2];
        std::vector<Gathered> undecided;  // bodies of requests that wait for the answer
    };
    enum class Where : std::uint8_t { preface, seek, head, data, gather, keep, skip };
    struct Side {
        Where where = Where::head;
        std::string pending;  // of a preface, a head, or while a boundary is looked for
        std::uint64_t pending_at = 0;
        decode::grpc::FrameHeader frame;
        std::uint64_t left = 0;     // of the frame's payload
        std::uint64_t padding = 0;  // of them, at the end
        bool pad_length_due = false;
        Gathered block;  // of a header block
        std::uint32_t block_stream = 0;
        bool block_ends_stream = false, block_promises = false;
        decode::grpc::HpackReader headers;
    };

    Side& side(Direction d) { return sides_[index_of(d)]; }
    MaskPlan& plan(Direction d) { return *plans_[index_of(d)]; }
    void apply(Direction direction, const Gathered& original, std::string_view masked) {
        original.apply(plan(direction), masked);
    }
    std::size_t take(Direction direction, std::uint64_t offset, std::string_view bytes);
    void step(Direction direction);
    void begin_frame(Direction direction);
    void end_frame(Direction direction);
    void lose(Direction direction);
    void end_block(Direction direction);
    void mask_block(Direction direction, std::vector<decode::grpc::HpackLiteral>& literals);
    Stream& stream(std::uint32_t id);
    void close(std::uint32_t id, Direction direction, bool both);
    void data(Direction direction, std::uint64_t offset, std::string_view bytes);
    void whole_message(Direction direction, Stream& stream, const Gathered& message);
    void mask_body(Direction direction, decode::grpc::CriBody kind, const Gathered& body);
    void mask_body(Direction direction, decode::grpc::TaskBody kind, const Gathered& body);
    void unnamed_request(Stream& stream, const Gathered& body);
    void unnamed_answer(Stream& stream, const Gathered& body);

    std::array<MaskPlan*, 2> plans_;
    Pseudonyms& pseudonyms_;
    MaskCounts& counts_;
    std::array<Side, 2> sides_;
    std::map<std::uint32_t, Stream> streams_;
    std::size_t held_bytes_ = 0;  // of gathered messages
    decode::grpc::HeaderList fields_;
};

}  // namespace hopscope::record
