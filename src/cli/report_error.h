// Errors and notes for people, on stderr: "hopscope: WHAT failed: WHY  [CODE]" and the remedy below it.
#pragma once

#include <string>
#include <string_view>

#include "core/result.h"

namespace hopscope::exports {
class Output;
}

namespace hopscope::cli {

// Exit codes (hopscope help exit-codes).
enum Exit : int {
    kDone = 0,
    kFailed = 1,
    kUsage = 2,
    kNothingMatched = 3,
    kNotPermitted = 4,
    kUnreadable = 5,
    kDataLost = 6,
    kFindings = 8,
    kInterrupted = 130,
};

void report_error(const Error& error);
// One line that is no failure: "hopscope: TEXT  [CODE]"; not with --quiet.
void report_note(std::string_view text, std::string_view code);
void set_quiet(bool quiet);

// The exit code that belongs to an error's code: what was asked for wrongly (USE-…, FLT-… and the like) 2, what takes
// privileges 4, an unreadable file 5, else 1.
int exit_code(const Error& error);
// Writes what is left of the output; `code`, or 1 (and told) where it could not be written. A reader that has gone, as
// head does when it has seen enough, is no failure.
int finish(exports::Output& out, int code);

}  // namespace hopscope::cli
