// Settings in a command line, as Go programs read them: "--a=b", "--a b", "-a b", booleans "--a" or "--a=false" (never
// "--a false"), '_' for '-', one-letter forms "-Hvalue". An option that is not in the table is passed over.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "core/process.h"
#include "procmap/config/draft.h"

namespace hopscope::procmap {

struct FlagSpec {
    std::string_view flag;  // "read-only-port", or one letter
    std::string_view key;   // the setting that it writes
    bool boolean = false;
    bool repeated = false;  // each use adds one to the list, else the last one wins
};

// Writes every option of the table that the process was started with. The first argument is the program's name.
void apply_flags(Draft& draft, const Process& process, std::span<const FlagSpec> table);
// The same for arguments that came from elsewhere; `origin` is where.
void apply_flags(Draft& draft, std::span<const Untrusted> arguments, std::span<const FlagSpec> table, Origin origin);
// The last value of one option that takes a value; empty: not given.
std::string flag_value(const Process& process, std::string_view flag, std::string_view letter = {});

}  // namespace hopscope::procmap
