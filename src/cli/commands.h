// One function per command; each lies in a file of its own. They return the exit code.
#pragma once

#include "cli/command_line.h"

namespace hopscope::cli {

int run_analyze(const Invocation& invocation);
int run_chain(const Invocation& invocation);
int run_ports(const Invocation& invocation);  // and why
int run_graph(const Invocation& invocation);
int run_observe(const Invocation& invocation);
int run_record(const Invocation& invocation);
int run_doctor(const Invocation& invocation);
int run_extract(const Invocation& invocation);
int run_decode(const Invocation& invocation);
int run_mask(const Invocation& invocation);
int run_schema(const Invocation& invocation);
int run_completion(const Invocation& invocation);
int run_complete(const Invocation& invocation);  // hidden: answers the completion scripts
int run_help(const Invocation& invocation);
int run_version(const Invocation& invocation);

// The page of a command, as `hopscope help COMMAND` and `hopscope COMMAND --help` print it.
std::string help_page(const CommandSpec& command);
std::string overview_page();

}  // namespace hopscope::cli
