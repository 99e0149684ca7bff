// hopscope mask IN OUT.
#include <cstdio>

#include "cli/commands.h"
#include "cli/report_error.h"
#include "core/untrusted.h"
#include "record/masker.h"

namespace hopscope::cli {

int run_mask(const Invocation& invocation) {
    const auto summary =
        record::mask_capture(invocation.arguments[0], invocation.arguments[1],
                             {.overwrite = invocation.on("force"), .sidecar = !invocation.on("no-sidecar")});
    if (!summary) {
        report_error(summary.error());
        return exit_code(summary.error());
    }
    for (const std::string& trouble : summary->trouble) report_note(trouble, "");
    const record::MaskCounts& counts = summary->counts;
    std::string line = display(invocation.arguments[1]) + ": " + std::to_string(summary->packets) + " packets, " +
                       std::to_string(summary->packets_changed) + " changed; overwritten: auth " +
                       std::to_string(counts.auth) + ", tokens " + std::to_string(counts.tokens) + ", commands " +
                       std::to_string(counts.commands) + ", payload " + std::to_string(counts.payload_frames) +
                       " frames " + std::to_string(counts.payload_bytes) + " B";
    if (counts.connections_not_understood > 0)
        line += "; " + std::to_string(counts.connections_not_understood) +
                " connections not understood and overwritten whole";
    if (summary->secrets_left_out > 0) line += "; TLS secrets left out " + std::to_string(summary->secrets_left_out);
    if (summary->comments_left_out > 0) line += "; comments left out " + std::to_string(summary->comments_left_out);
    if (!summary->sidecar.empty())
        line += "; beside it " + display(summary->sidecar) + ": " + std::to_string(summary->sidecar_records) +
                " records, " + std::to_string(counts.calls) + " gRPC messages";
    line += "; not overwritten: SPDY header blocks (compressed, they hold stream names and ports only)";
    report_note(line, "");
    return kDone;
}

}  // namespace hopscope::cli
