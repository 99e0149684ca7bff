#include "decode/net/tcp.h"

#include <algorithm>
#include <bit>

#include "core/limits.h"
#include "decode/net/tcp_state.h"

namespace hopscope::decode::net {
namespace {

// Nothing is due for so long that it is looked at again before the ticks go round.
constexpr Tick kNothingDue = Tick{1} << 30;
// How many are picked in one walk over all flows when there are too many.
constexpr std::size_t kEvictedPerWalk = 1024;

// In words, not byte by byte.
bool same(const Endpoint& a, const Endpoint& b) {
    struct Words {
        std::uint64_t high, low;
    };
    const auto x = std::bit_cast<Words>(a.address.bytes), y = std::bit_cast<Words>(b.address.bytes);
    return ((x.high ^ y.high) | (x.low ^ y.low) | static_cast<std::uint64_t>(a.port ^ b.port)) == 0;
}

// A segment of which only its payload and acknowledgement matter: nearly all are.
bool is_plain(const Flow& flow, std::size_t d, const TcpSegment& segment) {
    constexpr std::uint8_t kDoesNotMatter = kIsnKnown | kAckKnown;
    const Half& half = flow.halves[d];
    const Half& other = flow.halves[1 - d];
    return segment.sequence == half.next() && (flow.state[d] & ~kDoesNotMatter) == kStarted && flow.waiting == 0 &&
           (flow.state[1 - d] & kStarted) != 0 && (flow.flags & kClosing) == 0 && segment.flags.ack &&
           !segment.flags.fin && !segment.flags.syn && !segment.flags.rst && segment.window != 0 &&
           ahead(segment.acknowledgement, other.next()) <= 0 && segment.payload.size() == segment.payload_wire_bytes;
}

}  // namespace

void TcpReassembler::State::on(const TcpSegment& segment, Timestamp at) {
    now = tick_of(at);
    if (ticks_since(next_due, now) >= 0) do_what_is_due();
    // Packets of one connection come in rows: no key is made for one that has the ends of the packet before it.
    bool source_is_low = last_source_is_low;
    if (last_slot == FlowIndex::kNone || !same(segment.source, last_source) ||
        !same(segment.destination, last_destination)) {
        if (last_slot != FlowIndex::kNone && same(segment.source, last_destination) &&
            same(segment.destination, last_source)) {
            source_is_low = !source_is_low;
        } else {
            const FlowKey key = key_of(segment.source, segment.destination, secrets);
            const std::uint32_t found = index.find(key.hash, [&](std::uint32_t candidate) {
                const Flow& flow = flows[candidate];
                return flow.addresses == key.addresses && flow.ports == key.ports;
            });
            if (found == FlowIndex::kNone) return open(key, segment);
            remember(segment, key.source_is_low, found);
            source_is_low = key.source_is_low;
        }
    }
    const std::uint32_t slot = last_slot;
    Flow& flow = flows[slot];
    const std::size_t d = source_is_low == ((flow.flags & kClientIsLow) != 0) ? 0 : 1;
    const std::int32_t silent = ticks_since(flow.last, now);
    flow.last = now;
    if (is_plain(flow, d, segment)) {
        Half& other = flow.halves[1 - d];
        if (ahead(segment.acknowledgement, other.acked) > 0) other.acked = segment.acknowledgement;
        flow.strayed = 0;
        if (segment.payload.empty()) return;
        recent.add(flow.recent, owner(flow, d), segment.sequence, segment.payload.size(), segment.position);
        flow.halves[d].offset += segment.payload.size();
        listener.bytes({flow.id, slot}, direction(d), segment.payload);
        return;
    }
    if (process(slot, d, segment, silent)) return;
    flush(slot, 0);
    flush(slot, 1);
    end(slot, Ending::replaced);
    open(key_of(segment.source, segment.destination, secrets), segment);
}

bool TcpReassembler::State::process(std::uint32_t slot, std::size_t d, const TcpSegment& segment,
                                    std::int32_t silent_ticks) {
    if (segment.flags.rst) {
        take_rst(slot, d, segment);
        return true;
    }
    if (segment.flags.syn) {
        const Syn syn = take_syn(slot, d, segment, silent_ticks);
        if (syn != Syn::same) return syn == Syn::ignored;
    }
    if (segment.flags.ack) take_ack(slot, 1 - d, segment.acknowledgement);
    take_window(slot, d, segment);
    const std::size_t captured = std::min<std::size_t>(segment.payload.size(), segment.payload_wire_bytes);
    const bool belongs = take_bytes(slot, d,
                                    {.sequence = segment.sequence + (segment.flags.syn ? 1 : 0),
                                     .payload = segment.payload.first(captured),
                                     .wire = segment.payload_wire_bytes,
                                     .position = segment.position,
                                     .fin = segment.flags.fin});
    if (!belongs) return false;
    settle(slot);
    end_if_over(slot);
    return true;
}

void TcpReassembler::State::open(const FlowKey& key, const TcpSegment& segment) {
    if (segment.flags.rst || closed.is_late(key, segment, now)) return;
    if (flows.used() == limits::kFlowsMax) evict_longest_idle();
    const std::uint32_t slot = flows.take();
    Flow& flow = flows[slot];
    flow.addresses = key.addresses;
    flow.ports = key.ports;
    if (++last_id == 0) ++last_id;  // 0 marks a free slot
    flow.id = last_id;
    flow.last = now;
    // An answer to a SYN says as much as the SYN: who asked, and where both directions begin.
    const bool answer = segment.flags.syn && segment.flags.ack;
    if (key.source_is_low != answer) flow.flags |= kClientIsLow;
    if (segment.flags.syn) flow.flags |= kHandshake;
    index.insert(key.hash, slot);
    remember(segment, key.source_is_low, slot);
    ++opened;
    listener.opened(ref(slot), answer ? segment.destination : segment.source,
                    answer ? segment.source : segment.destination, segment.flags.syn);
    const std::size_t d = answer ? 1 : 0;
    if (answer) start_at(slot, 0, segment.acknowledgement);
    process(slot, d, segment, 0);
}

void TcpReassembler::State::end(std::uint32_t slot, Ending how) {
    Flow& flow = flows[slot];
    const std::uint32_t hash = hash_of(flow.addresses, flow.ports, secrets);
    if (how == Ending::closed || how == Ending::reset) closed.add(flow, hash, how == Ending::reset, now);
    waiting.release(flow);
    index.erase(hash, slot);
    if (last_slot == slot) last_slot = FlowIndex::kNone;
    listener.ended(ref(slot), how == Ending::capture_over);
    flows.give_back(slot);
}

void TcpReassembler::State::evict_longest_idle() {
    for (;;) {
        while (!to_evict.empty()) {
            const Candidate candidate = to_evict.back();
            to_evict.pop_back();
            const Flow& flow = flows[candidate.slot];
            if (flow.id != candidate.id || flow.last != candidate.last) continue;  // gone, or awake again
            loss.add(LossPlace::limit_flows);
            flush(candidate.slot, 0);
            flush(candidate.slot, 1);
            end(candidate.slot, Ending::replaced);
            return;
        }
        // One walk over all picks many: flows that wake up later are skipped, new ones are younger than all picked.
        for (std::uint32_t slot = 0; slot < flows.slots(); ++slot)
            if (const Flow& flow = flows[slot]; flow.id != 0) to_evict.push_back({slot, flow.id, flow.last});
        if (to_evict.empty()) return;
        const auto idle_longer = [this](const Candidate& a, const Candidate& b) {
            const std::int32_t idle_a = ticks_since(a.last, now), idle_b = ticks_since(b.last, now);
            return idle_a != idle_b ? idle_a > idle_b : a.id < b.id;
        };
        const std::size_t picked = std::min(kEvictedPerWalk, to_evict.size());
        std::partial_sort(to_evict.begin(), to_evict.begin() + static_cast<std::ptrdiff_t>(picked), to_evict.end(),
                          idle_longer);
        to_evict.resize(picked);
        std::reverse(to_evict.begin(), to_evict.end());
    }
}

void TcpReassembler::State::queue_deadline(std::uint32_t slot, bool for_end) {
    Flow& flow = flows[slot];
    const std::uint8_t mark = for_end ? kEndQueued : kHoleQueued;
    if ((flow.flags & mark) != 0) return;
    if (deadlines.size() == limits::kDeadlinesMax) {
        // Only where time stands still: what is dropped here waits for its next packet, or the end.
        const Deadline dropped = deadlines.front();
        deadlines.pop_front();
        Flow& other = flows[dropped.slot];
        if (other.id == dropped.id)
            other.flags &= static_cast<std::uint8_t>(~(dropped.for_end ? kEndQueued : kHoleQueued));
    }
    flow.flags |= mark;
    const Tick due = now + static_cast<Tick>(ticks(limits::kHoleSeconds));
    if (deadlines.empty()) next_due = due;
    deadlines.push_back({slot, flow.id, due, for_end});
}

void TcpReassembler::State::do_what_is_due() {
    while (!deadlines.empty() && ticks_since(deadlines.front().due, now) >= 0) {
        const Deadline deadline = deadlines.front();
        deadlines.pop_front();
        Flow& flow = flows[deadline.slot];
        if (flow.id != deadline.id) continue;
        if (deadline.for_end) {
            end(deadline.slot, Ending::closed);
            continue;
        }
        flow.flags &= static_cast<std::uint8_t>(~kHoleQueued);
        settle(deadline.slot);
        end_if_over(deadline.slot);
    }
    next_due = deadlines.empty() ? now + kNothingDue : deadlines.front().due;
}

void TcpReassembler::State::finish() {
    std::vector<std::pair<FlowId, std::uint32_t>> open_flows;
    for (std::uint32_t slot = 0; slot < flows.slots(); ++slot)
        if (flows[slot].id != 0) open_flows.emplace_back(flows[slot].id, slot);
    std::sort(open_flows.begin(), open_flows.end());
    for (const auto& [id, slot] : open_flows) {
        flush(slot, 0);
        flush(slot, 1);
        end(slot, Ending::capture_over);
    }
    deadlines.clear();
}

TcpReassembler::TcpReassembler(TcpListener& listener, LossCounters& loss, const History* history)
    : state_(std::make_unique<State>(listener, loss, history)) {}
TcpReassembler::~TcpReassembler() = default;

void TcpReassembler::on(const TcpSegment& segment, Timestamp at) { state_->on(segment, at); }

void TcpReassembler::advance(Timestamp now) {
    state_->now = tick_of(now);
    if (ticks_since(state_->next_due, state_->now) >= 0) state_->do_what_is_due();
}

bool TcpReassembler::give_up(const Endpoint& one, const Endpoint& other) {
    State& s = *state_;
    const FlowKey key = key_of(one, other, s.secrets);
    const std::uint32_t slot = s.index.find(key.hash, [&](std::uint32_t candidate) {
        const Flow& flow = s.flows[candidate];
        return flow.addresses == key.addresses && flow.ports == key.ports;
    });
    if (slot == FlowIndex::kNone) return false;
    s.flush(slot, 0);
    s.flush(slot, 1);
    s.end(slot, State::Ending::closed);
    return true;
}

void TcpReassembler::finish() { state_->finish(); }
std::uint64_t TcpReassembler::flows_opened() const { return state_->opened; }

}  // namespace hopscope::decode::net
