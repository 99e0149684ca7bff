// SYN, acknowledgements, window, FIN and RST.
#include <cstdlib>

#include "core/limits.h"
#include "decode/net/tcp_state.h"

namespace hopscope::decode::net {
namespace {

// How far the answer to a SYN, or a SYN that comes late, may lie from where the other packets say that it is: data on
// SYN (RFC 7413), and segments that overtook it.
constexpr std::uint32_t kNearSynBytes = 65536;

bool is_near(std::uint32_t a, std::uint32_t b, std::uint32_t most) {
    return static_cast<std::uint32_t>(std::abs(std::int64_t{ahead(a, b)})) <= most;
}

}  // namespace

void TcpReassembler::State::start_at(std::uint32_t slot, std::size_t d, std::uint32_t sequence) {
    Flow& flow = flows[slot];
    Half& half = flow.halves[d];
    if (WaitingHalf* w = waiting_half(flow, d); w != nullptr && (flow.state[d] & kStarting) != 0) {
        // What was held has offsets from an earlier base.
        const std::uint32_t shift = sequence - half.base;
        waiting.held_bytes -= w->pieces.held_bytes();
        if (!w->pieces.empty() && shift <= w->pieces.first_offset()) {
            w->pieces.shift_down(shift);
        } else {
            w->pieces.clear();
        }
        waiting.held_bytes += w->pieces.held_bytes();
    }
    half.base = sequence;
    half.offset = 0;
    if ((flow.state[d] & kAckKnown) == 0 || ahead(half.acked, sequence) < 0) half.acked = sequence;
    flow.state[d] = static_cast<std::uint8_t>((flow.state[d] & kZeroWindow) | kStarted | kIsnKnown | kAckKnown);
    drain(slot, d);
}

TcpReassembler::State::Syn TcpReassembler::State::take_syn(std::uint32_t slot, std::size_t d, const TcpSegment& segment,
                                                           std::int32_t silent_ticks) {
    Flow& flow = flows[slot];
    const std::size_t o = 1 - d;
    const std::uint32_t first = segment.sequence + 1;
    const bool handshake = (flow.flags & kHandshake) != 0;

    if ((flow.state[d] & kStarted) != 0) {
        if (flow.halves[d].base == first) {  // sent again, or overtaken by what followed it
            flow.state[d] |= kIsnKnown;
            return Syn::same;
        }
        const WaitingHalf *w0 = waiting_half(flow, 0), *w1 = waiting_half(flow, 1);
        const bool fin_seen = (flow.flags & kClosing) != 0 || (w0 != nullptr && (w0->fin_offset || w1->fin_offset));
        const bool idle = silent_ticks > ticks(limits::kPortReuseIdleSeconds);
        const bool unanswered = (flow.state[o] & (kStarted | kStarting)) == 0;
        // An answer with another number means that the server has accepted a new connection.
        if (fin_seen || idle || unanswered || !handshake || segment.flags.ack) return Syn::fresh;
        note(slot, d, NetNoteKind::out_of_window, flow.halves[d].offset, segment.payload_wire_bytes);
        return Syn::ignored;
    }

    const bool seen = (flow.state[d] & kStarting) != 0;
    const bool other_started = (flow.state[o] & (kStarted | kStarting)) != 0;
    bool belongs = handshake;
    if (seen) belongs = is_near(first, flow.halves[d].next(), kNearSynBytes);
    if (segment.flags.ack && other_started)
        belongs = is_near(segment.acknowledgement, flow.halves[o].next(), kNearSynBytes);
    if (belongs) {
        start_at(slot, d, first);
        return Syn::same;
    }
    if (!handshake) return Syn::fresh;
    note(slot, d, NetNoteKind::out_of_window, 0, segment.payload_wire_bytes);
    return Syn::ignored;
}

std::uint32_t TcpReassembler::State::acknowledged_unseen(const Flow& flow, std::size_t d) {
    const Half& half = flow.halves[d];
    constexpr std::uint8_t kNeeded = kStarted | kAckKnown;
    if ((flow.state[d] & (kNeeded | kFinTold)) != kNeeded) return 0;
    const std::int32_t beyond = ahead(half.acked, half.next());
    if (beyond < 2 || beyond > static_cast<std::int32_t>(limits::kBehindBytesMax)) return 0;
    return static_cast<std::uint32_t>(beyond);
}

void TcpReassembler::State::take_ack(std::uint32_t slot, std::size_t d, std::uint32_t acknowledgement) {
    Flow& flow = flows[slot];
    Half& half = flow.halves[d];
    if ((flow.state[d] & kAckKnown) == 0) {
        flow.state[d] |= kAckKnown;
        half.acked = acknowledgement;
        // The SYN was seen and its answer was not: the other direction begins where the first acknowledgement says.
        const bool answer_missed =
            (flow.state[1 - d] & kIsnKnown) != 0 && (flow.state[d] & (kStarted | kStarting)) == 0;
        if (answer_missed) {
            expect_at(half, acknowledgement);
            flow.state[d] |= kStarting;
        }
    } else if (ahead(acknowledgement, half.acked) > 0) {
        const bool started = (flow.state[d] & kStarted) != 0;
        if (started && ahead(acknowledgement, half.next()) > static_cast<std::int32_t>(limits::kAheadBytesMax)) return;
        half.acked = acknowledgement;
    }
    const WaitingHalf* w = waiting_half(flow, d);
    const bool held = w != nullptr && !w->pieces.empty();
    if ((flow.state[d] & kStarting) != 0 && !held && ahead(half.acked, half.next()) >= 2) settle_start(slot, d);
    if (acknowledged_unseen(flow, d) > 0) waiting.of(flow, slot).halves[d].notice_hole(now);
}

void TcpReassembler::State::take_window(std::uint32_t slot, std::size_t d, const TcpSegment& segment) {
    Flow& flow = flows[slot];
    if (segment.window != 0) {
        flow.state[d] &= static_cast<std::uint8_t>(~kZeroWindow);
    } else if ((flow.state[d] & kZeroWindow) == 0 && segment.flags.ack && !segment.flags.syn) {
        flow.state[d] |= kZeroWindow;
        note(slot, d, NetNoteKind::zero_window, (flow.state[d] & kStarted) != 0 ? flow.halves[d].offset : 0, 0);
    }
}

void TcpReassembler::State::take_rst(std::uint32_t slot, std::size_t d, const TcpSegment& segment) {
    Flow& flow = flows[slot];
    const std::size_t o = 1 - d;
    // RFC 5961 asks for the exact number; a capture that has lost packets cannot.
    bool belongs = true;
    if ((flow.state[d] & (kStarted | kStarting)) != 0) {
        belongs = is_near(segment.sequence, flow.halves[d].next(), limits::kBehindBytesMax);
    } else if (segment.flags.ack && (flow.state[o] & (kStarted | kStarting)) != 0) {
        belongs = is_near(segment.acknowledgement, flow.halves[o].next(), limits::kBehindBytesMax);
    }
    if (!belongs) {
        note(slot, d, NetNoteKind::out_of_window, (flow.state[d] & kStarted) != 0 ? flow.halves[d].offset : 0,
             segment.payload_wire_bytes);
        return;
    }
    flush(slot, 0);
    flush(slot, 1);
    listener.closing(ref(slot), direction(d), FinKind::rst);
    end(slot, Ending::reset);
}

// The stream of this direction ends at `offset`, which is not before the bytes that are here.
void TcpReassembler::State::take_fin(std::uint32_t slot, std::size_t d, std::uint64_t offset) {
    Flow& flow = flows[slot];
    if (flow.halves[d].offset == offset) return tell_fin(slot, d);
    WaitingHalf& w = waiting.of(flow, slot).halves[d];
    const bool bytes_behind = flow.halves[d].offset > offset || (!w.pieces.empty() && w.pieces.last_end() > offset);
    if (bytes_behind || w.fin_offset) return;
    w.fin_offset = offset;
    w.notice_hole(now);
}

void TcpReassembler::State::tell_fin(std::uint32_t slot, std::size_t d) {
    Flow& flow = flows[slot];
    flow.state[d] |= kFinTold;
    flow.flags |= kClosing;
    if (WaitingHalf* w = waiting_half(flow, d)) {
        waiting.held_bytes -= w->pieces.held_bytes();
        w->pieces.clear();
        w->fin_offset.reset();
        w->hole_noticed = false;
    }
    listener.closing(ref(slot), direction(d), FinKind::fin);
}

void TcpReassembler::State::end_if_over(std::uint32_t slot) {
    Flow& flow = flows[slot];
    bool both_told = true, both_known = true;
    for (const std::size_t d : {std::size_t{0}, std::size_t{1}}) {
        const Half& half = flow.halves[d];
        const bool told = (flow.state[d] & kFinTold) != 0;
        const WaitingHalf* w = waiting_half(flow, d);
        if (!told && (w == nullptr || !w->fin_offset)) return;
        const std::uint32_t fin = half.sequence_at(told ? half.offset : *w->fin_offset);
        both_told &= told;
        both_known &= (flow.state[d] & kAckKnown) != 0 && ahead(half.acked, fin) >= 1;
    }
    if (both_known) {
        // Each side has everything of the other: what is missing here was not captured.
        flush(slot, 0);
        flush(slot, 1);
        end(slot, Ending::closed);
    } else if (both_told) {
        queue_deadline(slot, true);
    }
}

}  // namespace hopscope::decode::net
