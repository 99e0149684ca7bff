// The decoder of one TLS connection. What it tells is in tls.h; this is how.
//
// Each direction (Side) goes through epochs (schedule.h) by itself; what ties the two together is the hellos, which a
// side waits for when the other one is behind. A side that cannot be decrypted is closed: from then on its records are
// only counted and stepped over. A side with missing bytes is seeking: it looks for the next record that opens.
// Files: connection.cc records, messages.cc handshake and alerts, seek.cc missing bytes.
#pragma once

#include <optional>
#include <string>

#include "decode/road.h"
#include "decode/tls/handshake.h"
#include "decode/tls/record.h"
#include "decode/tls/schedule.h"
#include "decode/tls/tls.h"

namespace hopscope::decode::tls {

class Connection final : public Decoder {
public:
    Connection(const TlsKeys* keys, InnerDecoder inner, bool late)
        : schedule_(keys), make_inner_(std::move(inner)), late_(late) {}

    Step decode(Direction direction, std::uint64_t offset, Bytes unread, EventSink& sink) override;
    bool gap(Direction direction, std::uint64_t offset, std::uint64_t missing, std::size_t unread_lost,
             EventSink& sink) override;
    void end(Direction direction, EventSink& sink) override;
    [[nodiscard]] std::size_t unread_bytes_max() const override;

private:
    // Bytes between the last record that opened and the next one that does.
    struct Lost {
        std::uint64_t wire = 0;      // all of them, headers and tags included
        std::uint64_t captured = 0;  // those that were in the capture, but of no use
        std::uint64_t plain = 0;     // plaintext bytes that the inner Road has not been told of yet
    };
    struct Side {
        TrafficKeys keys;  // of this epoch; not ready: not needed yet, or no secret
        HandshakeReader handshake;
        std::uint64_t sequence = 0;  // of the next record
        Lost lost;
        std::uint64_t missing = 0;  // bytes of all gaps so far
        std::uint64_t trial_bytes = 0;
        RecordHeader header;            // of the record that is waited for or stepped over
        std::size_t pending_bytes = 0;  // size of the record whose beginning is unread; 0: none
        std::size_t skip_left = 0;      // body bytes of `header` to step over
        std::uint32_t tried = 0;        // records or places that did not open
        Epoch epoch = Epoch::plain;
        bool closed = false;
        bool seeking = false;
        bool waiting = false;  // for the other side
        bool over = false;
    };
    enum class Outcome : std::uint8_t { done, wait, again };
    // Where a record opened: under the keys that are now the side's.
    struct Landing {
        std::size_t plain_bytes = 0;
        std::uint64_t steps = 0;  // sequence numbers that were jumped over
        bool other_keys = false;
    };

    Side& side(Direction direction) { return sides_[index_of(direction)]; }

    // connection.cc
    std::size_t advance(Direction direction, std::uint64_t offset, Bytes rest, EventSink& sink);
    Outcome record(Direction direction, std::uint64_t offset, const RecordHeader& header, Bytes body, EventSink& sink);
    Outcome plain_record(Direction direction, std::uint64_t offset, const RecordHeader& header, Bytes body,
                         EventSink& sink);
    Outcome sealed_record(Direction direction, std::uint64_t offset, const RecordHeader& header, Bytes body,
                          EventSink& sink);
    void opened(Direction direction, std::uint64_t offset, const RecordHeader& header, Bytes plain, EventSink& sink);
    void pass_on(Direction direction, Bytes content, EventSink& sink);
    Road& inner();
    void tell_record(Direction direction, const RecordHeader& header, bool decrypted, EventSink& sink);
    // Loads the keys of the side's epoch if they can be had.
    void prepare(Direction direction);
    [[nodiscard]] bool has_later_secret(Direction direction);
    std::size_t skip(Direction direction, Bytes rest, EventSink& sink);
    std::size_t start_skip(Direction direction, const RecordHeader& header, EventSink& sink);
    std::uint8_t* buffer(std::size_t bytes);
    void trim_buffer();

    bool begin_late(Direction direction, Bytes rest, EventSink& sink);
    // Nothing can be done before the other side has moved on; gives up waiting when too much waits.
    Outcome wait(Direction direction, std::size_t unread_bytes, EventSink& sink);
    void not_tls(Direction direction, std::uint64_t offset, std::string_view code, std::string_view text,
                 EventSink& sink);
    void close(Direction direction, std::string_view code, std::string_view why, EventSink& sink);
    void close_both(std::string_view code, std::string_view why, EventSink& sink);
    void close_without_key(Direction direction, EventSink& sink);

    // messages.cc
    void messages(Direction direction, std::uint64_t offset, Bytes content, EventSink& sink);
    void on_client_hello(std::uint64_t offset, const Message& message, EventSink& sink);
    void on_server_hello(std::uint64_t offset, const Message& message, EventSink& sink);
    void on_encrypted_extensions(Bytes body, EventSink& sink);
    void on_certificate(Direction direction, Bytes body, EventSink& sink);
    void on_alert(Direction direction, std::uint64_t offset, Bytes content, EventSink& sink);
    void tell_server_hello(std::string_view alpn, EventSink& sink);
    void enter(Direction direction, Epoch epoch);
    [[nodiscard]] bool waits_for_extensions() const;

    // seek.cc
    std::size_t seek_sealed(Direction direction, std::uint64_t offset, Bytes rest, EventSink& sink);
    std::size_t seek_closed(Direction direction, Bytes rest);
    std::optional<Landing> search(Direction direction, std::uint64_t offset, const RecordHeader& header, Bytes body,
                                  std::uint64_t range);
    std::optional<Landing> try_keys(Side& side, TrafficKeys& keys, std::uint64_t from, std::uint64_t range,
                                    std::uint64_t trial_bytes_max, const RecordHeader& header, Bytes body);
    void resume(Direction direction, std::uint64_t offset, Epoch before, const Landing& landing, EventSink& sink);
    void tell_lost(Direction direction, EventSink& sink);
    void estimate_lost(Direction direction);
    [[nodiscard]] bool may_be_sealed(Bytes start) const;

    KeySchedule schedule_;
    InnerDecoder make_inner_;
    std::unique_ptr<Road> inner_;  // made with the first plaintext
    std::array<Side, 2> sides_;
    std::unique_ptr<std::uint8_t[]> buffer_;
    std::size_t buffer_bytes_ = 0;
    bool late_;
    bool broken_ = false;
    bool closed_told_ = false;
    bool hello_pending_ = false;  // ServerHello waits for the ALPN of EncryptedExtensions
    bool retried_ = false;        // HelloRetryRequest was seen
    bool renegotiating_ = false;
    bool early_offered_ = false;
    bool early_decided_ = false;  // EncryptedExtensions were seen, or are not waited for any more
    bool early_accepted_ = false;
    bool early_told_ = false;
};

}  // namespace hopscope::decode::tls
