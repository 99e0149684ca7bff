// Finds the next frame boundary in the middle of a byte stream, whatever the frames are.
//
// A place may begin a frame if the protocol's Sight says so; it is believed once the frames that follow each other from
// there on carry enough evidence, counted in bits. The places are followed one byte after the other, so the answer
// depends only on the bytes and never on how they were cut; work is bounded (limits::kHuntCandidatesMax places at once,
// none longer than limits::kHuntBytesMax) and linear.
//
// A Sight has `static bool may_begin(std::uint8_t)` and `Look look(Bytes) const`.
#pragma once

#include <vector>

#include "core/bytes.h"
#include "core/limits.h"

namespace hopscope::decode::stream {

// What stands at one place.
struct Look {
    enum class Kind : std::uint8_t { nothing, more_needed, frame } kind = Kind::nothing;
    std::uint64_t frame_bytes = 0;  // with its head
    std::uint32_t bits = 0;         // how unlikely this is by chance: one in 2^bits
    // Where frames are parts of a message: which part may come next to each other.
    enum class Part : std::uint8_t { any, whole, begins, goes_on, ends } part = Part::any;
    // Frames of one stream follow each other more often than by chance: what it counts behind another stream's frame.
    std::uint32_t stream = 0;  // 0: of no stream
    std::uint32_t bits_of_other = 0;

    static Look nothing() { return {}; }
    static Look more_needed() { return {Kind::more_needed, 0, 0}; }
    static Look frame(std::uint64_t bytes, std::uint32_t bits) { return {Kind::frame, bytes, bits}; }
    static Look frame(std::uint64_t bytes, std::uint32_t bits, Part part) { return {Kind::frame, bytes, bits, part}; }

    static Look stream_frame(std::uint64_t bytes, std::uint32_t bits, std::uint32_t stream, std::uint32_t of_other) {
        return {Kind::frame, bytes, bits, Part::any, stream, of_other};
    }

    // The last part before this one was `last` (any: not known).
    [[nodiscard]] bool may_follow(Part last) const {
        if (part == Part::any || last == Part::any) return true;
        const bool inside = last == Part::begins || last == Part::goes_on;
        return inside == (part == Part::goes_on || part == Part::ends);
    }
};

template <typename Sight>
class FrameHunt {
public:
    // `bits_at_origin` is what a frame gains that begins with the very first byte: after a hole and at the beginning of
    // a capture that is where a segment begins.
    FrameHunt(Sight sight, std::uint32_t bits_needed, std::uint32_t bits_at_origin)
        : sight_(sight), bits_needed_(bits_needed), bits_at_origin_(bits_at_origin) {}

    struct Result {
        bool found = false;
        std::size_t skip = 0;  // bytes of `unread` before the boundary, or before what must be kept for the next call
    };
    // `unread` begins at stream offset `offset`; the bytes of the last call that were not skipped come first.
    Result search(std::uint64_t offset, Bytes unread) {
        if (!begun_) {
            begun_ = true;
            origin_ = place_ = offset;
        }
        const std::uint64_t end = offset + unread.size();
        while (place_ < end) {
            const Bytes here = unread.subspan(place_ - offset);
            const bool expected = place_ == next_expected_;
            if (!expected && !Sight::may_begin(here[0])) {
                ++place_;
                continue;
            }
            const Look look = sight_.look(here);
            if (look.kind == Look::Kind::more_needed) break;
            if (const Candidate* found = follow(look, expected)) return {true, found->start - offset};
            ++place_;
        }
        const std::uint64_t keep_from = candidates_.empty() ? place_ : std::min(candidates_.front().start, place_);
        return {false, keep_from - offset};
    }
    // Some place may be a boundary.
    [[nodiscard]] bool following() const { return !candidates_.empty(); }
    [[nodiscard]] bool begun() const { return begun_; }
    // Stream offset of the first byte of the first search.
    [[nodiscard]] std::uint64_t origin() const { return origin_; }

private:
    struct Candidate {
        std::uint64_t start = 0, next = 0;
        std::uint32_t bits = 0;
        Look::Part last = Look::Part::any;
        std::uint32_t stream = 0;
    };

    const Candidate* follow(const Look& look, bool expected) {
        const bool frame = look.kind == Look::Kind::frame;
        if (expected) {
            std::size_t kept = 0;
            for (Candidate& candidate : candidates_) {
                if (candidate.next == place_) {
                    if (!frame || !look.may_follow(candidate.last)) continue;
                    if (look.part != Look::Part::any) candidate.last = look.part;
                    const bool of_other = look.stream != 0 && candidate.stream != 0 && look.stream != candidate.stream;
                    candidate.bits += of_other ? look.bits_of_other : look.bits;
                    if (look.stream != 0) candidate.stream = look.stream;
                    candidate.next += look.frame_bytes;
                    if (candidate.bits >= bits_needed_) return &candidate;
                }
                candidates_[kept++] = candidate;
            }
            candidates_.resize(kept);
        }
        if (frame && candidates_.size() < limits::kHuntCandidatesMax) {
            candidates_.push_back({place_, place_ + look.frame_bytes,
                                   look.bits + (place_ == origin_ ? bits_at_origin_ : 0), look.part, look.stream});
            if (candidates_.back().bits >= bits_needed_) return &candidates_.back();
        }
        std::erase_if(candidates_, [&](const Candidate& c) { return c.next - c.start > limits::kHuntBytesMax; });
        next_expected_ = UINT64_MAX;
        for (const Candidate& candidate : candidates_) next_expected_ = std::min(next_expected_, candidate.next);
        return nullptr;
    }

    std::vector<Candidate> candidates_;  // by start
    std::uint64_t origin_ = 0, place_ = 0, next_expected_ = UINT64_MAX;
    Sight sight_;
    std::uint32_t bits_needed_, bits_at_origin_;
    bool begun_ = false;
};

}  // namespace hopscope::decode::stream
