// TCP over loopback as a capture shows it: handshakes, segments, acknowledgements, and the faults that were asked for.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "capture_file.h"
#include "content.h"
#include "options.h"
#include "random.h"
#include "truth.h"

namespace hopscope::gen {

enum Side : std::uint8_t { kClient, kServer };
inline Side other(Side side) { return side == kClient ? kServer : kClient; }

// One connection as TCP knows it.
struct TcpState {
    std::array<std::uint32_t, 2> next{};     // sequence number of the next byte, by sender
    std::array<std::uint32_t, 2> acked{};    // what the other side has acknowledged of it
    std::array<std::uint16_t, 2> waiting{};  // data segments since the other side's last acknowledgement
    std::array<std::uint16_t, 2> port{};
    std::array<std::uint16_t, 2> ip_id{};
    bool hidden = false;  // nothing of it reaches the capture
};

class Tcp {
public:
    Tcp(const Options& options, Random& random, CaptureFile& file, Truth& truth);

    void handshake(TcpState& connection);
    // Queue the bytes of one write() of `from`. put() copies, lend() does not: lent bytes live until flush().
    // A write may be put together from several calls; the last one says `ends`.
    void put(TcpState& connection, Side from, Span bytes, bool ends = true);
    void lend(TcpState& connection, Side from, Span bytes, bool ends = true);
    // Room in the arena for `size` bytes of a write, to be filled before the next call.
    std::uint8_t* reserve(TcpState& connection, Side from, std::size_t size);
    // The send queue is busy: what is queued until the next flush() is merged as far as the segment size allows.
    void stay_busy() { busy_ = true; }
    // Sends what is queued: each write in segments of its own, or as a busy send queue does.
    void flush();
    void fin(TcpState& connection, Side from);
    void reset(TcpState& connection, Side from);
    void last_ack(TcpState& connection, Side from);

    [[nodiscard]] std::size_t queued_bytes() const { return queued_bytes_; }

private:
    struct Piece {
        Span bytes;
        bool ends_write;
    };
    struct Held {
        std::vector<std::uint8_t> bytes;
        bool used = false;
    };

    void queue(TcpState& connection, Side from, Span bytes, bool ends);
    void send_pieces(std::size_t begin, std::size_t end);
    void data_segment(std::size_t left_in_flush);
    void overlap(std::uint32_t sequence, std::uint32_t size);
    void acknowledge(TcpState& connection, Side from, std::uint16_t window);
    void probes();
    void packet(TcpState& connection, Side from, std::uint8_t flags, std::uint32_t sequence, std::uint16_t window,
                std::span<const Span> payload, bool captured);
    std::size_t make_head(const TcpState& connection, Side from, std::uint8_t flags, std::uint32_t sequence,
                          std::uint16_t window, std::uint32_t payload_bytes);
    void record(std::span<std::uint8_t> head, std::span<const Span> payload);
    void release_held();

    const Options& options_;
    Random& random_;
    CaptureFile& file_;
    Truth& truth_;
    std::uint64_t now_ns_;
    std::array<std::uint8_t, 160> head_{};
    std::size_t link_bytes_ = 0, ip_bytes_ = 0;

    TcpState* queue_connection_ = nullptr;
    Side queue_from_ = kClient;
    std::vector<Piece> pieces_;
    std::vector<Span> segment_;
    std::size_t queued_bytes_ = 0;
    bool busy_ = false;
    std::vector<std::uint8_t> arena_;
    std::size_t arena_used_ = 0;
    Held held_;
};

}  // namespace hopscope::gen
