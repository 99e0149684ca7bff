#include "decode/road.h"

#include "core/limits.h"

namespace hopscope::decode {

std::size_t Road::held_bytes() const { return sides_[0].unread.capacity() + sides_[1].unread.capacity(); }

void Road::give_up(Direction direction, std::string_view code, std::string_view text, std::uint64_t skipped,
                   EventSink& sink) {
    sink.on(Problem{code, text, direction, sides_[index_of(direction)].offset, skipped});
    decoder_.reset();
    for (Side& side : sides_) side.unread = std::vector<std::uint8_t>();
}

std::size_t Road::run(Direction direction, Bytes bytes, EventSink& sink) {
    Side& side = sides_[index_of(direction)];
    std::size_t taken = 0;
    while (decoder_ && taken < bytes.size()) {
        Step step = decoder_->decode(direction, side.offset, bytes.subspan(taken), sink);
        if (step.kind == Step::Kind::more) break;
        taken += step.taken;
        side.offset += step.taken;
        if (step.kind == Step::Kind::broken) {
            decoder_.reset();
        } else if (step.kind == Step::Kind::become) {
            decoder_ = std::move(step.next);
            handed_over_ = true;
            // The new decoder has not heard yet that a side is over.
            for (Side& each : sides_) each.end_told = false;
        }
        // What the other side has waited with is older than what follows here: if this step has freed it, it goes first
        // (run_kept).
        const Side& other = sides_[index_of(opposite(direction))];
        if (other.read < other.unread.size()) break;
    }
    return taken;
}

void Road::keep(Side& side, Bytes rest) {
    if (side.read > 0 && side.read == side.unread.size()) {
        side.unread.clear();
        side.read = 0;
    }
    side.unread.insert(side.unread.end(), rest.begin(), rest.end());
}

void Road::run_kept(EventSink& sink) {
    // Progress on one side can unlock the other: an answered upgrade frees the bytes that waited for it.
    bool moved = true;
    while (moved && decoder_) {
        moved = false;
        for (Direction direction : {Direction::to_server, Direction::to_client}) {
            Side& side = sides_[index_of(direction)];
            if (side.read == side.unread.size()) continue;
            handed_over_ = false;
            const std::size_t taken = run(direction, Bytes(side.unread).subspan(side.read), sink);
            side.read += taken;
            moved = moved || taken > 0 || handed_over_;
        }
    }
    for (Side& side : sides_) {
        if (side.read == side.unread.size() && side.read > 0) {
            side.unread.clear();
            side.read = 0;
            // A rare large wait must not keep its memory for the life of the connection.
            if (side.unread.capacity() > 4096) side.unread = std::vector<std::uint8_t>();
        } else if (side.read > 64 * 1024) {
            side.unread.erase(side.unread.begin(), side.unread.begin() + static_cast<std::ptrdiff_t>(side.read));
            side.read = 0;
        }
    }
}

void Road::feed(Direction direction, Bytes bytes, EventSink& sink) {
    Side& side = sides_[index_of(direction)];
    if (!decoder_) {
        side.offset += bytes.size();
        return;
    }
    handed_over_ = false;
    Side& other = sides_[index_of(opposite(direction))];
    if (side.read == side.unread.size()) {
        const std::size_t taken = run(direction, bytes, sink);
        if (!decoder_) {
            side.offset += bytes.size() - taken;
            return;
        }
        if (taken < bytes.size()) keep(side, bytes.subspan(taken));
        // The common case ends here: nothing waits on the other side.
        if (other.read == other.unread.size() && !handed_over_) {
            if (side.unread.size() - side.read > decoder_->unread_bytes_max())
                give_up(direction, "road.unread", "a message is larger than can be held",
                        side.unread.size() - side.read, sink);
            return;
        }
    } else {
        keep(side, bytes);
    }
    run_kept(sink);
    for (Direction d : {Direction::to_server, Direction::to_client}) {
        Side& s = sides_[index_of(d)];
        if (decoder_ && s.unread.size() - s.read > decoder_->unread_bytes_max())
            give_up(d, "road.unread", "a message is larger than can be held", s.unread.size() - s.read, sink);
        if (decoder_ && s.ended && !s.end_told && s.read == s.unread.size()) {
            s.end_told = true;
            decoder_->end(d, sink);
        }
    }
}

void Road::gap(Direction direction, std::uint64_t missing, EventSink& sink) {
    Side& side = sides_[index_of(direction)];
    if (decoder_) run_kept(sink);
    if (decoder_) {
        const std::size_t lost = side.unread.size() - side.read;
        if (lost > 0) decoder_->cut_off(direction, side.offset, Bytes(side.unread).subspan(side.read), sink);
        side.unread.clear();
        side.read = 0;
        side.offset += lost;
        if (!decoder_->gap(direction, side.offset, missing, lost, sink)) decoder_.reset();
    }
    side.offset += missing;
}

void Road::end(Direction direction, EventSink& sink) {
    Side& side = sides_[index_of(direction)];
    side.ended = true;
    if (!decoder_ || side.end_told) return;
    run_kept(sink);
    if (!decoder_) return;
    side.end_told = true;
    decoder_->end(direction, sink);
}

}  // namespace hopscope::decode
