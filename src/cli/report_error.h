// Errors and notes for people, on stderr: "hopscope: WHAT failed: WHY  [CODE]" and the remedy below it.
#pragma once

#include <string>
#include <string_view>

#include "core/result.h"

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

// The exit code that belongs to an error's code: USE-… 2, CAP-10/12 5, FLT-… 2, else 1.
int exit_code(const Error& error);

}  // namespace hopscope::cli
