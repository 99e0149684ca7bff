#include "decode/road.h"

#include <utility>

namespace hopscope::decode {

std::size_t Road::held_bytes() const { return sides_[0].unread.capacity() + sides_[1].unread.capacity(); }

void Road::drop() {
    decoder_.reset();
    for (Side& side : sides_) {
        side.unread = std::vector<std::uint8_t>();
        side.read = 0;
    }
}

bool Road::step(Direction direction, Bytes bytes, std::size_t& taken, EventSink& sink) {
    Side& side = sides_[index_of(direction)];
    Step step = decoder_->decode(direction, side.offset, bytes, sink);
    if (step.kind == Step::Kind::more) return false;
    taken += step.taken;
    side.offset += step.taken;
    // A side that waited is over once more when what it waited with has been decoded.
    if (step.taken > 0) side.end_told = false;
    if (step.kind == Step::Kind::broken) {
        decoder_.reset();
    } else if (step.kind == Step::Kind::become) {
        decoder_ = std::move(step.next);
        // The new decoder has not heard yet that a side is over.
        for (Side& each : sides_) each.end_told = false;
    }
    return true;
}

void Road::keep(Side& side, Bytes rest) {
    if (side.read > 0 && side.read == side.unread.size()) {
        side.unread.clear();
        side.read = 0;
    }
    side.unread.insert(side.unread.end(), rest.begin(), rest.end());
}

bool Road::move(Direction direction, EventSink& sink) {
    Side& side = sides_[index_of(direction)];
    if (!side.all_read()) {
        const Bytes kept = Bytes(side.unread).subspan(side.read);
        if (step(direction, kept, side.read, sink)) return true;
    }
    if (!side.ended || side.end_told) return false;
    side.end_told = true;
    decoder_->end(direction, sink);
    return true;
}

bool Road::may_wait(Direction direction, EventSink& sink) {
    const Side& side = sides_[index_of(direction)];
    const std::size_t waiting = side.unread.size() - side.read;
    if (waiting <= decoder_->unread_bytes_max()) return true;
    sink.on(Problem{"road.unread", "a message is larger than can be held", direction, side.offset, waiting});
    drop();
    return false;
}

void Road::settle(Direction fed, EventSink& sink) {
    // Progress on one side can unlock the other: an answered upgrade frees the bytes that waited for it. They are older
    // than what follows the answer, and so is the end of a side that a new decoder has not heard of: after each step of
    // the side that was fed the other one goes as far as it can.
    do {
        while (decoder_ && move(opposite(fed), sink)) {
        }
    } while (decoder_ && move(fed, sink));
    if (!decoder_) return drop();
    for (Direction direction : {Direction::to_server, Direction::to_client}) {
        if (!may_wait(direction, sink)) return;
        Side& side = sides_[index_of(direction)];
        if (side.all_read() && side.read > 0) {
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
    if (!side.all_read()) {
        keep(side, bytes);
        return settle(direction, sink);
    }
    const Side& other = sides_[index_of(opposite(direction))];
    std::size_t taken = 0;
    while (taken < bytes.size() && step(direction, bytes.subspan(taken), taken, sink)) {
        if (!decoder_) {
            side.offset += bytes.size() - taken;
            return drop();
        }
        if (!other.settled()) break;
    }
    if (taken < bytes.size()) keep(side, bytes.subspan(taken));
    // The common case ends here: nothing waits on the other side.
    if (other.settled() && !side.ended)
        may_wait(direction, sink);
    else
        settle(direction, sink);
}

void Road::gap(Direction direction, std::uint64_t missing, EventSink& sink) {
    Side& side = sides_[index_of(direction)];
    if (decoder_) settle(direction, sink);
    if (!decoder_) {
        side.offset += missing;
        return;
    }
    const std::size_t lost = side.unread.size() - side.read;
    if (lost > 0) decoder_->cut_off(direction, side.offset, Bytes(side.unread).subspan(side.read), sink);
    side.unread.clear();
    side.read = 0;
    side.offset += lost;
    const bool goes_on = decoder_->gap(direction, side.offset, missing, lost, sink);
    side.offset += missing;
    if (!goes_on) return drop();
    settle(direction, sink);
}

void Road::end(Direction direction, EventSink& sink) {
    Side& side = sides_[index_of(direction)];
    if (side.ended) return;
    side.ended = true;
    if (decoder_) settle(direction, sink);
}

}  // namespace hopscope::decode
