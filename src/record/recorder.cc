#include "record/recorder.h"

#include <algorithm>

#include "capture/stream_source.h"
#include "chain/process_book.h"
#include "core/limits.h"
#include "decode/grpc/frame.h"
#include "record/recorder_comment.h"

namespace hopscope::record {
namespace {

using decode::net::TcpSegment;

constexpr std::size_t kSpareBuffersMax = 128;  // of up to 64 KiB each
constexpr std::string_view kProcesses = "processes", kConnections = "connections";

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

// What Wireshark shows the bytes of a connection as, told by its first piece. One that was joined in the middle begins
// with no sign: then the socket's name must do.
std::string_view dissector_of(const StreamChunk& chunk) {
    const std::string_view text = as_text(chunk.bytes), path = chunk.server.path;
    if (text.starts_with(decode::grpc::kPreface.substr(0, 14))) return "http2";
    if (text.starts_with("HTTP/1.") || text.find(" HTTP/1.") < 4096 || path.ends_with("/docker.sock")) return "http";
    const bool frame =
        chunk.bytes.size() >= decode::grpc::kFrameHeaderBytes &&
        decode::grpc::fault_of(decode::grpc::read_frame_header(chunk.bytes.data())).empty() &&
        decode::grpc::read_frame_header(chunk.bytes.data()).type <= decode::grpc::frame_type::continuation;
    return frame && path.ends_with(".sock") ? "http2" : "data";
}

// Who serves a connection may turn out to be another process than the one that made its socket.
bool same_ends(const StreamChunk& a, const StreamChunk& b) {
    return a.server == b.server && a.client_inode == b.client_inode && a.client_pid == b.client_pid &&
           a.server_pid == b.server_pid;
}

// What a process event says, for whoever reads the file without hopscope.
std::string comment_of(const ProcessEvent& event) {
    std::string text = "hopscope: " + display(event.comm) + "[" + std::to_string(event.process.pid) + "] ";
    switch (event.kind) {
        case ProcessEvent::Kind::fork: text += "made by [" + std::to_string(event.parent_pid) + "]"; break;
        case ProcessEvent::Kind::exec: text += "started, child of [" + std::to_string(event.parent_pid) + "]"; break;
        case ProcessEvent::Kind::exit: text += "ended with " + std::to_string(event.exit_code); break;
    }
    const std::string container = chain::container_id_of(event.cgroup_names);
    if (!container.empty()) text += " in container " + container.substr(0, 12);
    return text;
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
    : options_(std::move(options)),
      files_(std::move(files)),
      masker_(counts_.masked, pseudonyms_, {.live = true}),
      forwarded_masker_(counts_.masked, pseudonyms_, {.live = true}),
      unix_masker_(pseudonyms_, counts_.masked, true) {
    if (options_.may_hold_copies) masker_.expect_copies();
}
Recorder::~Recorder() = default;

void Recorder::on(const Packet& packet) {
    if (!status_) return;
    if (options_.payload == RecordPayload::headers) masker_.collect(packet);
    TcpSegment segment;
    if (seen_.parse(packet, segment) && segment.flags.syn && !segment.flags.ack)
        named_.erase(key_of(segment.source, segment.destination));  // the addresses are used anew
    hold({.packet = packet, .bytes = {}, .chunk = nullptr, .forwarded = false}, packet.bytes);
}

void Recorder::on_forwarded(const Packet& packet) {
    if (status_) hold({.packet = packet, .bytes = {}, .chunk = nullptr, .forwarded = true}, packet.bytes);
}

void Recorder::on(const StreamChunk& chunk) {
    if (!status_ || !records_unix()) return;
    if (options_.payload != RecordPayload::full) unix_masker_.collect(chunk);
    ++counts_.unix_pieces;
    hold({.packet = {.at = chunk.at, .link_type = LinkType::upper_pdu},
          .bytes = {},
          .chunk = std::make_unique<StreamChunk>(chunk),
          .forwarded = false},
         chunk.bytes);
}

void Recorder::on(ProcessEvent event) {
    if (!status_ || !records_unix()) return;
    if (event.kind == ProcessEvent::Kind::exit) known_.erase(event.process.pid);
    // Nothing compares the arguments of what runs outside of containers.
    if (chain::container_id_of(event.cgroup_names).empty()) event.cmdline.clear();
    if (options_.payload != RecordPayload::full) unix_masker_.mask(event);
    ++counts_.process_events;
    hold_event(event.at, capture::encode_unix_pdu(event));
}

void Recorder::on(const SocketLife& life) {
    const bool told = life.kind == SocketLife::Kind::opened || life.kind == SocketLife::Kind::closed;
    if (!status_ || !records_unix() || !told) return;
    ++counts_.connections_told;
    hold_event(life.at, capture::encode_unix_pdu(life));
}

void Recorder::on(const UnixLoss& loss) {
    if (status_ && records_unix() && loss.records > 0) hold_event(loss.at, capture::encode_unix_pdu(loss));
}

void Recorder::hold_event(Timestamp at, const std::string& record) {
    hold({.packet = {.at = at, .link_type = LinkType::upper_pdu}, .bytes = {}, .chunk = nullptr, .forwarded = false},
         as_bytes(record));
}

void Recorder::know(const ContainerNames& names) {
    if (!records_unix() || names.id.empty()) return;
    if (known_containers_.size() >= limits::kCriNamesMax && !known_containers_.contains(names.id)) return;
    std::string record = capture::encode_unix_pdu(names);
    KnownContainer& known = known_containers_[names.id];
    if (known.record == record) return;
    known = {std::move(record), 0};
    known_changed_ = true;
}

void Recorder::know(const Process& process) {
    if (!records_unix() || process.id.pid == 0) return;
    if (known_.size() >= limits::kBookParentsMax && !known_.contains(process.id.pid)) return;
    Known& known = known_[process.id.pid];
    Process& kept = known.process;
    // One that is known by its number only may be told with less than what is known.
    const bool same = kept.id.pid == process.id.pid &&
                      (process.id.start_ticks == 0 || kept.id.start_ticks == process.id.start_ticks) &&
                      (process.comm.empty() || kept.comm == process.comm);
    if (same && (process.exe.empty() || kept.exe == process.exe)) return;
    if (!same) kept = Process{};
    kept.id.pid = process.id.pid;
    if (process.id.start_ticks != 0) kept.id = process.id;
    if (process.parent_pid != 0) kept.parent_pid = process.parent_pid;
    if (!process.comm.empty()) kept.comm = process.comm;
    if (!process.exe.empty()) kept.exe = process.exe;
    if (!process.container_id.empty()) kept.container_id = process.container_id;
    if (!process.pod_uid.empty()) kept.pod_uid = process.pod_uid;
    if (process.role != ProcessRole::unknown) kept.role = process.role;
    if (process.net_namespace != 0) kept.net_namespace = process.net_namespace;
    known.told_in_file = 0;
    known_changed_ = true;
}

void Recorder::hold(Held held, Bytes bytes) {
    if (!spare_.empty()) {
        held.bytes = std::move(spare_.back());
        spare_.pop_back();
    }
    held.bytes.assign(bytes.begin(), bytes.end());
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
    held.packet.bytes = held.bytes;
    held.packet.wire_length = std::max(held.packet.wire_length, static_cast<std::uint32_t>(held.bytes.size()));
    if (held.packet.link_type != LinkType::upper_pdu)
        write_packet(held);
    else if (held.chunk)
        write_piece(held);
    else
        write_event(held.packet);
    if (spare_.size() < kSpareBuffersMax) spare_.push_back(std::move(held.bytes));
}

void Recorder::write_packet(Held& held) {
    Packet& packet = held.packet;
    TcpSegment segment;
    const bool tcp = (held.forwarded ? forwarded_ : written_).parse(packet, segment);
    const std::string comment = tcp && !held.forwarded ? comment_for(packet, segment) : std::string();
    StreamMasker& masker = held.forwarded ? forwarded_masker_ : masker_;
    if (options_.payload == RecordPayload::headers) counts_.bytes_overwritten += masker.mask(packet, held.bytes);
    if (options_.payload == RecordPayload::none) cut_to_headers(packet, tcp, segment);
    if (status_) status_ = files_->write(packet, comment);
    if (status_) ++counts_.packets;
}

// --- unix sockets and processes

Recorder::UnixConnection& Recorder::connection_of(const StreamChunk& chunk) {
    const auto [found, is_new] = unix_connections_.try_emplace(chunk.connection);
    UnixConnection& connection = found->second;
    if (!is_new) return connection;
    connection.dissector = dissector_of(chunk);
    const std::string& path = chunk.server.path;
    connection.interface = path.empty() ? "unix" : "unix:" + path.substr(path.rfind('/') + 1);
    // The lowest number is the oldest.
    if (unix_connections_.size() > limits::kTapConnectionsMax) unix_connections_.erase(unix_connections_.begin());
    return connection;
}

void Recorder::write_piece(Held& held) {
    StreamChunk& chunk = *held.chunk;
    chunk.bytes = held.bytes;
    const bool is_end = chunk.end;
    UnixConnection& connection = connection_of(chunk);
    if (options_.payload != RecordPayload::full) counts_.bytes_overwritten += unix_masker_.mask(chunk, held.bytes);
    // With its ends the record is a little longer: whether that begins a new file is asked with the longer one.
    std::string record = capture::encode_unix_pdu(chunk, connection.dissector, true);
    held.packet.bytes = as_bytes(record);
    const std::uint64_t file = files_->number() + (files_->turns_over_unix(held.packet) ? 1 : 0);
    const bool told = std::exchange(connection.told_in_file, file) == file && same_ends(connection.told, chunk);
    if (told) {
        record = capture::encode_unix_pdu(chunk, connection.dissector, false);
        held.packet.bytes = as_bytes(record);
    } else {
        connection.told = chunk;
        connection.told.bytes = {};
    }
    held.packet.wire_length = static_cast<std::uint32_t>(record.size());
    if (status_) status_ = files_->write_unix(held.packet, connection.interface, {});
    if (is_end && chunk.direction == Direction::to_client) unix_connections_.erase(chunk.connection);
    write_known(held.packet.at);
}

void Recorder::write_event(Packet packet) {
    const capture::UnixRecord record = capture::decode_unix_record(packet);
    const auto* event = std::get_if<ProcessEvent>(&record);
    const auto* loss = std::get_if<UnixLoss>(&record);
    std::string comment = event ? comment_of(*event) : std::string();
    if (loss) comment = "hopscope: " + std::to_string(loss->records) + " records of eBPF were lost, its ring was full";
    if (status_) status_ = files_->write_unix(packet, std::string(event ? kProcesses : kConnections), comment);
    write_known(packet.at);
}

// In each file, once it has begun.
void Recorder::write_known(Timestamp at) {
    const std::uint64_t file = files_->number();
    if (std::exchange(known_told_in_file_, file) == file && !std::exchange(known_changed_, false)) return;
    known_changed_ = false;
    for (auto& [pid, known] : known_) {
        if (std::exchange(known.told_in_file, file) != file) add_known(at, capture::encode_unix_pdu(known.process));
    }
    for (auto& [id, known] : known_containers_) {
        if (std::exchange(known.told_in_file, file) != file) add_known(at, known.record);
    }
}

void Recorder::add_known(Timestamp at, const std::string& record) {
    const Packet packet{.at = at,
                        .link_type = LinkType::upper_pdu,
                        .wire_length = static_cast<std::uint32_t>(record.size()),
                        .bytes = as_bytes(record)};
    if (status_) status_ = files_->add_unix(packet, std::string(kProcesses), {});
}

void Recorder::tick(Timestamp now) {
    if (options_.payload == RecordPayload::headers) masker_.advance({now.ns - limits::kRecordHoldMs * 1'000'000});
    const std::int64_t due = now.ns - limits::kRecordHoldMs * 1'000'000;
    while (!held_.empty() && held_.front().packet.at.ns <= due) write_first();
    if (records_unix() && known_changed_) write_known(now);
    if (status_) status_ = files_->flush();
}

void Recorder::finish() {
    masker_.finish();
    unix_masker_.finish();
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
