#include "cli/command_line.h"

#include <unistd.h>

#include <algorithm>
#include <boost/program_options.hpp>
#include <charconv>
#include <cstdlib>
#include <fstream>

#include "core/untrusted.h"

namespace hopscope::cli {
namespace po = boost::program_options;
namespace {

Unexpected<Error> usage_error(std::string why, std::string hint) {
    return unexpected(
        Error{.doing = "", .subject = "", .why = std::move(why), .hint = std::move(hint), .code = "USE-01"});
}

std::vector<OptionSpec> options_of(const CommandSpec* command) {
    std::vector<OptionSpec> all = global_options();
    if (command) all.insert(all.end(), command->options.begin(), command->options.end());
    return all;
}

po::options_description describe(const std::vector<OptionSpec>& options) {
    po::options_description description;
    for (const OptionSpec& option : options) {
        std::string names(option.name);
        if (option.letter) names += std::string(",") + option.letter;
        if (option.value.empty()) {
            description.add_options()(names.c_str(), po::bool_switch());
        } else if (!option.implied.empty()) {
            const std::string implied(option.implied);
            description.add_options()(
                names.c_str(), po::value<std::vector<std::string>>()->composing()->implicit_value({implied}, implied));
        } else {
            description.add_options()(names.c_str(), po::value<std::vector<std::string>>()->composing());
        }
    }
    return description;
}

constexpr int kStyle = po::command_line_style::unix_style & ~po::command_line_style::allow_guessing;

const OptionSpec* find_option(const std::vector<OptionSpec>& options, std::string_view name) {
    const auto found =
        std::find_if(options.begin(), options.end(), [&](const OptionSpec& o) { return o.name == name; });
    return found == options.end() ? nullptr : &*found;
}

std::string join(const std::vector<std::string_view>& words, std::string_view between) {
    std::string out;
    for (std::string_view word : words) out += (out.empty() ? "" : std::string(between)) + std::string(word);
    return out;
}

// The command is the first word that is neither a global option nor the value of one.
std::optional<std::size_t> command_index(const std::vector<std::string>& words) {
    for (std::size_t i = 0; i < words.size(); ++i) {
        const std::string& word = words[i];
        if (word.size() < 2 || word[0] != '-') return i;
        if (word == "--") return i + 1 < words.size() ? std::optional(i + 1) : std::nullopt;
        for (const OptionSpec& option : global_options()) {
            const bool by_name = word == "--" + std::string(option.name);
            const bool by_letter = option.letter && word == std::string("-") + option.letter;
            if (!option.value.empty() && (by_name || by_letter)) ++i;
        }
    }
    return std::nullopt;
}

Result<Done> check_value(const OptionSpec& option, const std::string& value) {
    if (option.choices.empty()) return Done{};
    std::string_view rest = value;
    do {
        const std::size_t comma = option.list ? rest.find(',') : std::string_view::npos;
        const std::string_view word = rest.substr(0, comma);
        rest = comma == std::string_view::npos ? std::string_view{} : rest.substr(comma + 1);
        if (std::find(option.choices.begin(), option.choices.end(), word) != option.choices.end()) continue;
        const std::string_view meant = nearest(word, option.choices);
        return usage_error("'" + display(word) + "' is not valid for --" + std::string(option.name) +
                               (meant.empty() ? "" : "; did you mean '" + std::string(meant) + "'?"),
                           "valid: " + join(option.choices, " "));
    } while (!rest.empty());
    return Done{};
}

// Adds what `map` holds, where nothing stronger has set it.
Status take(Invocation& invocation, const po::variables_map& map, const std::vector<OptionSpec>& options,
            Origin origin) {
    for (const OptionSpec& option : options) {
        const std::string name(option.name);
        if (!map.count(name) || invocation.settings.contains(name)) continue;
        Setting setting{{}, origin};
        if (option.value.empty()) {
            if (!map[name].as<bool>()) continue;
            setting.values = {"on"};
        } else {
            setting.values = map[name].as<std::vector<std::string>>();
            if (setting.values.size() > 1 && !option.repeat)
                return usage_error("--" + name + " is given " + std::to_string(setting.values.size()) + " times",
                                   "give it once");
            for (const std::string& value : setting.values) {
                if (auto checked = check_value(option, value); !checked) return checked;
            }
        }
        invocation.settings.emplace(name, std::move(setting));
    }
    return Done{};
}

Unexpected<Error> unknown_option(std::string_view given, const CommandSpec* command,
                                 const std::vector<OptionSpec>& options) {
    std::vector<std::string_view> names;
    names.reserve(options.size());
    for (const OptionSpec& option : options) names.push_back(option.name);
    std::string_view bare = given;
    bare.remove_prefix(std::min(bare.find_first_not_of('-'), bare.size()));
    const std::string_view meant = nearest(bare, names);
    // An option of another command is a common slip: say whose it is.
    std::string whose;
    for (const CommandSpec& other : commands()) {
        if (&other != command && find_option(other.options, bare)) whose = std::string(other.name);
    }
    std::string why = "unknown option '" + display(given) + "'";
    if (!meant.empty()) {
        why += "; did you mean '--" + std::string(meant) + "'?";
    } else if (!whose.empty()) {
        why += "; it belongs to 'hopscope " + whose + "'";
    }
    return usage_error(why, command ? "hopscope help " + std::string(command->name) : "hopscope help options");
}

Result<po::variables_map> run_boost(const std::vector<std::string>& words, const CommandSpec* command,
                                    const std::vector<OptionSpec>& options, std::vector<std::string>* arguments) {
    try {
        po::options_description description = describe(options);
        description.add_options()(
            "\x01"
            "arguments",
            po::value<std::vector<std::string>>()->composing());
        po::positional_options_description positional;
        positional.add(
            "\x01"
            "arguments",
            -1);
        po::variables_map map;
        po::store(po::command_line_parser(words).options(description).positional(positional).style(kStyle).run(), map);
        if (map.count("\x01"
                      "arguments")) {
            auto found = map["\x01"
                             "arguments"]
                             .as<std::vector<std::string>>();
            if (!arguments)
                return usage_error("'" + display(found.front()) + "' is no option", "only options may stand here");
            *arguments = std::move(found);
        }
        return map;
    } catch (const po::unknown_option& error) {
        return unknown_option(error.get_option_name(), command, options);
    } catch (const po::invalid_command_line_syntax& error) {
        const OptionSpec* option = find_option(
            options, error.get_option_name().substr(std::min<std::size_t>(2, error.get_option_name().size())));
        return usage_error(error.what(), option && !option->value.empty()
                                             ? "--" + std::string(option->name) + " " + std::string(option->value)
                                             : "hopscope help options");
    } catch (const po::error& error) {
        return usage_error(display(error.what()),
                           command ? "hopscope help " + std::string(command->name) : "hopscope help options");
    }
}

std::string default_config_file() {
    if (const char* named = std::getenv("HOPSCOPE_CONFIG")) return named;
    std::string home;
    if (const char* xdg = std::getenv("XDG_CONFIG_HOME"); xdg && *xdg) {
        home = xdg;
    } else if (const char* user = std::getenv("HOME"); user && *user) {
        home = std::string(user) + "/.config";
    }
    for (const std::string& name :
         {home.empty() ? "" : home + "/hopscope/config.ini", std::string("/etc/hopscope/config.ini")}) {
        if (!name.empty() && access(name.c_str(), R_OK) == 0) return name;
    }
    return "";
}

// INI: global options at the top, a command's options in its [section]. A key that no one knows is an error.
Status take_config_file(Invocation& invocation, const std::vector<OptionSpec>& options) {
    const std::string name = default_config_file();
    if (name.empty()) return Done{};
    std::ifstream in(name);
    if (!in) {
        return unexpected(Error{.doing = "cannot read configuration",
                                .subject = name,
                                .why = "no such file, or no permission",
                                .hint = "unset HOPSCOPE_CONFIG, or name a file that can be read",
                                .code = "CFG-01"});
    }
    try {
        po::options_description known;
        const auto declare = [&](const OptionSpec& option, const std::string& prefix) {
            known.add_options()((prefix + std::string(option.name)).c_str(),
                                po::value<std::vector<std::string>>()->composing());
        };
        for (const OptionSpec& option : global_options()) declare(option, "");
        for (const CommandSpec& command : commands()) {
            for (const OptionSpec& option : command.options) declare(option, std::string(command.name) + ".");
        }
        po::variables_map map;
        po::store(po::parse_config_file(in, known), map);
        for (const OptionSpec& option : options) {
            const bool global = find_option(global_options(), option.name) != nullptr;
            const std::string key =
                (global ? "" : std::string(invocation.command ? invocation.command->name : "") + ".") +
                std::string(option.name);
            if (!map.count(key) || invocation.settings.contains(option.name)) continue;
            Setting setting{map[key].as<std::vector<std::string>>(), Origin::file};
            if (option.value.empty()) {
                if (setting.values.back() != "on") continue;
            }
            for (const std::string& value : setting.values) {
                if (!option.value.empty()) {
                    if (auto checked = check_value(option, value); !checked) return checked;
                }
            }
            invocation.settings.emplace(std::string(option.name), std::move(setting));
        }
        invocation.config_file = name;
    } catch (const po::error& error) {
        return unexpected(Error{.doing = "cannot use configuration",
                                .subject = name,
                                .why = display(error.what()),
                                .hint = "hopscope help config lists what may stand in it",
                                .code = "CFG-01"});
    }
    return Done{};
}

}  // namespace

std::string_view to_string(Origin origin) {
    switch (origin) {
        case Origin::command_line: return "command line";
        case Origin::environment: return "HOPSCOPE_OPTIONS";
        case Origin::file: return "configuration file";
        case Origin::fallback: return "default";
    }
    return "";
}

bool Invocation::given(std::string_view name) const { return settings.find(name) != settings.end(); }
bool Invocation::on(std::string_view name) const { return given(name); }

std::string Invocation::text(std::string_view name) const {
    if (const auto found = settings.find(name); found != settings.end()) return found->second.values.back();
    for (const auto& options : {global_options(), command ? command->options : std::vector<OptionSpec>{}}) {
        if (const OptionSpec* option = find_option(options, name)) return std::string(option->fallback);
    }
    return "";
}

std::vector<std::string> Invocation::all(std::string_view name) const {
    const auto found = settings.find(name);
    return found == settings.end() ? std::vector<std::string>{} : found->second.values;
}

std::string Invocation::format() const {
    if (given("output")) return text("output");
    return command && !command->formats.empty() ? std::string(command->formats.front()) : "text";
}

const CommandSpec* find_command(std::string_view name) {
    for (const CommandSpec& command : commands()) {
        if (command.name == name) return &command;
        if (std::find(command.aliases.begin(), command.aliases.end(), name) != command.aliases.end()) return &command;
    }
    return nullptr;
}

bool takes(const CommandSpec& command, const OptionSpec& global_option) {
    return !global_option.for_some ||
           std::find(command.reads.begin(), command.reads.end(), global_option.name) != command.reads.end();
}

std::string commands_with(const OptionSpec& global_option) {
    std::vector<std::string_view> names;
    for (const CommandSpec& command : commands())
        if (!command.group.empty() && command.name != "help" && takes(command, global_option))
            names.push_back(command.name);
    return join(names, " ");
}

std::string_view nearest(std::string_view word, std::span<const std::string_view> candidates) {
    std::string_view best;
    std::size_t best_distance = 3;
    for (std::string_view candidate : candidates) {
        std::vector<std::size_t> row(candidate.size() + 1);
        for (std::size_t j = 0; j < row.size(); ++j) row[j] = j;
        for (std::size_t i = 1; i <= word.size(); ++i) {
            std::size_t diagonal = row[0];
            row[0] = i;
            for (std::size_t j = 1; j <= candidate.size(); ++j) {
                const std::size_t up = row[j];
                row[j] = std::min({row[j] + 1, row[j - 1] + 1, diagonal + (word[i - 1] == candidate[j - 1] ? 0U : 1U)});
                diagonal = up;
            }
        }
        const std::size_t distance = row.back();
        const bool prefix = word.size() >= 3 && candidate.starts_with(word);
        if (prefix && best_distance > 0) {
            best = candidate;
            best_distance = 0;
        } else if (distance < best_distance && distance < word.size()) {
            best = candidate;
            best_distance = distance;
        }
    }
    return best;
}

Result<std::uint64_t> parse_number(std::string_view option, std::string_view text, std::uint64_t max) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || value > max)
        return usage_error("'" + display(text) + "' is not valid for --" + std::string(option),
                           "a whole number from 0 to " + std::to_string(max));
    return value;
}

