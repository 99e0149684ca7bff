// hopscope mask: a copy of a capture file with its secrets overwritten; lengths, times and framing stay.
//
// Overwritten with 'x': payload of stdin, stdout, stderr and forwarded connections, HTTP bodies, credentials and
// unknown headers, commands in URLs and in the Status message, encrypted TLS content, everything that is not
// understood, and the payload of packets that are not TCP. Tokens become stand-ins of the same length, equal wherever
// the token occurs. TLS key logs and comments in the file are left out. TCP checksums are made right again.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/result.h"
#include "record/mask_plan.h"

namespace hopscope::record {

struct MaskSummary {
    MaskCounts counts;
    std::uint64_t packets = 0, packets_changed = 0, bytes_overwritten = 0;
    std::uint64_t connections = 0, secrets_left_out = 0, comments_left_out = 0;
    std::vector<std::string> trouble;  // what the reader said about a damaged file; printable
};

struct MaskOptions {
    bool overwrite = false;
};

// Reads `in` twice, so it must be a file. Writes pcapng, or pcap where `out` ends in ".pcap" and all packets have one
// link type. Errors: CAP-10, CAP-12 (in), CAP-20, CAP-21 (out), CAP-23 (in cannot be read twice).
Result<MaskSummary> mask_capture(const std::string& in, const std::string& out, const MaskOptions& options);

}  // namespace hopscope::record
