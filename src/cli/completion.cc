// Shell completion: the scripts ask the hidden command __complete, which answers from the table of commands.
#include <charconv>
#include <cstdio>
#include <set>

#include "cli/codes.h"
#include "cli/commands.h"
#include "cli/report_error.h"
#include "core/untrusted.h"
#include "procmap/host_root.h"

namespace hopscope::cli {
namespace {

constexpr std::string_view kBash =
    R"(# bash completion for hopscope: hopscope completion bash > /etc/bash_completion.d/hopscope
_hopscope() {
    local word=${COMP_WORDS[COMP_CWORD]} answer
    answer=$(hopscope __complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
    COMPREPLY=()
    if [[ $answer == ":files" ]]; then
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        compopt -o filenames 2>/dev/null
    else
        mapfile -t COMPREPLY < <(compgen -W "$answer" -- "$word")
    fi
}
complete -F _hopscope hopscope
)";

constexpr std::string_view kZsh = R"(#compdef hopscope
# zsh completion for hopscope: hopscope completion zsh > "${fpath[1]}/_hopscope"
_hopscope() {
    local answer
    answer=$(hopscope __complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)
    if [[ $answer == ":files" ]]; then
        _files
    else
        compadd -- ${(f)answer}
    fi
}
_hopscope "$@"
)";

void print_words(const std::vector<std::string>& words, std::string_view begin) {
    for (const std::string& word : words) {
        if (word.starts_with(begin)) std::printf("%s\n", word.c_str());
    }
}

// Listening TCP ports of our network namespace, each once. The text of /proc needs no privileges and costs a
// millisecond.
std::vector<std::string> listening_ports() {
    constexpr std::size_t kTableBytesMax = 4 * 1024 * 1024;  // 25,000 sockets; a completion must be quick
    std::set<std::uint16_t> ports;
    const procmap::HostRoot root;
    for (const char* name : {"/proc/net/tcp", "/proc/net/tcp6"}) {
        const auto table = root.read(name, kTableBytesMax);
        if (!table) continue;
        // "  0: 0100007F:8F47 00000000:0000 0A …": local address, remote address, state; 0A is LISTEN.
        for (std::size_t begin = table->find('\n'); begin != std::string::npos; begin = table->find('\n', begin + 1)) {
            const std::string_view line =
                std::string_view(*table).substr(begin + 1, table->find('\n', begin + 1) - begin - 1);
            const std::size_t slot = line.find(": ");
            if (slot == std::string_view::npos) continue;
            const std::size_t colon = line.find(':', slot + 2);
            const std::size_t remote = line.find(' ', colon);
            const std::size_t state = remote == std::string_view::npos ? remote : line.find(' ', remote + 1);
            if (colon == std::string_view::npos || state == std::string_view::npos || line.substr(state + 1, 2) != "0A")
                continue;
            std::uint16_t port = 0;
            std::from_chars(line.data() + colon + 1, line.data() + remote, port, 16);
            if (port != 0) ports.insert(port);
        }
    }
    std::vector<std::string> words;
    words.reserve(ports.size());
    for (const std::uint16_t port : ports) words.push_back(std::to_string(port));
    return words;
}

const OptionSpec* option_named(std::string_view word, const CommandSpec* command) {
    for (const auto* options : {&global_options(), command ? &command->options : nullptr}) {
        if (!options) continue;
        for (const OptionSpec& option : *options) {
            if (word == "--" + std::string(option.name)) return &option;
            if (option.letter && word == std::string("-") + option.letter) return &option;
        }
    }
    return nullptr;
}

}  // namespace

int run_completion(const Invocation& invocation) {
    const std::string& shell = invocation.arguments.front();
    if (shell != "bash" && shell != "zsh") {
        report_error(Error{.doing = "no completion for",
                           .subject = shell,
                           .why = "",
                           .hint = "hopscope completion bash, or zsh",
                           .code = "USE-01"});
        return kUsage;
    }
    std::fputs((shell == "bash" ? kBash : kZsh).data(), stdout);
    return kDone;
}

int run_complete(const Invocation& invocation) {
    const std::vector<std::string>& words = invocation.arguments;
    const std::string current = words.empty() ? "" : words.back();
    const CommandSpec* command = nullptr;
    for (std::size_t i = 0; i + 1 < words.size() && !command; ++i) {
        if (!words[i].starts_with("-")) command = find_command(words[i]);
    }
    // After an option that takes a value: its choices, or files.
    if (words.size() >= 2) {
        const OptionSpec* option = option_named(words[words.size() - 2], command);
        if (option && !option->value.empty()) {
            std::vector<std::string> values(option->choices.begin(), option->choices.end());
            if (option->name == "output" && command) values.assign(command->formats.begin(), command->formats.end());
            if (option->list) {
                // "token,co": complete the last word, keep the others
                const std::size_t comma = current.rfind(',');
                const std::string kept = comma == std::string::npos ? "" : current.substr(0, comma + 1);
                for (std::string& value : values) value.insert(0, kept);
            }
            if (values.empty()) {
                std::puts(":files");
            } else {
                print_words(values, current);
            }
            return kDone;
        }
    }
    std::vector<std::string> candidates;
    if (current.starts_with("-")) {
        for (const OptionSpec& option : global_options())
            if (!command || takes(*command, option)) candidates.push_back("--" + std::string(option.name));
        if (command) {
            for (const OptionSpec& option : command->options) candidates.push_back("--" + std::string(option.name));
        }
    } else if (!command) {
        for (const CommandSpec& each : commands()) {
            if (!each.group.empty()) candidates.emplace_back(each.name);
        }
    } else if (command->name == "help") {
        for (const CommandSpec& each : commands()) {
            if (!each.group.empty()) candidates.emplace_back(each.name);
        }
        for (const char* topic : {"options", "filter", "secrets", "exit-codes", "hops", "codes", "config"})
            candidates.emplace_back(topic);
    } else if (command->name == "completion") {
        candidates = {"bash", "zsh"};
    } else if (command->name == "ports" || command->name == "why") {
        candidates = listening_ports();
        if (current.starts_with("/")) {
            std::puts(":files");
            return kDone;
        }
    } else if (command->name == "doctor") {
        for (const CodePage& page : codes()) candidates.emplace_back(page.code);
    } else if (command->name == "schema") {
        candidates = {"report", "event", "fields", "ports", "watch", "graph", "doctor", "codes", "otel"};
    } else if (!command->arguments.empty()) {
        std::puts(":files");
        return kDone;
    }
    print_words(candidates, current);
    return kDone;
}

}  // namespace hopscope::cli
