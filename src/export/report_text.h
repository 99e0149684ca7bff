// The report of `analyze` for people, and the same as Markdown for issues and pull requests.
#pragma once

#include "export/output.h"
#include "export/report_tables.h"

namespace hopscope::exports {

void write_report_text(Output& out, const chain::Model& model, const ReportOptions& options);
// GitHub Markdown; style.columns and style.colour are not looked at.
void write_report_markdown(Output& out, const chain::Model& model, const ReportOptions& options);

}  // namespace hopscope::exports
