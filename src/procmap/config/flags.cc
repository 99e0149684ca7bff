#include "procmap/config/flags.h"

#include <algorithm>
#include <optional>
#include <set>

#include "core/node_words.h"

namespace hopscope::procmap {
namespace {

struct Written {
    std::string name;  // '_' already '-'
    std::optional<std::string_view> value;
    bool one_dash = false;
};

// "--name" or "--name=value" taken apart; nothing when it is no option.
std::optional<Written> take_apart(std::string_view argument) {
    if (argument.size() < 2 || argument[0] != '-' || argument == "--") return std::nullopt;
    Written written;
    written.one_dash = argument[1] != '-';
    argument.remove_prefix(written.one_dash ? 1 : 2);
    const std::size_t equals = argument.find('=');
    written.name = argument.substr(0, equals);
    std::ranges::replace(written.name, '_', '-');
    if (equals != std::string_view::npos) written.value = argument.substr(equals + 1);
    return written;
}

const FlagSpec* find_spec(std::span<const FlagSpec> table, Written& written, std::string_view argument) {
    for (const FlagSpec& spec : table)
        if (spec.flag == written.name) return &spec;
    if (!written.one_dash) return nullptr;
    for (const FlagSpec& spec : table) {
        if (spec.flag.size() != 1 || spec.boolean || argument.size() < 3 || argument[1] != spec.flag[0]) continue;
        written.value = argument.substr(2);  // "-Hunix:///run/docker.sock"
        return &spec;
    }
    return nullptr;
}

}  // namespace

void apply_flags(Draft& draft, std::span<const Untrusted> arguments, std::span<const FlagSpec> table, Origin origin) {
    std::set<std::string_view> begun;  // lists that this command line has begun: it replaces what a file says
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        const std::string_view argument = arguments[i].raw();
        if (argument == "--") return;
        std::optional<Written> written = take_apart(argument);
        const FlagSpec* spec = written ? find_spec(table, *written, argument) : nullptr;
        if (!spec) continue;
        if (!written->value && spec->boolean) written->value = "true";
        if (!written->value) {
            if (i + 1 >= arguments.size()) return;
            written->value = arguments[++i].raw();
        }
        if (spec->repeated && !begun.insert(spec->key).second)
            draft.set(spec->key, std::string(draft.value(spec->key)) + "," + std::string(*written->value), origin);
        else
            draft.set(spec->key, *written->value, origin);
    }
}

void apply_flags(Draft& draft, const Process& process, std::span<const FlagSpec> table) {
    if (process.cmdline.empty()) return;
    const std::string path = cmdline_path(process);
    apply_flags(draft, std::span(process.cmdline).subspan(1), table, {path});
}

std::string flag_value(const Process& process, std::string_view flag, std::string_view letter) {
    Draft draft(process);
    const FlagSpec table[] = {{flag, "value"}, {letter.empty() ? flag : letter, "value"}};
    apply_flags(draft, process, table);
    return std::string(draft.value("value"));
}

}  // namespace hopscope::procmap
