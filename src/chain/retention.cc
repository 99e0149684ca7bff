#include "chain/retention.h"

#include <algorithm>

namespace hopscope::chain {
namespace {

constexpr std::size_t kBatchMin = 64;
constexpr std::size_t kAllocationBytes = 16;  // what malloc adds to each block
constexpr std::size_t kTextBytes = 64;        // an Untrusted of its own: count, string, allocation

std::size_t text_bytes(const Untrusted& text) {
    if (text.empty()) return 0;
    return kTextBytes +
           (text.size() > 15 ? text.size() + kAllocationBytes : 0);  // 15: what a std::string holds in itself
}

}  // namespace

std::size_t memory_of(const Session& session) {
    std::size_t bytes = sizeof(Session) + kAllocationBytes + sizeof(std::unique_ptr<Session>);
    bytes += session.streams.capacity() * sizeof(Stream) + session.resizes.capacity() * sizeof(Resize);
    bytes += session.evidence.capacity() * sizeof(Evidence);
    bytes += (session.command.capacity() + session.offered.capacity() + session.forwarded_for.capacity()) *
             sizeof(Untrusted);
    for (const Evidence& evidence : session.evidence) bytes += evidence.says.capacity();
    // The others are mostly shared with other sessions.
    for (const Untrusted* text : {&session.target, &session.refusal, &session.status_message, &session.kubectl_session})
        bytes += text_bytes(*text);
    if (session.ends) bytes += sizeof(Ends) + kAllocationBytes;
    if (session.token) bytes += text_bytes(session.token->value);
    for (const Untrusted& word : session.command) bytes += text_bytes(word);
    for (const Stream& stream : session.streams) {
        if (stream.error) bytes += sizeof(Untrusted) + kAllocationBytes + text_bytes(*stream.error);
    }
    return bytes;
}

void Keeper::ended(const Session& session) {
    ++over_count_;
    over_bytes_ += memory_of(session);
    const std::size_t slack = std::max(kBatchMin, model_.sessions.size() / 8);
    const bool too_many = over_count_ > retention_.sessions_max && over_count_ - retention_.sessions_max > slack;
    // Where open sessions alone take more than allowed, looking for others at each end would not help.
    const bool too_much = kept_bytes() > retention_.memory_bytes_max &&
                          (over_count_ > slack || over_bytes_ > retention_.memory_bytes_max / 16);
    if (too_many || too_much) trim();
}

void Keeper::trim() {
    const std::size_t count_over = over_count_ > retention_.sessions_max ? over_count_ - retention_.sessions_max : 0;
    // A little more than needed, so that the next session does not ask again.
    const std::size_t goal = retention_.memory_bytes_max - retention_.memory_bytes_max / 16;
    const std::size_t bytes_over = kept_bytes() > retention_.memory_bytes_max ? kept_bytes() - goal : 0;
    if (count_over > 0 || bytes_over > 0) evict(count_over, bytes_over);
}

void Keeper::evict(std::size_t count_over, std::size_t bytes_over) {
    std::size_t gone = 0, gone_bytes = 0;
    std::erase_if(model_.sessions, [&](const std::unique_ptr<Session>& session) {
        if (!session->over || (gone >= count_over && gone_bytes >= bytes_over)) return false;
        const std::size_t bytes = memory_of(*session);
        if (gone >= count_over) model_.loss.add(LossPlace::limit_memory);
        ++gone;
        gone_bytes += bytes;
        return true;
    });
    model_.sessions_evicted += gone;
    over_count_ -= gone;
    over_bytes_ -= std::min(over_bytes_, gone_bytes);
}

bool Keeper::room_for(std::size_t bytes) {
    if (kept_bytes() + bytes <= retention_.memory_bytes_max) return true;
    if (over_count_ > 0) trim();
    return kept_bytes() + bytes <= retention_.memory_bytes_max;
}

}  // namespace hopscope::chain
