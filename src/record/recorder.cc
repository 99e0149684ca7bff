#include "record/recorder.h"

#include <algorithm>

#include "core/limits.h"
#include "record/recorder_comment.h"

namespace hopscope::record {
namespace {

using decode::net::TcpSegment;

constexpr std::size_t kSpareBuffersMax = 128;  // of up to 64 KiB each

std::pair<Endpoint, Endpoint> key_of(const Endpoint& a, const Endpoint& b) {
    return a < b ? std::pair{a, b} : std::pair{b, a};
}

std::string section_comment(RecordPayload payload) {
    switch (payload) {
        case RecordPayload::none: return "payload left out: packets end after their TCP header";
        case RecordPayload::headers: return "masked: payload auth token command";
        case RecordPayload::full: return "not masked: payload and credentials as captured";
    }
    return {};
}

}  // namespace

Result<std::unique_ptr<Recorder>> Recorder::open(RecorderOptions options) {
    options.files.section_comment = section_comment(options.payload);
    options.files.application = std::string("hopscope ") + HOPSCOPE_VERSION;
    auto files = RecordingFiles::open(options.files);
    if (!files) return unexpected(files.error());
    return std::unique_ptr<Recorder>(new Recorder(std::move(options), std::move(*files)));
}

Recorder::Recorder(RecorderOptions options, std::unique_ptr<RecordingFiles> files)
    : options_(std::move(options)), files_(std::move(files)), masker_(counts_.masked, {.live = true}) {
    if (options_.may_hold_copies) masker_.expect_copies();
}
Recorder::~Recorder() = default;

void Recorder::on(const Packet& packet) {
    if (!status_) return;
    if (options_.payload == RecordPayload::headers) masker_.collect(packet);
    TcpSegment segment;
    if (seen_.parse(packet, segment) && segment.flags.syn && !segment.flags.ack)
        named_.erase(key_of(segment.source, segment.destination));  // the addresses are used anew
    Held held{.packet = packet, .bytes = {}};
    if (!spare_.empty()) {
        held.bytes = std::move(spare_.back());
        spare_.pop_back();
    }
    held.bytes.assign(packet.bytes.begin(), packet.bytes.end());
    held_bytes_ += held.bytes.size() + sizeof(Held);
    held_.push_back(std::move(held));
    while (held_bytes_ > limits::kRecordHeldBytesMax && !held_.empty()) write_first();
}

void Recorder::name(const Endpoint& client, const Endpoint& server, const chain::Ends& ends) {
    if (!ends.from && !ends.to) return;
    const Key key = key_of(client, server);
    std::string comment = to_comment({client, server, ends});
    const auto [found, is_new] = named_.try_emplace(key);
    if (!is_new && found->second.comment == comment) return;
    counts_.connections_named += is_new ? 1 : 0;
    found->second = {std::move(comment), 0};
    if (!is_new) return;
    named_order_.push_back(key);
    if (named_order_.size() <= limits::kRecordNamesMax) return;
    named_.erase(named_order_.front());
    named_order_.pop_front();
}

void Recorder::ended_unseen(const Endpoint& client, const Endpoint& server) { masker_.ended_unseen(client, server); }

std::string Recorder::comment_for(const Packet& packet, const TcpSegment& segment) {
    const auto found = named_.find(key_of(segment.source, segment.destination));
    if (found == named_.end()) return {};
    const std::uint64_t file = files_->number() + (files_->turns_over(packet) ? 1 : 0);
    if (found->second.told_in_file == file) return {};
    found->second.told_in_file = file;
    return found->second.comment;
}

// What is no TCP has no header that could be kept whole: it ends with its IP header.
void Recorder::cut_to_headers(Packet& packet, bool tcp, const TcpSegment& segment) const {
    const std::uint8_t* payload = segment.payload.data();
    const std::uint8_t* begin = packet.bytes.data();
    const bool here = tcp && payload >= begin && payload <= begin + packet.bytes.size();
    packet.bytes = packet.bytes.first(here ? static_cast<std::size_t>(payload - begin) : harmless_bytes(packet));
}

void Recorder::write_first() {
    Held held = std::move(held_.front());
    held_.pop_front();
    held_bytes_ -= held.bytes.size() + sizeof(Held);
    Packet& packet = held.packet;
    packet.bytes = held.bytes;
    packet.wire_length = std::max(packet.wire_length, static_cast<std::uint32_t>(held.bytes.size()));
    TcpSegment segment;
    const bool tcp = written_.parse(packet, segment);
    const std::string comment = tcp ? comment_for(packet, segment) : std::string();
    if (options_.payload == RecordPayload::headers) counts_.bytes_overwritten += masker_.mask(packet, held.bytes);
    if (options_.payload == RecordPayload::none) cut_to_headers(packet, tcp, segment);
    if (status_) status_ = files_->write(packet, comment);
    if (status_) ++counts_.packets;
    if (spare_.size() < kSpareBuffersMax) spare_.push_back(std::move(held.bytes));
}

void Recorder::tick(Timestamp now) {
    if (options_.payload == RecordPayload::headers) masker_.advance({now.ns - limits::kRecordHoldMs * 1'000'000});
    const std::int64_t due = now.ns - limits::kRecordHoldMs * 1'000'000;
    while (!held_.empty() && held_.front().packet.at.ns <= due) write_first();
    if (status_) status_ = files_->flush();
}

void Recorder::finish() {
    masker_.finish();
    while (!held_.empty()) write_first();
    if (status_) status_ = files_->flush();
}

Status Recorder::write_statistics(std::uint32_t interface, Timestamp at, std::uint64_t received,
                                  std::uint64_t dropped) {
    return files_->write_statistics(interface, at, received, dropped);
}

Status Recorder::close() {
    Status closed = files_->close();
    if (status_) status_ = closed;
    return status_;
}

RecorderCounts Recorder::counts() const {
    RecorderCounts counts = counts_;
    counts.bytes = files_->bytes();
    counts.files = files_->number();
    return counts;
}

}  // namespace hopscope::record
