// One HTML page that needs nothing else: no script, no font, no image from elsewhere. For sending to a colleague.
//
// Shows per chain: the hops as boxes, a waterfall (SVG), the hop table with evidence, streams, findings; then all
// sessions, findings and losses. Masked like every other output; every text is HTML-escaped after display().
#pragma once

#include "export/output.h"
#include "export/report_tables.h"

namespace hopscope::exports {

void write_report_html(Output& out, const chain::Model& model, const ReportOptions& options);

}  // namespace hopscope::exports
