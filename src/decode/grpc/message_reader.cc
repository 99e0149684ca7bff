#include "decode/grpc/message_reader.h"

#include <algorithm>

#include "core/limits.h"

namespace hopscope::decode::grpc {
namespace {

constexpr std::size_t kKeptCapacityBytes = 16 * 1024;  // of an empty buffer, for the next message

}  // namespace

void MessageReader::drop_held(MessageMemory& memory) {
    memory.used -= std::min(memory.used, held_.size());
    held_.clear();
    if (held_.capacity() > kKeptCapacityBytes) held_ = {};
}

void MessageReader::start() {
    in_step_ = true;
    prefix_have_ = 0;
    body_left_ = 0;
}

void MessageReader::lost(MessageMemory& memory) {
    drop_held(memory);
    in_step_ = false;
    prefix_have_ = 0;
    body_left_ = 0;
    frame_left_ = 0;
}

void MessageReader::reset(MessageMemory& memory) {
    lost(memory);
    wanted_ = too_large_ = false;
}

void MessageReader::frame(std::uint32_t bytes) {
    frame_bytes_ = frame_left_ = bytes;
    if (!in_step_) prefix_have_ = 0;
}

void MessageReader::begin_body(bool keep) {
    body_left_ = read_be32(prefix_.data() + 1);
    too_large_ = body_left_ > limits::kGrpcMessageBytesMax;
    wanted_ = keep && !too_large_;
}

void MessageReader::end_body(Bytes body, MessageMemory& memory, Listener& listener) {
    prefix_have_ = 0;
    listener.on_message({.compressed = prefix_[0] != 0,
                         .length = read_be32(prefix_.data() + 1),
                         .body = wanted_ ? body : Bytes{},
                         .whole = wanted_,
                         .too_large = too_large_});
    drop_held(memory);
}

void MessageReader::hold(Bytes piece, MessageMemory& memory) {
    if (memory.used + piece.size() > limits::kGrpcHeldBytesMax) {
        drop_held(memory);
        wanted_ = false;
        too_large_ = true;
        return;
    }
    held_.insert(held_.end(), piece.begin(), piece.end());
    memory.used += piece.size();
}

void MessageReader::take(Bytes piece, bool keep, MessageMemory& memory, Listener& listener) {
    while (!piece.empty()) {
        if (prefix_have_ < kPrefixBytes) {
            const std::size_t take = std::min(piece.size(), kPrefixBytes - prefix_have_);
            std::copy_n(piece.begin(), take, prefix_.begin() + prefix_have_);
            prefix_have_ = static_cast<std::uint8_t>(prefix_have_ + take);
            frame_left_ -= std::min(frame_left_, static_cast<std::uint32_t>(take));
            piece = piece.subspan(take);
            if (prefix_have_ < kPrefixBytes) return;
            if (!in_step_) {
                const bool one_message = prefix_[0] <= 1 && frame_left_ == frame_bytes_ - kPrefixBytes &&
                                         read_be32(prefix_.data() + 1) == frame_left_;
                // Not this frame: frame() begins anew with the next one.
                if (!one_message) return;
                in_step_ = true;
            }
            if (prefix_[0] > 1) {  // the flag byte knows no other values: these are no gRPC messages
                in_step_ = false;
                return;
            }
            begin_body(keep);
            if (body_left_ == 0) {
                end_body({}, memory, listener);
                continue;
            }
        }
        // Out of step: the rest of a frame that held something else.
        if (!in_step_) return;
        const std::size_t take = std::min<std::size_t>(piece.size(), body_left_);
        const Bytes part = piece.first(take);
        piece = piece.subspan(take);
        body_left_ -= static_cast<std::uint32_t>(take);
        frame_left_ -= std::min(frame_left_, static_cast<std::uint32_t>(take));
        if (body_left_ == 0 && held_.empty()) {
            end_body(part, memory, listener);
        } else {
            if (wanted_) hold(part, memory);
            if (body_left_ == 0) end_body(held_, memory, listener);
        }
    }
}

void MessageReader::hole(std::uint64_t missing, MessageMemory& memory) {
    if (in_step_ && prefix_have_ == kPrefixBytes && missing < body_left_) {
        // The hole lies inside one body: its end is still known.
        drop_held(memory);
        wanted_ = false;
        body_left_ -= static_cast<std::uint32_t>(missing);
        return;
    }
    const std::uint32_t left = frame_left_;
    lost(memory);
    // Never again in this frame.
    frame_bytes_ = frame_left_ = left;
    prefix_have_ = kPrefixBytes;
}

}  // namespace hopscope::decode::grpc
