// Bytes: in order, out of order, repeated, missing.
#include <algorithm>

#include "core/limits.h"
#include "decode/net/tcp_state.h"

namespace hopscope::decode::net {

void TcpReassembler::State::Arrival::drop_front(std::uint32_t bytes) {
    const std::size_t captured = std::min<std::size_t>(bytes, payload.size());
    payload = payload.subspan(captured);
    if (position != 0) position += captured;
    sequence += bytes;
    wire -= bytes;
}

// --- where a direction begins, when its SYN was not seen

// The first segments are held until it is clear that no earlier one is on its way: the receiver has acknowledged up to
// the first of them, or enough others came. True: the direction has started, and `arrival` goes the usual way.
bool TcpReassembler::State::begin_late(std::uint32_t slot, std::size_t d, const Arrival& arrival) {
    Flow& flow = flows[slot];
    Half& half = flow.halves[d];
    const bool bare = arrival.wire == 0 && !arrival.fin;
    const bool ack_known = (flow.state[d] & kAckKnown) != 0;
    if ((flow.state[d] & kStarting) == 0) {
        flow.state[d] |= kStarting;
        expect_at(half, arrival.sequence);
        if (bare) return false;
        const bool acknowledged = ack_known && ahead(half.acked, arrival.sequence) >= 0;
        if (!arrival.fin && !acknowledged) return hold(slot, d, arrival);
        settle_start(slot, d);
        return true;
    }
    const WaitingHalf* w = waiting_half(flow, d);
    const bool held = w != nullptr && !w->pieces.empty();
    if (!held) {
        // A bare acknowledgement has said where it begins. One byte before means that it was a keep-alive.
        const std::int32_t rel = ahead(arrival.sequence, half.next());
        const bool was_keep_alive = rel == 1 && (flow.flags & kHandshake) == 0;
        const bool was_after_fin = rel < 0 && arrival.fin && arrival.wire == 0;
        if (was_keep_alive || was_after_fin) expect_at(half, arrival.sequence);
        if (bare && (rel <= 0 || was_keep_alive)) return false;
        if (rel >= 0 || was_after_fin) {
            settle_start(slot, d);
            return true;
        }
        if (ack_known && ahead(half.acked, arrival.sequence + arrival.wire) >= 0) {
            loss.add(LossPlace::uncompared, arrival.wire);  // sent again from before the capture
            return false;
        }
    } else if (bare) {
        return false;
    }
    if (!arrival.fin) return hold(slot, d, arrival);
    settle_start(slot, d);
    return true;
}

// The next byte seems to be `sequence`; there is room for earlier ones below it.
void TcpReassembler::State::expect_at(Half& half, std::uint32_t sequence) {
    half.base = sequence - limits::kBehindBytesMax;
    half.offset = limits::kBehindBytesMax;
}

// Keeps a segment of a direction whose beginning is not settled. True: there is no room, so it was settled.
bool TcpReassembler::State::hold(std::uint32_t slot, std::size_t d, const Arrival& arrival) {
    Flow& flow = flows[slot];
    const Half& half = flow.halves[d];
    const std::int32_t rel = ahead(arrival.sequence, half.next());
    const std::int64_t offset = static_cast<std::int64_t>(half.offset) + rel;
    if (offset < 0 || rel > static_cast<std::int32_t>(limits::kAheadBytesMax)) return false;
    const WaitingHalf* w = waiting_half(flow, d);
    const std::size_t needed = arrival.payload.size() + Pieces::kOverheadBytes;
    const std::size_t here = w == nullptr ? 0 : w->pieces.held_bytes();
    if (here + needed > limits::kOutOfOrderBytesPerDirection ||
        waiting.held_bytes + needed > limits::kOutOfOrderBytesAll) {
        settle_start(slot, d);
        return true;
    }
    store(slot, d, static_cast<std::uint64_t>(offset), arrival);
    return false;
}

void TcpReassembler::State::settle_start(std::uint32_t slot, std::size_t d) {
    Flow& flow = flows[slot];
    Half& half = flow.halves[d];
    WaitingHalf* w = waiting_half(flow, d);
    std::uint64_t first = half.offset;
    if (w != nullptr && !w->pieces.empty()) {
        first = std::min(first, w->pieces.first_offset());
        w->pieces.shift_down(first);
    }
    half.base += static_cast<std::uint32_t>(first);
    half.offset = 0;
    if ((flow.state[d] & kAckKnown) == 0) half.acked = half.base;
    flow.state[d] = static_cast<std::uint8_t>((flow.state[d] & ~kStarting) | kStarted | kAckKnown);
    drain(slot, d);
}

// --- a segment's bytes

bool TcpReassembler::State::take_bytes(std::uint32_t slot, std::size_t d, Arrival arrival) {
    Flow& flow = flows[slot];
    Half& half = flow.halves[d];
    if ((flow.state[d] & kStarted) == 0 && !begin_late(slot, d, arrival)) return true;
    if (ahead(arrival.sequence, half.next()) > 0) make_room(slot, d, arrival.payload.size());

    const std::int32_t rel = ahead(arrival.sequence, half.next());
    if (rel > static_cast<std::int32_t>(limits::kAheadBytesMax) ||
        rel < -static_cast<std::int32_t>(limits::kBehindBytesMax)) {
        if (++flow.strayed >= limits::kStrayedSegments) return false;
        note(slot, d, NetNoteKind::out_of_window, half.offset, arrival.wire);
        return true;
    }
    flow.strayed = 0;
    const bool fin_told = (flow.state[d] & kFinTold) != 0;
    const bool outstanding = ahead(half.acked, half.next()) < 0;
    if (rel == -1 && arrival.wire <= 1 && !arrival.fin && !fin_told && (arrival.wire == 0 || !outstanding)) {
        note(slot, d, NetNoteKind::keep_alive, half.offset - std::min<std::uint64_t>(half.offset, 1), arrival.wire);
        return true;
    }
    // A FIN before bytes that are here already is none.
    if (rel + static_cast<std::int64_t>(arrival.wire) < 0) arrival.fin = false;
    if (rel < 0 && arrival.wire > 0) {
        const std::uint32_t old = std::min(arrival.wire, static_cast<std::uint32_t>(-rel));
        take_repeated(slot, d, static_cast<std::int64_t>(half.offset) + rel,
                      arrival.payload.first(std::min<std::size_t>(old, arrival.payload.size())), old);
        arrival.drop_front(old);
    }
    if (fin_told) return true;

    take_new(slot, d, half.offset + static_cast<std::uint64_t>(std::max(rel, 0)), arrival);
    return true;
}

// Bytes at or beyond the next one, and a FIN behind them.
void TcpReassembler::State::take_new(std::uint32_t slot, std::size_t d, std::uint64_t offset, Arrival arrival) {
    Flow& flow = flows[slot];
    Half& half = flow.halves[d];
    WaitingHalf* w = waiting_half(flow, d);
    if (w != nullptr && w->fin_offset && offset + arrival.wire > *w->fin_offset) {
        // Nothing follows a FIN.
        if (offset >= *w->fin_offset) return;
        arrival.wire = static_cast<std::uint32_t>(*w->fin_offset - offset);
        arrival.payload = arrival.payload.first(std::min<std::size_t>(arrival.wire, arrival.payload.size()));
    }
    if (arrival.wire > 0) {
        if (w != nullptr) ++w->segments;
        const bool nothing_waits = w == nullptr || w->pieces.empty();
        const bool too_large = arrival.payload.size() + Pieces::kOverheadBytes > limits::kOutOfOrderBytesPerDirection;
        if (nothing_waits && too_large && offset != half.offset) {
            loss.add(LossPlace::limit_buffer, offset - half.offset);
            declare(slot, d, offset);
        }
        if (nothing_waits && offset == half.offset) {
            if (w != nullptr && w->fin_offset) note(slot, d, NetNoteKind::reordering, offset, arrival.wire);
            take_in_order(slot, d, arrival);
        } else {
            store(slot, d, offset, arrival);
        }
    }
    if (arrival.fin && (flow.state[d] & kFinTold) == 0) take_fin(slot, d, offset + arrival.wire);
}

void TcpReassembler::State::take_in_order(std::uint32_t slot, std::size_t d, const Arrival& arrival) {
    Flow& flow = flows[slot];
    Half& half = flow.halves[d];
    if (!arrival.payload.empty()) {
        recent.add(flow.recent, owner(flow, d), arrival.sequence, arrival.payload.size(), arrival.position);
        half.offset += arrival.payload.size();
        listener.bytes(ref(slot), direction(d), arrival.payload);
    }
    const std::uint64_t cut = arrival.wire - arrival.payload.size();
    if (cut > 0) declare(slot, d, half.offset + cut);
    if (const WaitingHalf* w = waiting_half(flow, d); w != nullptr && w->fin_offset == half.offset) tell_fin(slot, d);
}

// `offset` may lie before the beginning of what is known; `captured` are the first of the `bytes`.
void TcpReassembler::State::take_repeated(std::uint32_t slot, std::size_t d, std::int64_t offset, Bytes captured,
                                          std::uint32_t bytes) {
    Flow& flow = flows[slot];
    const Half& half = flow.halves[d];
    if (offset < 0) {
        // From before the capture: nothing is known of it.
        const std::uint32_t before = static_cast<std::uint32_t>(std::min<std::int64_t>(-offset, bytes));
        loss.add(LossPlace::uncompared, before);
        if (before == bytes) return;
        captured = captured.subspan(std::min<std::size_t>(before, captured.size()));
        bytes -= before;
        offset = 0;
    }
    const std::uint64_t from = static_cast<std::uint64_t>(offset);
    note(slot, d, NetNoteKind::retransmission, from, bytes);
    const std::uint64_t oldest = half.offset > limits::kCompareBytes ? half.offset - limits::kCompareBytes : 0;
    const std::uint64_t skipped = std::min<std::uint64_t>(from < oldest ? oldest - from : 0, captured.size());
    const std::uint32_t sequence = half.sequence_at(from + skipped);
    const auto result = recent.compare(flow.recent, owner(flow, d), sequence, captured.subspan(skipped));
    loss.add(LossPlace::uncompared, bytes - result.compared);
    if (result.differing > 0)
        note(slot, d, NetNoteKind::different_data, from + skipped + (result.first_difference - sequence),
             result.differing);
}

// --- out of order

void TcpReassembler::State::store(std::uint32_t slot, std::size_t d, std::uint64_t offset, const Arrival& arrival) {
    Flow& flow = flows[slot];
    Half& half = flow.halves[d];
    WaitingHalf& w = waiting.of(flow, slot).halves[d];
    waiting.put_in_list(flow.waiting);
    const bool overtaken = (!w.pieces.empty() && w.pieces.last_offset() > offset) || w.fin_offset.has_value();

    waiting.held_bytes -= w.pieces.held_bytes();
    const Pieces::Inserted result =
        w.pieces.insert(offset, arrival.payload, offset + arrival.wire, now, w.segments, fresh);
    waiting.held_bytes += w.pieces.held_bytes();

    std::uint64_t fresh_bytes = 0;
    for (const Pieces::Range& range : fresh) {
        fresh_bytes += range.end - range.begin;
        const std::uint64_t position = arrival.position == 0 ? 0 : arrival.position + (range.begin - offset);
        recent.add(flow.recent, owner(flow, d), half.sequence_at(range.begin), range.end - range.begin, position);
    }
    // Before the beginning of a direction is settled, its offsets are not yet those that are told.
    const std::uint64_t shown = (flow.state[d] & kStarted) != 0 ? offset : 0;
    if (result.duplicate > 0)
        note(slot, d, NetNoteKind::retransmission, shown + (result.first_duplicate - offset), result.duplicate);
    if (result.differing > 0)
        note(slot, d, NetNoteKind::different_data, shown + (result.first_difference - offset), result.differing);
    if (overtaken && fresh_bytes > 0) note(slot, d, NetNoteKind::reordering, shown, fresh_bytes);
    w.notice_hole(now);
    if ((flow.state[d] & kStarted) != 0) drain(slot, d);
}

// Hands over what follows without a hole.
void TcpReassembler::State::drain(std::uint32_t slot, std::size_t d) {
    Flow& flow = flows[slot];
    Half& half = flow.halves[d];
    WaitingHalf* w = waiting_half(flow, d);
    if (w == nullptr) return;
    bool moved = false;
    while (!w->pieces.empty() && w->pieces.first_offset() == half.offset) {
        waiting.held_bytes -= w->pieces.held_bytes();
        const Piece piece = w->pieces.take_first();
        waiting.held_bytes += w->pieces.held_bytes();
        moved = true;
        if (!piece.bytes.empty()) {
            half.offset += piece.bytes.size();
            listener.bytes(ref(slot), direction(d), piece.bytes);
        }
        std::uint64_t cut_until = piece.cut_until;
        if (!w->pieces.empty()) cut_until = std::min(cut_until, w->pieces.first_offset());
        if (w->fin_offset) cut_until = std::min(cut_until, *w->fin_offset);
        if (cut_until > half.offset) declare(slot, d, cut_until);
    }
    if (w->fin_offset == half.offset) return tell_fin(slot, d);
    if (!moved) return;
    w->hole_noticed = !w->pieces.empty() || w->fin_offset.has_value();
    if (w->pieces.empty()) return;
    w->noticed = w->pieces.first().arrived;
    w->noticed_segment = w->pieces.first().segment;
}

// Keeps the bytes that wait within their limits before `bytes` more come.
void TcpReassembler::State::make_room(std::uint32_t slot, std::size_t d, std::size_t bytes) {
    Flow& flow = flows[slot];
    const std::size_t needed = bytes + Pieces::kOverheadBytes;
    while (const WaitingHalf* w = waiting_half(flow, d)) {
        if (w->pieces.empty() || w->pieces.held_bytes() + needed <= limits::kOutOfOrderBytesPerDirection) break;
        give_up_first_hole(slot, d);
    }
    while (waiting.held_bytes + needed > limits::kOutOfOrderBytesAll && waiting.oldest() != 0) {
        const std::uint32_t number = waiting.oldest();
        Waiting& oldest = waiting.at(number);
        waiting.take_from_list(number);
        for (const std::size_t its_d : {std::size_t{0}, std::size_t{1}})
            while (!oldest.halves[its_d].pieces.empty()) give_up_first_hole(oldest.slot, its_d);
    }
}

void TcpReassembler::State::give_up_first_hole(std::uint32_t slot, std::size_t d) {
    Flow& flow = flows[slot];
    if ((flow.state[d] & kStarting) != 0) return settle_start(slot, d);
    const std::uint64_t until = waiting_half(flow, d)->pieces.first_offset();
    loss.add(LossPlace::limit_buffer, until - flow.halves[d].offset);
    declare(slot, d, until);
    drain(slot, d);
}

// --- holes

void TcpReassembler::State::declare(std::uint32_t slot, std::size_t d, std::uint64_t until) {
    Half& half = flows[slot].halves[d];
    const std::uint64_t from = half.offset;
    if (until <= from) return;
    half.offset = until;
    loss.add(LossPlace::reassembly, until - from);
    listener.gap(ref(slot), direction(d), from, until - from);
}

void TcpReassembler::State::declare_ripe(std::uint32_t slot, std::size_t d) {
    Flow& flow = flows[slot];
    Half& half = flow.halves[d];
    while (WaitingHalf* w = waiting_half(flow, d)) {
        const bool aged = ticks_since(w->noticed, now) >= ticks(limits::kHoleSeconds) ||
                          w->segments - w->noticed_segment >= limits::kHoleSegments;
        const bool ack_known = (flow.state[d] & kAckKnown) != 0;
        bool acknowledged = false;
        std::uint64_t until = 0;
        if (!w->pieces.empty()) {
            until = w->pieces.first_offset();
            acknowledged = ack_known && ahead(half.acked, half.sequence_at(until)) >= 0;
        } else if (w->fin_offset) {
            until = *w->fin_offset;
            acknowledged = ack_known && ahead(half.acked, half.sequence_at(until)) >= 1;
        } else {
            until = half.offset + acknowledged_unseen(flow, d);
            acknowledged = until > half.offset;
        }
        if ((flow.state[d] & kStarting) != 0) {
            if (w->pieces.empty()) break;
            if (acknowledged || aged || w->pieces.size() >= limits::kLateStartSegments) {
                settle_start(slot, d);
                continue;
            }
            acknowledged = true;  // time alone will do
        }
        if (w->pieces.empty() && !w->fin_offset && !acknowledged) w->hole_noticed = false;
        if (!acknowledged) break;
        if (!aged) {
            queue_deadline(slot, false);
            break;
        }
        declare(slot, d, until);
        drain(slot, d);
        if (w->pieces.empty() && !w->fin_offset) w->hole_noticed = false;
    }
}

void TcpReassembler::State::flush(std::uint32_t slot, std::size_t d) {
    Flow& flow = flows[slot];
    Half& half = flow.halves[d];
    if (WaitingHalf* w = waiting_half(flow, d)) {
        if ((flow.state[d] & kStarting) != 0 && !w->pieces.empty()) settle_start(slot, d);
        while (!w->pieces.empty()) {
            declare(slot, d, w->pieces.first_offset());
            drain(slot, d);
        }
        if (w->fin_offset) {
            declare(slot, d, *w->fin_offset);
            tell_fin(slot, d);
        }
    }
    declare(slot, d, half.offset + acknowledged_unseen(flow, d));
}

void TcpReassembler::State::settle(std::uint32_t slot) {
    Flow& flow = flows[slot];
    if (flow.waiting == 0) return;
    bool idle = true;
    for (const std::size_t d : {std::size_t{0}, std::size_t{1}}) {
        declare_ripe(slot, d);
        const WaitingHalf& w = waiting.at(flow.waiting).halves[d];
        idle &= w.pieces.empty() && !w.fin_offset && !w.hole_noticed;
    }
    if (idle) waiting.release(flow);
}

}  // namespace hopscope::decode::net
