#include "decode/net/waiting.h"

#include <algorithm>
#include <cstring>

namespace hopscope::decode::net {

void Pieces::add(std::uint64_t offset, Bytes bytes, Tick now, std::uint32_t segment) {
    pieces_.insert_or_assign(
        offset, Piece{.bytes = {bytes.begin(), bytes.end()}, .cut_until = 0, .arrived = now, .segment = segment});
    held_bytes_ += bytes.size() + kOverheadBytes;
}

Pieces::Inserted Pieces::insert(std::uint64_t offset, Bytes bytes, std::uint64_t wire_end, Tick now,
                                std::uint32_t segment, std::vector<Range>& fresh) {
    fresh.clear();
    Inserted result;
    const std::uint64_t end = offset + bytes.size();
    std::uint64_t cut_until = wire_end > end ? wire_end : 0;
    const auto keep = [&](std::uint64_t from, std::uint64_t to) {
        add(from, bytes.subspan(from - offset, to - from), now, segment);
        fresh.push_back({from, to});
    };

    auto it = pieces_.upper_bound(offset);
    if (it != pieces_.begin()) {
        const auto before = std::prev(it);
        if (before->first == offset || before->first + before->second.bytes.size() > offset) it = before;
    }
    const bool here_already = it != pieces_.end() && it->first <= offset;
    std::uint64_t cursor = offset;
    while (it != pieces_.end() && it->first < end) {
        const std::uint64_t piece_begin = it->first, piece_end = piece_begin + it->second.bytes.size();
        if (piece_begin == piece_end) {  // a cut segment without bytes: these are better
            cut_until = std::max(cut_until, it->second.cut_until);
            held_bytes_ -= kOverheadBytes;
            it = pieces_.erase(it);
            continue;
        }
        if (cursor < piece_begin) {
            keep(cursor, piece_begin);
            cursor = piece_begin;
        }
        const std::uint64_t both_end = std::min(piece_end, end);
        if (cursor < both_end) {
            const std::uint8_t* first = it->second.bytes.data() + (cursor - piece_begin);
            const std::uint8_t* again = bytes.data() + (cursor - offset);
            if (result.duplicate == 0) result.first_duplicate = cursor;
            result.duplicate += both_end - cursor;
            for (std::size_t i = 0; i < both_end - cursor; ++i) {
                if (first[i] == again[i]) continue;
                if (result.differing++ == 0) result.first_difference = cursor + i;
            }
            cursor = both_end;
        }
        ++it;
    }
    if (cursor < end) keep(cursor, end);
    if (cut_until == 0) return result;
    // The cut belongs to the piece that ends where it begins; a piece without bytes stands for it where there is none.
    if (fresh.empty() || fresh.back().end != end) {
        if (!bytes.empty() || here_already) return result;
        add(offset, {}, now, segment);
        pieces_[offset].cut_until = cut_until;
    } else {
        pieces_[fresh.back().begin].cut_until = cut_until;
    }
    return result;
}

Piece Pieces::take_first() {
    auto node = pieces_.extract(pieces_.begin());
    held_bytes_ -= node.mapped().bytes.size() + kOverheadBytes;
    return std::move(node.mapped());
}

void Pieces::shift_down(std::uint64_t shift) {
    std::map<std::uint64_t, Piece> shifted;
    for (auto& [offset, piece] : pieces_) {
        if (piece.cut_until != 0) piece.cut_until -= shift;
        shifted.emplace_hint(shifted.end(), offset - shift, std::move(piece));
    }
    pieces_ = std::move(shifted);
}

void Pieces::clear() {
    pieces_.clear();
    held_bytes_ = 0;
}

Waiting& WaitingPool::of(Flow& flow, std::uint32_t slot) {
    if (flow.waiting != 0) return at(flow.waiting);
    if (free_.empty()) {
        all_.push_back(std::make_unique<Waiting>());
        free_.push_back(static_cast<std::uint32_t>(all_.size()));
    }
    const std::uint32_t number = free_.back();
    free_.pop_back();
    flow.waiting = number;
    Waiting& fresh = at(number);
    fresh.slot = slot;
    return fresh;
}

void WaitingPool::put_in_list(std::uint32_t number) {
    Waiting& waiting = at(number);
    if (waiting.holds) return;
    waiting.holds = true;
    waiting.older = newest_;
    waiting.newer = 0;
    if (newest_ != 0) at(newest_).newer = number;
    newest_ = number;
    if (oldest_ == 0) oldest_ = number;
}

void WaitingPool::take_from_list(std::uint32_t number) {
    Waiting& waiting = at(number);
    if (!waiting.holds) return;
    waiting.holds = false;
    if (waiting.older != 0) at(waiting.older).newer = waiting.newer;
    if (waiting.newer != 0) at(waiting.newer).older = waiting.older;
    if (oldest_ == number) oldest_ = waiting.newer;
    if (newest_ == number) newest_ = waiting.older;
    waiting.older = waiting.newer = 0;
}

void WaitingPool::release(Flow& flow) {
    if (flow.waiting == 0) return;
    Waiting& waiting = at(flow.waiting);
    for (WaitingHalf& half : waiting.halves) {
        held_bytes -= half.pieces.held_bytes();
        half = WaitingHalf{};
    }
    take_from_list(flow.waiting);
    free_.push_back(flow.waiting);
    flow.waiting = 0;
}

}  // namespace hopscope::decode::net
