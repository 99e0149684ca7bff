#include "record/ttrpc_walker.h"

#include <algorithm>

#include "core/limits.h"
#include "record/cri_masker.h"

namespace hopscope::record {

using decode::grpc::TtrpcHeader;

bool begins_ttrpc(Bytes bytes, Direction direction) {
    if (direction == Direction::to_server)
        return decode::grpc::begins_ttrpc_request(bytes) == decode::grpc::TtrpcStart::yes;
    if (bytes.size() < TtrpcHeader::kBytes) return false;
    const TtrpcHeader header = TtrpcHeader::read(bytes);
    return header.possible() && header.type == TtrpcHeader::kResponse && header.flags == 0 &&
           (header.length + TtrpcHeader::kBytes <= bytes.size() || bytes.size() == TtrpcHeader::kBytes);
}

void TtrpcWalker::gap(Direction direction) {
    Side& side = sides_[index_of(direction)];
    side = {};
    side.lost = true;
}

void TtrpcWalker::bytes(Direction direction, std::uint64_t offset, Bytes bytes) {
    Side& side = sides_[index_of(direction)];
    if (side.lost) {
        if (!begins_ttrpc(bytes, direction)) return;
        side.lost = false;
    }
    std::string_view rest = as_text(bytes);
    const auto take = [&](std::uint64_t size) {
        const std::string_view piece = rest.substr(0, std::min<std::uint64_t>(size, rest.size()));
        rest.remove_prefix(piece.size());
        offset += piece.size();
        return piece;
    };
    while (!rest.empty()) {
        if (side.skip > 0) {
            side.skip -= take(side.skip).size();
            continue;
        }
        const std::size_t had = side.frame.text.size();
        if (had < TtrpcHeader::kBytes) {
            const std::uint64_t at = offset;
            side.frame.add(at, take(TtrpcHeader::kBytes - had));
            if (side.frame.text.size() < TtrpcHeader::kBytes) return;
        }
        const TtrpcHeader header = TtrpcHeader::read(as_bytes(side.frame.text));
        if (!header.possible()) return gap(direction);
        if (header.type == TtrpcHeader::kData || header.length > limits::kTtrpcMessageBytesMax) {
            side.frame.apply(*plans_[index_of(direction)], side.frame.text);
            side.frame.clear();
            side.skip = header.length;
            continue;
        }
        const std::uint64_t left = header.length + TtrpcHeader::kBytes - side.frame.text.size();
        const std::uint64_t at = offset;
        if (left > 0 && !rest.empty()) side.frame.add(at, take(left));
        if (side.frame.text.size() == header.length + TtrpcHeader::kBytes) {
            whole(direction);
            side.frame.clear();
        }
    }
}

void TtrpcWalker::whole(Direction direction) {
    const Gathered& frame = sides_[index_of(direction)].frame;
    const TtrpcHeader header = TtrpcHeader::read(as_bytes(frame.text));
    std::string message = frame.text.substr(TtrpcHeader::kBytes);
    bool good = false;
    if (header.type == TtrpcHeader::kRequest) {
        bool is_task = false;
        good = mask_task_request(message, is_task, pseudonyms_, counts_);
        calls_.emplace_back(header.stream, is_task);
        if (calls_.size() > limits::kTtrpcCallsMax) calls_.pop_front();
    } else {
        const auto call =
            std::find_if(calls_.begin(), calls_.end(), [&](const auto& each) { return each.first == header.stream; });
        good = mask_task_answer(message, call != calls_.end() && call->second, pseudonyms_, counts_);
        if (call != calls_.end()) calls_.erase(call);
    }
    ++counts_.calls;
    frame.apply(*plans_[index_of(direction)],
                good ? frame.text.substr(0, TtrpcHeader::kBytes) + message : frame.text.substr(0, TtrpcHeader::kBytes));
}

}  // namespace hopscope::record
