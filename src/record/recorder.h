// Writes captured packets to pcapng while they come: whole, with their secrets overwritten, or their headers alone.
//
// Every packet waits limits::kRecordHoldMs (less when more than limits::kRecordHeldBytesMax wait) in memory before it
// is written: until then its bytes are decided by what follows it, and the processes of its connection are known. So
// nothing unmasked ever reaches the disk, under no name; what a killed process loses is the last second. What is not
// decided in time, not understood, or sent again much later is overwritten. Whole records are handed to the kernel at
// least at every tick().
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
    // Packet::frame must grow.
    void on(const Packet& packet);
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
    };
    using Key = std::pair<Endpoint, Endpoint>;
    struct Named {
        std::string comment;
        std::uint64_t told_in_file = 0;
    };

    Recorder(RecorderOptions options, std::unique_ptr<RecordingFiles> files);
    void write_first();
    [[nodiscard]] std::string comment_for(const Packet& packet, const decode::net::TcpSegment& segment);
    void cut_to_headers(Packet& packet, bool tcp, const decode::net::TcpSegment& segment) const;

    RecorderOptions options_;
    std::unique_ptr<RecordingFiles> files_;
    RecorderCounts counts_;
    StreamMasker masker_;
    LossCounters loss_;  // counted by the pipeline: not told again
    decode::net::PacketParser seen_{loss_}, written_{loss_};
    std::deque<Held> held_;
    std::vector<std::vector<std::uint8_t>> spare_;  // buffers for the next packets
    std::size_t held_bytes_ = 0;
    std::map<Key, Named> named_;
    std::deque<Key> named_order_;
    Status status_ = Done{};
};

}  // namespace hopscope::record
