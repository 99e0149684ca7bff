#include "record/unix_masker.h"

#include <algorithm>

#include "chain/process_book.h"
#include "core/limits.h"

namespace hopscope::record {

void UnixMasker::collect(const StreamChunk& chunk) {
    const Key key{chunk.file, chunk.connection};
    auto found = connections_.find(key);
    if (found == connections_.end()) {
        if (chunk.bytes.empty()) return;
        // The lowest number is the oldest; what comes of it later is overwritten.
        if (live_ && connections_.size() >= 2 * limits::kTapConnectionsMax) connections_.erase(connections_.begin());
        const auto no_streams = [](std::uint32_t) { return StreamKind::unknown; };
        found = connections_.emplace(key, ConnectionWalker(no_streams, pseudonyms_, counts_)).first;
        found->second.late = chunk.offset != 0;
        if (found->second.late) found->second.walker.joined_late();
    }
    Connection& connection = found->second;
    std::uint64_t& next = connection.next[index_of(chunk.direction)];
    if (chunk.offset > next) {
        if (next > 0 || !connection.late) connection.walker.gap(chunk.direction);
        next = chunk.offset;
    }
    const std::uint64_t repeated = next - chunk.offset;
    if (repeated < chunk.bytes.size()) {
        connection.walker.bytes(chunk.direction, next, chunk.bytes.subspan(repeated));
        next += chunk.bytes.size() - repeated;
    }
    if (chunk.end && chunk.direction == Direction::to_client) connection.walker.end();
}

std::size_t UnixMasker::mask(const StreamChunk& chunk, std::span<std::uint8_t> copy) {
    const auto found = connections_.find({chunk.file, chunk.connection});
    if (found == connections_.end()) {
        std::fill(copy.begin(), copy.end(), std::uint8_t{'x'});
        return copy.size();
    }
    Connection& connection = found->second;
    MaskPlan& plan = connection.walker.plan(chunk.direction);
    const std::size_t changed = plan.apply(chunk.offset, copy.data(), copy.size());
    if (!live_) return changed;
    plan.forget_before(chunk.offset);
    connection.over[index_of(chunk.direction)] |= chunk.end;
    if (connection.over[0] && connection.over[1]) connections_.erase(found);
    return changed;
}

void UnixMasker::mask(ProcessEvent& event) {
    if (chain::is_runtime_step(event)) return;  // "runc init": known by its words
    for (Untrusted& word : event.cmdline) word = Untrusted(pseudonyms_.of_word(word.raw(), 'y'));
}

void UnixMasker::finish() {
    for (auto& [key, connection] : connections_) connection.walker.end();
}

}  // namespace hopscope::record
