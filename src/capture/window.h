// A sliding view of a byte source: what a parser reads from, and what History looks back into.
//
// One ring of bytes, filled by whole read blocks. A lap runs from the front of the ring to its end; what was not parsed
// at the end of a lap is moved to the front, so that a record is always contiguous. Behind the place where the new lap
// is being filled the bytes of the lap before are still there: recent() finds them. A record larger than the ring makes
// the ring grow (up to limits::kRecordBytesMax and one block) until the next lap.
#pragma once

#include <memory>

#include "capture/byte_source.h"
#include "core/bytes.h"
#include "core/limits.h"

namespace hopscope::capture {

struct WindowSize {
    std::size_t ring_bytes = limits::kHistoryBytes;
    std::size_t read_bytes = limits::kReadBlockBytes;  // at most half of the ring
};

class Window {
public:
    explicit Window(std::unique_ptr<ByteSource> source, const WindowSize& size = {});

    // The unparsed bytes that are at hand. Pointers into them hold until need() has to read.
    [[nodiscard]] const std::uint8_t* cursor() const { return cursor_; }
    [[nodiscard]] std::size_t available() const { return static_cast<std::size_t>(end_ - cursor_); }
    void advance(std::size_t n) { cursor_ += n; }
    // True when at least `n` (up to kRecordBytesMax) unparsed bytes are at hand, after reading as much as it takes;
    // false when the source ends before. Never reads more than it must (pipes).
    bool need(std::size_t n) { return available() >= n || fill(n); }

    // Offset of cursor() in the stream.
    [[nodiscard]] std::uint64_t offset() const { return offset_of(cursor_); }
    [[nodiscard]] std::uint64_t offset_of(const std::uint8_t* at) const {
        return lap_offset_ + static_cast<std::uint64_t>(at - ring_.get());
    }
    // `size` bytes from `offset` on, if all of them are still here, else nothing.
    [[nodiscard]] Bytes recent(std::uint64_t offset, std::size_t size) const;

    [[nodiscard]] const ByteSource& source() const { return *source_; }
    // Gives the source up, to be wrapped into another; the window is over.
    std::unique_ptr<ByteSource> release_source() { return std::move(source_); }

private:
    struct Free {
        void operator()(std::uint8_t* ring) const;
    };
    using Ring = std::unique_ptr<std::uint8_t[], Free>;
    static Ring make_ring(std::size_t bytes);

    bool fill(std::size_t n);
    void begin_lap(std::size_t n);

    std::unique_ptr<ByteSource> source_;
    WindowSize size_;
    Ring ring_;
    std::size_t ring_bytes_;  // of ring_ now
    const std::uint8_t* cursor_;
    std::uint8_t* end_;  // of what was read
    // Stream offset of ring_[0] in this lap (modulo 2^64: a lap may begin further back than the stream).
    std::uint64_t lap_offset_ = 0;
    std::size_t lap_begin_ = 0;  // index of the first byte of this lap
    // The lap before: [dirty_end_, old_end_) of the ring, where ring_[0] stood for old_offset_.
    std::uint64_t old_offset_ = 0;
    std::size_t old_end_ = 0;
    std::size_t dirty_end_ = 0;  // the source may have written up to here
    bool over_ = false;          // the source has ended
};

}  // namespace hopscope::capture
