// Writes capture files: mode 0600, O_EXCL (never over an existing file unless told), owner SUDO_UID where set.
//
// Always little-endian. "-" is standard output; a device or FIFO (/dev/null) is written to as it is. Whole records only
// reach the file: when the disk is full, what was begun is cut away again, so that everything before stays readable.
// Errors: CAP-20 cannot create or write, CAP-21 exists already, CAP-22 this packet does not fit into this file.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "capture/interface_info.h"
#include "core/packet.h"
#include "core/result.h"

namespace hopscope::capture {

class Writer {
public:
    virtual ~Writer() = default;
    // Bytes beyond the snaplen are cut off (wire_length keeps the truth); a time before 1970 is written as 1970.
    // Returns an error when the disk does; everything written before stays readable. Buffered: see flush().
    virtual Status write(const Packet& packet) = 0;
    // Hands everything written so far to the kernel.
    virtual Status flush() = 0;
    // Flushes and closes; further calls do nothing. A destroyed writer closes itself, but cannot tell an error.
    virtual Status close() = 0;
};

// pcapng holds interfaces of different link types, comments and secrets beside packets.
class PcapngWriter : public Writer {
public:
    // Declares interface `info.number`: packets with this Packet::interface belong to it. An interface that was not
    // declared is declared by its first packet, without a name. A number can be declared once.
    virtual Status add_interface(const InterfaceInfo& info) = 0;
    // Comments go to the packet as opt_comment; UTF-8, cut to 65,535 bytes.
    virtual Status write(const Packet& packet, std::string_view comment) = 0;
    Status write(const Packet& packet) override { return write(packet, {}); }
    // A TLS key log (DSB) for the packets that follow. Beyond limits::kRecordBytesMax: CAP-22.
    virtual Status write_secrets(std::string_view tls_key_log) = 0;
    // Interface statistics (ISB): totals since the capture began, usually written last.
    virtual Status write_statistics(std::uint32_t interface, Timestamp at, std::uint64_t received,
                                    std::uint64_t dropped) = 0;
};

struct WriterOptions {
    LinkType link_type = LinkType::ethernet;  // pcap: of all packets; pcapng: of an interface in a file without packets
    std::uint32_t snaplen = 262144;           // at least 1; pcapng: of interfaces that are not declared
    bool nanoseconds = true;                  // else microseconds
    bool overwrite = false;
    std::string section_comment;  // pcapng only
    std::string application;      // pcapng only
};

Result<std::unique_ptr<Writer>> open_pcap_writer(const std::string& name, const WriterOptions& options);
Result<std::unique_ptr<PcapngWriter>> open_pcapng_writer(const std::string& name, const WriterOptions& options);

}  // namespace hopscope::capture
