// A parser of one capture format: bytes of a Window in, packets out. Everything else goes to the FileLog.
#pragma once

#include <memory>

#include "capture/file_log.h"
#include "capture/window.h"
#include "core/packet.h"

namespace hopscope::capture {

class RecordParser {
public:
    virtual ~RecordParser() = default;
    // The next packet in file order; false at the end, for good.
    virtual bool next(Packet& packet) = 0;
    [[nodiscard]] virtual std::uint64_t packets() const = 0;
};

// Packet::position of the first byte of file `file`.
constexpr std::uint64_t first_position(std::uint16_t file) { return (std::uint64_t{file} << 48) + 1; }

// Both borrow `window` and `log`, and expect the cursor at the file's first byte with the magic checked by sniff().
// An error is CAP-12 without a subject: even the file header is not all there.
Result<std::unique_ptr<RecordParser>> make_pcap_parser(Window& window, FileLog& log);
Result<std::unique_ptr<RecordParser>> make_pcapng_parser(Window& window, FileLog& log);

}  // namespace hopscope::capture
