#include "pipeline/connection.h"

#include "core/limits.h"

namespace hopscope::pipeline {

using decode::stream::Protocol;

Connection::Waiting& Connection::waiting() {
    if (!waiting_) waiting_ = std::make_unique<Waiting>();
    return *waiting_;
}

void Connection::bytes(Direction direction, Bytes bytes, Owner& owner) {
    switch (phase_) {
        case Phase::known: road_->feed(turned(direction), bytes, owner); return;
        case Phase::unknown: return;
        case Phase::undecided: decide(direction, bytes, owner); return;
    }
}

void Connection::decide(Direction direction, Bytes fresh, Owner& owner) {
    // Most connections are known by their first bytes: then nothing is copied.
    std::array<Bytes, 2> sides{};
    if (waiting_) {
        for (std::size_t i = 0; i < 2; ++i) sides[i] = waiting_->bytes[i];
    }
    std::vector<std::uint8_t>* kept = nullptr;
    if (sides[index_of(direction)].empty()) {
        sides[index_of(direction)] = fresh;
    } else {
        kept = &waiting().bytes[index_of(direction)];
        kept->insert(kept->end(), fresh.begin(), fresh.end());
        sides[index_of(direction)] = *kept;
    }
    const bool over = waiting_ && waiting_->over;
    const decode::stream::Verdict verdict =
        decode::stream::detect(sides[index_of(Direction::to_server)], sides[index_of(Direction::to_client)],
                               handshake_seen_, over || sides[0].size() + sides[1].size() > limits::kHeldBytesMax);
    if (verdict.protocol == Protocol::undecided) {
        if (!kept) waiting().bytes[index_of(direction)].assign(fresh.begin(), fresh.end());
        return;
    }
    const bool late = verdict.late || !handshake_seen_;
    auto decoder = decode::make_decoder(verdict.protocol, late, protocols_);
    const std::unique_ptr<Waiting> before = std::move(waiting_);
    if (!decoder) {
        phase_ = Phase::unknown;
        return;
    }
    phase_ = Phase::known;
    flipped_ = !first_is_client_.value_or(verdict.first_is_client);
    road_ = std::make_unique<decode::Road>(std::move(decoder));
    owner.recognised(*this, verdict.protocol, flipped_, late);
    if (before) {
        for (Gap gap : before->gaps) {
            gap.direction = turned(gap.direction);
            owner.on(gap);
        }
    }
    const std::size_t client = flipped_ ? 1 : 0;
    if (!sides[client].empty()) road_->feed(Direction::to_server, sides[client], owner);
    if (!sides[1 - client].empty()) road_->feed(Direction::to_client, sides[1 - client], owner);
}

void Connection::gap(Direction direction, std::uint64_t offset, std::uint64_t missing, Owner& owner) {
    if (phase_ == Phase::unknown) return;
    if (phase_ == Phase::known) {
        owner.on(Gap{turned(direction), offset, missing});
        road_->gap(turned(direction), missing, owner);
        return;
    }
    // What came before the hole cannot be joined with what comes after it.
    handshake_seen_ = false;
    Waiting& kept = waiting();
    kept.bytes[index_of(direction)].clear();
    if (kept.gaps.size() < 64) kept.gaps.push_back({direction, offset, missing});
}

void Connection::closing(Direction direction, FinKind kind, Owner& owner) {
    if (phase_ != Phase::known) return;
    if (kind == FinKind::fin) road_->end(turned(direction), owner);
    owner.on(FlowClosing{turned(direction), kind});
}

void Connection::ended(bool capture_over, Owner& owner) {
    if (phase_ == Phase::undecided && waiting_) {
        waiting_->over = true;
        decide(Direction::to_server, {}, owner);
    }
    if (phase_ != Phase::known) return;
    if (!capture_over) {
        road_->end(Direction::to_server, owner);
        road_->end(Direction::to_client, owner);
    }
    owner.on(FlowEnded{capture_over});
}

}  // namespace hopscope::pipeline
