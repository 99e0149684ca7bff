// Chains as OpenTelemetry traces: OTLP/JSON (opentelemetry-proto 1.x, JSON mapping), one export request per line.
//
// One trace per user action, one span per hop below a root span. The trace id is the Kubectl-Session (a UUID is 16
// bytes), so that two nodes that saw the same action make the same trace without talking; without that header it is
// derived from the action's own facts. Span ids follow from trace id, hop and endpoints. Times are those of the
// capture. Attribute names are those of the semantic conventions 1.44, ours begin with "hopscope.". Tokens and commands
// never appear: http.route is "/exec/{token}", never a path.
#pragma once

#include "chain/model.h"
#include "export/json_writer.h"

namespace hopscope::exports {

void write_chain_otlp(Output& out, const chain::Model& model, const chain::Chain& chain);

// 32 and 16 hexadecimal digits.
std::string trace_id(const chain::Chain& chain);
std::string span_id(const std::string& trace, std::string_view what);

}  // namespace hopscope::exports
