// hopscope mask: a copy of a capture file with its secrets overwritten; lengths, times and framing stay.
//
// Overwritten with 'x': payload of stdin, stdout, stderr and forwarded connections, HTTP bodies, credentials and
// unknown headers, commands in URLs and in the Status message, encrypted TLS content, everything that is not
// understood, and the payload of packets that are not TCP. Tokens become stand-ins of the same length, equal wherever
// the token occurs. TLS key logs and comments in the file are left out, but for those of hopscope that name the
// processes at both ends. TCP checksums are made right again. What a recording has beside it (record/sidecar.h) is
// masked into a file beside the copy: ids, names and numbers of CRI calls stay, see record/cri_masker.h.
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
    std::string sidecar;                // the file beside the copy; empty: none was written
    std::uint64_t sidecar_records = 0;  // in it
    std::vector<std::string> trouble;   // what was said about a damaged or missing file; printable
};

struct MaskOptions {
    bool overwrite = false;
    bool sidecar = true;  // false: what lies beside the recording is left out
};

// Reads `in` twice, so it must be a file. Writes pcapng, or pcap where `out` ends in ".pcap" and all packets have one
// link type. Errors: CAP-10, CAP-12 (in), CAP-20, CAP-21 (out), CAP-23 (in cannot be read twice).
Result<MaskSummary> mask_capture(const std::string& in, const std::string& out, const MaskOptions& options);

}  // namespace hopscope::record
