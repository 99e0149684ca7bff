// Writes the records of a capture file: pcap (µs, ns, both byte orders) and pcapng.
#pragma once

#include <cstdint>
#include <vector>

#include "content.h"
#include "options.h"

namespace hopscope::gen {

class CaptureFile {
public:
    // `fd` is borrowed.
    CaptureFile(const Options& options, int fd);

    // One packet: `head` and then `pieces`. `at_ns` since 1970.
    void record(std::uint64_t at_ns, Span head, std::span<const Span> pieces);
    // Writes what is left. False: a write failed (errno tells why).
    bool finish();

    [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
    [[nodiscard]] std::uint64_t packets() const { return packets_; }

private:
    void u16(std::uint16_t value);
    void u32(std::uint32_t value);
    void raw(const void* data, std::size_t size);
    void room_for(std::size_t size);
    void drain(std::size_t keep);
    void file_head();
    void option(std::uint16_t code, Span value);

    Format format_;
    bool big_endian_;
    std::uint32_t snaplen_, cut_last_;
    std::uint16_t link_type_;
    int fd_;
    bool failed_ = false;
    std::vector<std::uint8_t> buffer_;
    std::size_t used_ = 0;
    std::uint64_t bytes_ = 0, packets_ = 0;
};

}  // namespace hopscope::gen
