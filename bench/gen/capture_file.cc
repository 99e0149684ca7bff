#include "capture_file.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>

namespace hopscope::gen {
namespace {

constexpr std::size_t kBufferBytes = 512 * 1024;  // stays in a core's L2 cache

std::uint16_t link_type_of(Link link) {
    switch (link) {
        case Link::ethernet:
        case Link::vlan:
        case Link::qinq: return 1;
        case Link::sll: return 113;
        case Link::sll2: return 276;
        case Link::raw: return 101;
        case Link::null: return 0;
    }
    return 1;
}

Span text(std::string_view words) { return {reinterpret_cast<const std::uint8_t*>(words.data()), words.size()}; }

}  // namespace

CaptureFile::CaptureFile(const Options& options, int fd)
    : format_(options.format),
      big_endian_(options.big_endian),
      snaplen_(options.snaplen),
      cut_last_(options.cut_last),
      link_type_(link_type_of(options.link)),
      fd_(fd),
      buffer_(kBufferBytes) {
    file_head();
}

void CaptureFile::u16(std::uint16_t value) {
    if (big_endian_) value = __builtin_bswap16(value);
    raw(&value, sizeof value);
}

void CaptureFile::u32(std::uint32_t value) {
    if (big_endian_) value = __builtin_bswap32(value);
    raw(&value, sizeof value);
}

void CaptureFile::raw(const void* data, std::size_t size) {
    std::memcpy(buffer_.data() + used_, data, size);
    used_ += size;
}

void CaptureFile::room_for(std::size_t size) {
    if (used_ + size > buffer_.size()) drain(cut_last_);
}

// The last `keep` bytes stay, so that the end of the file can still be cut.
void CaptureFile::drain(std::size_t keep) {
    const std::size_t end = used_ > keep ? used_ - keep : 0;
    std::size_t done = 0;
    while (done < end && !failed_) {
        const ssize_t n = write(fd_, buffer_.data() + done, end - done);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) failed_ = true;
        if (n > 0) done += static_cast<std::size_t>(n);
    }
    bytes_ += end;
    std::memmove(buffer_.data(), buffer_.data() + end, used_ - end);
    used_ -= end;
}

void CaptureFile::option(std::uint16_t code, Span value) {
    u16(code);
    u16(static_cast<std::uint16_t>(value.size()));
    if (!value.empty()) raw(value.data(), value.size());
    const std::uint32_t zero = 0;
    raw(&zero, (4 - value.size() % 4) % 4);
}

void CaptureFile::file_head() {
    if (format_ != Format::pcapng) {
        u32(format_ == Format::pcap_ns ? 0xa1b23c4d : 0xa1b2c3d4);
        u16(2);
        u16(4);
        u32(0);
        u32(0);
        u32(snaplen_);
        u32(link_type_);
        return;
    }
    // Section header.
    u32(0x0a0d0d0a);
    u32(48);
    u32(0x1a2b3c4d);
    u16(1);
    u16(0);
    u32(0xffffffff);
    u32(0xffffffff);
    option(4, text("bench gen"));
    option(0, {});
    u32(48);
    // One interface, times in nanoseconds.
    const std::uint8_t nanoseconds = 9;
    u32(1);
    u32(40);
    u16(link_type_);
    u16(0);
    u32(snaplen_);
    option(2, text("lo"));
    option(9, {&nanoseconds, 1});
    option(0, {});
    u32(40);
}

void CaptureFile::record(std::uint64_t at_ns, Span head, std::span<const Span> pieces) {
    std::size_t wire = head.size();
    for (const Span piece : pieces) wire += piece.size();
    const std::size_t captured = std::min<std::size_t>(wire, snaplen_);
    room_for(captured + 64);
    const bool ng = format_ == Format::pcapng;
    const std::size_t padded = (captured + 3) & ~std::size_t{3};
    if (ng) {
        u32(6);
        u32(static_cast<std::uint32_t>(32 + padded));
        u32(0);
        u32(static_cast<std::uint32_t>(at_ns >> 32));
        u32(static_cast<std::uint32_t>(at_ns));
    } else {
        const std::uint64_t fraction = at_ns % 1'000'000'000;
        u32(static_cast<std::uint32_t>(at_ns / 1'000'000'000));
        u32(static_cast<std::uint32_t>(format_ == Format::pcap_ns ? fraction : fraction / 1000));
    }
    u32(static_cast<std::uint32_t>(captured));
    u32(static_cast<std::uint32_t>(wire));
    std::size_t left = captured;
    const auto add = [&](Span bytes) {
        const std::size_t n = std::min(left, bytes.size());
        raw(bytes.data(), n);
        left -= n;
    };
    add(head);
    for (const Span piece : pieces) add(piece);
    if (ng) {
        const std::uint32_t zero = 0;
        raw(&zero, padded - captured);
        u32(static_cast<std::uint32_t>(32 + padded));
    }
    ++packets_;
}

bool CaptureFile::finish() {
    if (cut_last_ > 0) used_ -= std::min<std::size_t>(used_, cut_last_);
    drain(0);
    return !failed_;
}

}  // namespace hopscope::gen
