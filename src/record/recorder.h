// Writes captured packets to pcapng while they come: whole, with their secrets overwritten, or their headers alone.
//
// Every packet waits limits::kRecordHoldMs (less when more than limits::kRecordHeldBytesMax wait) in memory before it
// is written: until then its bytes are decided by what follows it, and the processes of its connection are known. So
// nothing unmasked ever reaches the disk, under no name; what a killed process loses is the last second. What is not
// decided in time, not understood, or sent again much later is overwritten. Whole records are handed to the kernel at
// least at every tick().
//
// Pieces of unix sockets and process events wait in the same row and go into the sidecar, or the same file
// (RecordingFilesOptions::unix_sockets). At both levels below `full` secrets in them are overwritten, too.
//
// It does not capture, name processes or count what the kernel dropped. Single-threaded.
// Errors: CAP-20, CAP-21, CAP-22 (capture/writer.h). After an error nothing more is written.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "chain/model.h"
#include "core/packet.h"
#include "core/result.h"
#include "decode/net/packet_parser.h"
#include "record/recording_files.h"
#include "record/stream_masker.h"
#include "record/unix_masker.h"

namespace hopscope::record {

enum class RecordPayload : std::uint8_t {
    none,     // packets end after their TCP header
    headers,  // what is said is overwritten, how it is framed stays: as `hopscope mask` does it
    full,     // as captured
};

struct RecorderOptions {
    RecordingFilesOptions files;  // section_comment and application are set here
    RecordPayload payload = RecordPayload::headers;
    bool may_hold_copies = false;
};

struct RecorderCounts {
    std::uint64_t packets = 0, bytes = 0, files = 0;
    std::uint64_t bytes_overwritten = 0, connections_named = 0;
    std::uint64_t unix_pieces = 0, process_events = 0, connections_told = 0;
    MaskCounts masked;
};

class Recorder {
public:
    static Result<std::unique_ptr<Recorder>> open(RecorderOptions options);
    ~Recorder();
    Recorder(const Recorder&) = delete;
    Recorder& operator=(const Recorder&) = delete;

    // For the pipeline, which sees each packet before on() does.
    [[nodiscard]] pipeline::EventTap& tap() { return masker_.tap(); }
    Status add_interface(const capture::InterfaceInfo& info) { return files_->add_interface(info); }
    // The same while it runs; an error is status()'s.
    void add_interface_later(const capture::InterfaceInfo& info) {
        if (status_) status_ = files_->add_interface(info);
    }
    // Packet::frame must grow.
    void on(const Packet& packet);
    // A packet of a pod's network namespace, of a connection that a runtime forwards: all it carries is content, and
    // the addresses of its connection say nothing about others that have the same.
    void on_forwarded(const Packet& packet);
    // What eBPF told; nothing where unix sockets are not recorded.
    void on(const StreamChunk& chunk);
    void on(ProcessEvent event);
    void on(const SocketLife& life);
    void on(const UnixLoss& loss);
    // A process that is there and may be an end of a connection or start another; a container: told in each file.
    void know(const Process& process);
    void know(const ContainerNames& names);
    // The processes of a connection, told on the first packet of it that was not written yet, in each file.
    void name(const Endpoint& client, const Endpoint& server, const chain::Ends& ends);
    void ended_unseen(const Endpoint& client, const Endpoint& server);
    // By the clock: writes what has waited long enough. `now` as in LiveHooks::on_tick.
    void tick(Timestamp now);
    // Writes what waits. Statistics (before close()) come last in the file.
    void finish();
    Status write_statistics(std::uint32_t interface, Timestamp at, std::uint64_t received, std::uint64_t dropped);
    Status close();

    [[nodiscard]] const Status& status() const { return status_; }
    [[nodiscard]] RecorderCounts counts() const;
    [[nodiscard]] const std::string& file() const { return files_->file(); }  // the newest

private:
    struct Held {
        Packet packet;  // its bytes are `bytes`
        std::vector<std::uint8_t> bytes;
        std::unique_ptr<StreamChunk> chunk;  // of a unix socket's piece, whose bytes are `bytes`
        bool forwarded = false;              // in a pod
    };
    struct Known {
        Process process;
        std::uint64_t told_in_file = 0;
    };
    struct KnownContainer {
        std::string record;
        std::uint64_t told_in_file = 0;
    };
    // A connection of a unix socket.
    struct UnixConnection {
        std::string_view dissector;
        std::string interface;
        std::uint64_t told_in_file = 0;
        StreamChunk told;  // the ends as they were told last
    };
    using Key = std::pair<Endpoint, Endpoint>;
    struct Named {
        std::string comment;
        std::uint64_t told_in_file = 0;
    };

    Recorder(RecorderOptions options, std::unique_ptr<RecordingFiles> files);
    [[nodiscard]] bool records_unix() const { return options_.files.unix_sockets != RecordUnix::off; }
    void hold(Held held, Bytes bytes);
    void write_first();
    void write_packet(Held& held);
    void write_piece(Held& held);
    void write_event(Packet packet);
    void hold_event(Timestamp at, const std::string& record);
    void add_known(Timestamp at, const std::string& record);
    void write_known(Timestamp at);
    UnixConnection& connection_of(const StreamChunk& chunk);
    [[nodiscard]] std::string comment_for(const Packet& packet, const decode::net::TcpSegment& segment);
    void cut_to_headers(Packet& packet, bool tcp, const decode::net::TcpSegment& segment) const;

    RecorderOptions options_;
    std::unique_ptr<RecordingFiles> files_;
    RecorderCounts counts_;
    Pseudonyms pseudonyms_;
    StreamMasker masker_;
    StreamMasker forwarded_masker_;  // is told nothing, so that it lets no payload stay
    UnixMasker unix_masker_;
    LossCounters loss_;  // counted by the pipeline: not told again
    decode::net::PacketParser seen_{loss_}, written_{loss_}, forwarded_{loss_};
    std::deque<Held> held_;
    std::vector<std::vector<std::uint8_t>> spare_;  // buffers for the next packets
    std::size_t held_bytes_ = 0;
    std::map<Key, Named> named_;
    std::deque<Key> named_order_;
    std::map<std::uint64_t, UnixConnection> unix_connections_;
    std::map<std::uint32_t, Known> known_;                    // by pid
    std::map<std::string, KnownContainer> known_containers_;  // by id
    std::uint64_t known_told_in_file_ = 0;
    bool known_changed_ = false;
    Status status_ = Done{};
};

}  // namespace hopscope::record
