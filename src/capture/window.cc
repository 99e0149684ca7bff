#include "capture/window.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

namespace hopscope::capture {
namespace {

// Whole pages are copied by read(2) at full speed when file and memory are aligned alike.
constexpr std::size_t kPageBytes = 4096;

std::size_t round_up(std::size_t n) { return (n + kPageBytes - 1) / kPageBytes * kPageBytes; }

}  // namespace

void Window::Free::operator()(std::uint8_t* ring) const { ::operator delete[](ring, std::align_val_t{kPageBytes}); }

Window::Ring Window::make_ring(std::size_t bytes) {
    return Ring(static_cast<std::uint8_t*>(::operator new[](bytes, std::align_val_t{kPageBytes})));
}

Window::Window(std::unique_ptr<ByteSource> source, const WindowSize& size)
    : source_(std::move(source)),
      size_(size),
      ring_(make_ring(size.ring_bytes)),
      ring_bytes_(size.ring_bytes),
      cursor_(ring_.get()),
      end_(ring_.get()) {}

bool Window::fill(std::size_t n) {
    if (over_ || n > limits::kRecordBytesMax + kPageBytes) return false;
    const auto begin = static_cast<std::size_t>(cursor_ - ring_.get());
    const auto room = ring_bytes_ - static_cast<std::size_t>(end_ - ring_.get());
    // A lap also ends when only a short read would fit: short reads cost as many system calls as long ones.
    if (begin + n > ring_bytes_ || room < size_.read_bytes / 2) begin_lap(n);
    while (available() < n) {
        const auto filled = static_cast<std::size_t>(end_ - ring_.get());
        const std::size_t asked = std::min(size_.read_bytes, ring_bytes_ - filled);
        const std::size_t got = source_->read(end_, asked);
        dirty_end_ = std::max(dirty_end_, filled + asked);
        end_ += got;
        if (got == 0) {
            over_ = true;
            return false;
        }
    }
    return true;
}

void Window::begin_lap(std::size_t n) {
    const std::size_t tail = available();  // less than n
    // Where reading goes on is the start of a page. A ring that has to grow gets room for more than this one record:
    // laps copy their tail, and a file that lies about lengths again and again must not make every lap a short one.
    const std::size_t begin = round_up(tail) - tail;
    const std::size_t wanted = std::max(size_.ring_bytes, round_up(begin + n + std::max(size_.read_bytes, n / 4)));
    const std::uint64_t offset = this->offset();
    if (wanted != ring_bytes_) {
        Ring ring = make_ring(wanted);
        std::memcpy(ring.get() + begin, cursor_, tail);
        ring_ = std::move(ring);
        ring_bytes_ = wanted;
        old_end_ = 0;
    } else {
        old_offset_ = lap_offset_;
        old_end_ = static_cast<std::size_t>(end_ - ring_.get());
        std::memmove(ring_.get() + begin, cursor_, tail);
    }
    cursor_ = ring_.get() + begin;
    end_ = ring_.get() + begin + tail;
    lap_begin_ = begin;
    lap_offset_ = offset - begin;
    dirty_end_ = begin + tail;
}

Bytes Window::recent(std::uint64_t offset, std::size_t size) const {
    const auto find = [&](std::uint64_t zero, std::size_t begin, std::size_t end) -> Bytes {
        const std::uint64_t index = offset - zero;
        // A wrapped index (an offset before this lap) is larger than any end.
        if (index < begin || index > end || size > end - index) return {};
        return {ring_.get() + index, size};
    };
    const Bytes here = find(lap_offset_, lap_begin_, static_cast<std::size_t>(end_ - ring_.get()));
    if (!here.empty() || old_end_ <= dirty_end_) return here;
    return find(old_offset_, dirty_end_, old_end_);
}

}  // namespace hopscope::capture
