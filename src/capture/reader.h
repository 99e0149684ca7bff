// Reads pcap and pcapng with bounded memory: own block reader over read(2), no mmap, never the whole file.
//
// pcap in both byte orders, µs, ns and "modified"; pcapng with several sections and interfaces,
// options, comments, decryption secrets; gzip and zstd around either; "-" is standard input; several files merged
// by time. It does not look into packets, does not filter and does not read names (NRB). It never throws for bad input.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "capture/interface_info.h"
#include "core/loss.h"
#include "core/packet.h"
#include "core/result.h"

namespace hopscope::capture {

// Something about a file that is no packet.
//
// Trouble has one of these codes: CAP-10 reading failed in the middle; CAP-11 cut off (also inside gzip or zstd);
// CAP-13 a record or block that makes no sense; CAP-14 unknown link type, once per interface that has packets;
// CAP-15 unknown block type, once per type. At most limits::kTroubleNotesMax of them per file, then one last note.
struct FileNote {
    enum class Kind {
        secrets,  // `text` is a TLS key log (DSB)
        comment,  // opt_comment of a section, interface or packet (then `frame` is its packet's)
        drops,    // `count` further packets dropped at capture time (ISB, EPB): counts may be added up
        trouble,  // cut off, unknown block or link type, lying length: `text` says it, `code` names it (CAP-11 …)
    };
    Kind kind{};
    std::uint16_t file = 0;
    std::uint64_t frame = 0;  // number of the packet that follows, or would follow
    std::string code;
    std::string text;  // raw: holds hostile bytes (a trouble's sentence holds the file's name): display() it
    std::uint64_t count = 0;
};

struct FileSummary {
    std::string name;                           // as given; "-" is standard input
    std::string format;                         // "pcap", "pcapng", with " (gzip)" or " (zstd)"
    std::vector<InterfaceInfo> interfaces;      // those met so far
    std::uint64_t packets = 0, bytes_read = 0;  // bytes of the file itself, compressed where it is
    std::optional<std::uint64_t> bytes_total;   // size of the file; absent for pipes
    bool cut_off = false;
};

// Packet::position is the number of the file in the top 16 bits and, below, 1 + the offset in the (decompressed) bytes
// of that file. recent() finds the last 1 MiB that was read (several files: 256 KiB of each). A record of more than
// 1 MiB replaces what was kept.
class Reader : public History {
public:
    // Opens all files ("-" once); fails with CAP-10 (cannot open or read) or CAP-12 (not a capture file, with what it
    // looks like) naming the file. A file with a header and no packet is fine. `note` is called by next(), before the
    // packet it precedes, never by open().
    static Result<std::unique_ptr<Reader>> open(const std::vector<std::string>& names,
                                                std::function<void(const FileNote&)> note);
    ~Reader() override = default;

    // The next packet by time (files merged; within one file in file order), or nothing at the end. Reading goes on
    // past damage where a next record can be found; what could not be read is told as a note and counted in
    // loss().file. A packet without a time (SPB), or with an impossible one, has the time of the packet before it in
    // its file.
    virtual bool next(Packet& packet) = 0;
    [[nodiscard]] virtual std::vector<FileSummary> files() const = 0;
    // Only `file` is counted here: bytes that could not be read as records, of the decompressed stream.
    [[nodiscard]] virtual const LossCounters& loss() const = 0;
    // More than one interface, or one of type "any" (cooked): packets may be there twice. It may become true later,
    // when a file declares a further interface after its first packets: then a packet with a new Packet::interface
    // comes.
    [[nodiscard]] virtual bool may_hold_copies() const = 0;
};

}  // namespace hopscope::capture
