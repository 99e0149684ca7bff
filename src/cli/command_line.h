// From argv to a checked Invocation. One table of commands and options feeds parsing, help, completion and the
// documentation, so they cannot differ.
//
// Boost.Program_options does the splitting; its traps are closed here: no guessing of abbreviations, no swallowed
// positionals, errors that say what is valid, did-you-mean over our own table.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace hopscope::cli {

struct OptionSpec {
    std::string_view name;                  // "output"
    char letter = 0;                        // 'o'; 0: none
    std::string_view value;                 // "FMT"; empty: a switch
    std::string_view text;                  // one line of help
    std::string_view fallback;              // shown and used when not given; may be empty
    std::vector<std::string_view> choices;  // empty: anything
    bool list = false;                      // a comma-separated list of choices
    bool repeat = false;                    // may be given more than once
    std::string_view implied;               // value when it stands alone; then a value needs '=': --watch, --watch=2
    // Global, but not for every command: only for those that have it among CommandSpec::reads. Others refuse it on the
    // command line, and pass over it in the environment and in the configuration file, which are written for all.
    bool for_some = false;
};

struct Invocation;

struct CommandSpec {
    std::string_view name;
    std::vector<std::string_view> aliases;
    std::string_view group;      // LOOK, OFFLINE, HELP; empty: hidden
    std::string_view arguments;  // "FILE…"; empty: none allowed
    std::size_t arguments_min = 0, arguments_max = 0;
    std::string_view summary;
    std::vector<std::string_view> examples;
    std::vector<OptionSpec> options;
    std::vector<std::string_view> reads = {};  // of the global options that are for some commands
    std::vector<std::string_view> formats;     // valid values of -o; the first is the default
    int (*run)(const Invocation&) = nullptr;
};

const std::vector<OptionSpec>& global_options();
const std::vector<CommandSpec>& commands();
const CommandSpec* find_command(std::string_view name);  // by name or alias
// Whether the command does something with a global option.
bool takes(const CommandSpec& command, const OptionSpec& global_option);
// "analyze graph observe": the commands that take a global option, as they are listed in help.
std::string commands_with(const OptionSpec& global_option);

// Where a setting came from, strongest first.
enum class Origin : std::uint8_t { command_line, environment, file, fallback };
std::string_view to_string(Origin origin);

struct Setting {
    std::vector<std::string> values;
    Origin origin = Origin::fallback;
};

// A command with checked options: choices are valid, counts of arguments are right.
struct Invocation {
    const CommandSpec* command = nullptr;
    std::map<std::string, Setting, std::less<>> settings;
    std::vector<std::string> arguments;
    std::string config_file;  // the one that was read; empty: none

    [[nodiscard]] bool given(std::string_view name) const;        // by anything but the fallback
    [[nodiscard]] bool on(std::string_view name) const;           // a switch
    [[nodiscard]] std::string text(std::string_view name) const;  // last value, or the fallback, or ""
    [[nodiscard]] std::vector<std::string> all(std::string_view name) const;
    [[nodiscard]] std::string format() const;  // -o, or the command's first format
};

// argv without argv[0]. Usage errors have code USE-01 and exit status 2.
Result<Invocation> parse_command_line(const std::vector<std::string>& words);

// "256MiB", "64k", "10MB" → bytes; "5s", "250ms", "1h" → nanoseconds. Errors name the valid units.
Result<std::uint64_t> parse_size(std::string_view option, std::string_view text);
Result<std::uint64_t> parse_number(std::string_view option, std::string_view text, std::uint64_t max);

// The nearest of `candidates` to a mistyped word (edit distance ≤ 2 and less than its length), or empty.
std::string_view nearest(std::string_view word, std::span<const std::string_view> candidates);

}  // namespace hopscope::cli
