// The document `hopscope.report/v1` (docs/ARCHITECTURE.md, "The JSON contract"): every section is always there.
#pragma once

#include "export/json_model.h"

namespace hopscope::exports {

// One compact document, one object of an array per line, with a line feed at its end.
void write_report_json(Output& out, const chain::Model& model, const JsonOptions& options);

}  // namespace hopscope::exports