Result<std::uint64_t> parse_size(std::string_view option, std::string_view text) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    const std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
    static constexpr std::pair<std::string_view, std::uint64_t> kUnits[] = {
        {"", 1},          {"B", 1},         {"k", 1000},         {"kB", 1000},         {"KiB", 1024},   {"M", 1000'000},
        {"MB", 1000'000}, {"MiB", 1 << 20}, {"G", 1000'000'000}, {"GB", 1000'000'000}, {"GiB", 1 << 30}};
    for (const auto& [name, factor] : kUnits) {
        std::uint64_t bytes = 0;
        if (error == std::errc{} && unit == name && !__builtin_mul_overflow(value, factor, &bytes)) return bytes;
    }
    return usage_error("'" + display(text) + "' is not valid for --" + std::string(option),
                       "a size such as 256MiB, 64k or 1GB");
}

Result<Invocation> parse_command_line(const std::vector<std::string>& words) {
    Invocation invocation;
    std::vector<std::string> rest = words;
    if (const auto index = command_index(words)) {
        invocation.command = find_command(words[*index]);
        if (!invocation.command) {
            std::vector<std::string_view> names;
            for (const CommandSpec& command : commands()) {
                if (!command.group.empty()) names.push_back(command.name);
            }
            const std::string_view meant = nearest(words[*index], names);
            return usage_error("there is no command '" + display(words[*index]) + "'" +
                                   (meant.empty() ? "" : "; did you mean '" + std::string(meant) + "'?"),
                               "hopscope help");
        }
        rest.erase(rest.begin() + static_cast<std::ptrdiff_t>(*index));
    }
    const std::vector<OptionSpec> options = options_of(invocation.command);

    const auto from_line = run_boost(rest, invocation.command, options, &invocation.arguments);
    if (!from_line) return unexpected(from_line.error());
    if (auto taken = take(invocation, *from_line, options, Origin::command_line); !taken)
        return unexpected(taken.error());
    if (const char* environment = std::getenv("HOPSCOPE_OPTIONS")) {
        auto from_environment = run_boost(po::split_unix(environment), nullptr, global_options(), nullptr);
        if (!from_environment) {
            Error error = from_environment.error();
            error.why = "in HOPSCOPE_OPTIONS: " + error.why;
            return unexpected(std::move(error));
        }
        if (auto taken = take(invocation, *from_environment, global_options(), Origin::environment); !taken)
            return unexpected(taken.error());
    }
    if (auto taken = take_config_file(invocation, options); !taken) return unexpected(taken.error());

    const CommandSpec* command = invocation.command;
    if (!command || invocation.on("help")) return invocation;
    for (const OptionSpec& option : global_options()) {
        const auto found = invocation.settings.find(option.name);
        if (found == invocation.settings.end() || takes(*command, option)) continue;
        // Written for all commands: whoever has no use for it is not meant.
        if (found->second.origin != Origin::command_line) continue;
        return usage_error("'" + std::string(command->name) + "' does not take --" + std::string(option.name),
                           "leave it out; commands with --" + std::string(option.name) + ": " + commands_with(option));
    }
    if (invocation.arguments.size() > command->arguments_max) {
        const std::string& stray = invocation.arguments[command->arguments_max];
        return usage_error("'" + std::string(command->name) + "' takes no argument '" + display(stray) + "'",
                           "hopscope help " + std::string(command->name));
    }
    if (invocation.arguments.size() < command->arguments_min) {
        return usage_error("'" + std::string(command->name) + "' needs " + std::string(command->arguments),
                           command->examples.empty() ? "hopscope help " + std::string(command->name)
                                                     : std::string(command->examples.front()));
    }
    if (invocation.given("output")) {
        const std::string format = invocation.text("output");
        if (std::find(command->formats.begin(), command->formats.end(), format) == command->formats.end()) {
            return usage_error("'" + display(format) + "' is not valid for -o of '" + std::string(command->name) + "'",
                               command->formats.empty() ? "it has no -o" : "valid: " + join(command->formats, " "));
        }
    }
    return invocation;
}

}  // namespace hopscope::cli
