// hopscope schema: what the output looks like, for programs and for people who filter.
#include "export/schema.h"

#include <unistd.h>

#include "cli/commands.h"
#include "cli/report_error.h"

namespace hopscope::cli {

int run_schema(const Invocation& invocation) {
    const std::string name = invocation.arguments.empty() ? "report" : invocation.arguments.front();
    exports::FdOutput out(STDOUT_FILENO, "standard output");
    if (!exports::write_schema(out, name)) {
        report_error(Error{.doing = "there is no schema",
                           .subject = name,
                           .why = "",
                           .hint = "report, event, fields, ports, watch, graph, doctor, codes or otel",
                           .code = "USE-01"});
        return kUsage;
    }
    return kDone;
}

}  // namespace hopscope::cli
