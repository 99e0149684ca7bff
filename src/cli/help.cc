// Help pages: built from the table of commands; the topics are written here.
#include <cstdio>

#include "cli/codes.h"
#include "cli/commands.h"
#include "cli/report_error.h"
#include "core/untrusted.h"

namespace hopscope::cli {
namespace {

std::string padded(std::string text, std::size_t columns) {
    const std::size_t width = display_width(text);
    if (width < columns) text.append(columns - width, ' ');
    return text;
}

std::string option_line(const OptionSpec& option) {
    std::string names = option.letter ? std::string("-") + option.letter + ", " : "    ";
    names += "--" + std::string(option.name);
    if (!option.implied.empty()) {
        names += "[=" + std::string(option.value) + "]";
    } else if (!option.value.empty()) {
        names += " " + std::string(option.value);
    }
    std::string line = "  " + padded(names, 24) + " " + std::string(option.text);
    if (!option.fallback.empty()) line += " [" + std::string(option.fallback) + "]";
    if (!option.choices.empty() && option.choices.size() <= 8) {
        std::string choices;
        for (std::string_view choice : option.choices) choices += (choices.empty() ? "" : "|") + std::string(choice);
        line += "\n  " + padded("", 24) + " " + choices;
    }
    return line + "\n";
}

constexpr std::string_view kFilterTopic = R"(Filters choose what is shown:  hopscope analyze FILE -f 'EXPR'

  field op value      op: == != < <= > >= ~ (regular expression) !~ has (substring)
  field in { a b }    any of the values
  and or not ( )      'and' may be left out; && || ! work too
  word                substring of any text column, or a flag: exec ws spdy error refused gap open

Values: number with unit (us ms s m h d, B kB KiB MiB GiB), 'text', "text", bare word, 10.0.0.0/8.
A field that a row does not have makes every test false, != too: write  not (exit == 0).

  op == exec and exit != 0              port in {10250 33821}
  pod ~ "^web-" ws                      bytes.out > 1MiB or request.status == 404

Fields: hopscope schema fields. Capture filters (tcpdump's language) are something else.
)";

constexpr std::string_view kSecretsTopic =
    R"(What can hold a secret is masked in every output unless you ask for it by name:

  payload    bytes of stdout, stderr and forwarded connections (stdin stays masked)
  stdin      what was typed or sent to the process: passwords live here
  stdout stderr data   one of the streams only
  auth       Authorization, Cookie, bearer tokens in headers and subprotocols
  token      streaming tokens in URLs (shown as 6NLI···· and t1, t2 … by first appearance)
  command    the command line of exec
  cri        environment and image credentials in CRI calls
  all        everything

  hopscope analyze node.pcap --reveal token,command

Lengths, times, exit codes, stream names, pod names and terminal sizes are always shown.
A capture file itself holds everything: pass on 'hopscope mask IN OUT' instead.
)";

constexpr std::string_view kExitTopic = R"(0    done
1    failed while running
2    usage: the command line, a filter or the configuration is wrong
3    nothing matched: nothing listens there, no session with that name, a filter without a hit
4    a privilege or a kernel feature is missing
5    input unreadable or not a capture (a cut file is reported and gives 0; 5 with --strict)
6    data was lost (only with --strict)
8    findings at or above --fail-on
)";

constexpr std::string_view kHopsTopic =
    R"(A kubectl exec, attach or port-forward passes these hops; each is named after the end that answers:

  apiserver  kubectl → API server        kubelet  API server → kubelet (port 10250)
  cri        kubelet → runtime's socket  runtime  kubelet → the runtime's streaming server
  shim       runtime → shim or dockerd   process  the process in the container

How a claim is known:  ● decoded: the bytes say so   ◐ seen: encrypted or cut, sizes and times only
                       ○ inferred: follows from something else
)";

std::string options_topic() {
    std::string out = "Options of every command, before or after its name:\n\n";
    for (const OptionSpec& option : global_options())
        if (!option.for_some) out += option_line(option);
    out += "\nOptions of some commands:\n\n";
    for (const OptionSpec& option : global_options())
        if (option.for_some) out += option_line(option) + "  " + padded("", 24) + " " + commands_with(option) + "\n";
    out += "\nAlso read: HOPSCOPE_OPTIONS, HOPSCOPE_CONFIG (hopscope help config), NO_COLOR.\n";
    return out;
}

std::string config_topic(const Invocation& invocation) {
    std::string out =
        "Order: command line, HOPSCOPE_OPTIONS, configuration file, default.\n"
        "File: $HOPSCOPE_CONFIG, else $XDG_CONFIG_HOME/hopscope/config.ini, else /etc/hopscope/config.ini.\n"
        "  color = never\n  [analyze]\n  top = 50\n\nIn effect now";
    out += invocation.config_file.empty() ? " (no file read):\n" : " (" + display(invocation.config_file) + "):\n";
    for (const OptionSpec& option : global_options()) {
        if (option.name == "help" || option.name == "version") continue;
        const auto found = invocation.settings.find(option.name);
        const Origin origin = found == invocation.settings.end() ? Origin::fallback : found->second.origin;
        std::string value = invocation.text(option.name);
        if (value.empty()) value = option.value.empty() ? "off" : "-";
        out += "  " + padded(std::string(option.name), 14) + padded(display(value), 16) +
               std::string(to_string(origin)) + "\n";
    }
    return out;
}

}  // namespace

std::string overview_page() {
    std::string out =
        "hopscope: who talks to whom in kubectl exec, attach and port-forward on a node.\n\n"
        "  hopscope why 35751                         why is this port open?\n"
        "  hopscope ports                             listeners of kubelet and runtimes\n"
        "  hopscope observe                           sessions as they happen, until ^C\n"
        "  hopscope record -w node.pcapng             the same to a capture file, masked\n"
        "  hopscope doctor                            what works here, what is missing\n"
        "  hopscope analyze node.pcap                 report on a capture, without root\n"
        "  hopscope analyze node.pcap -o json | jq .  the same for programs\n"
        "  hopscope chain node.pcap                   one exec hop by hop\n"
        "  hopscope extract node.pcap --session s1    the exact bytes of a stream\n"
        "  hopscope decode --hex '82 03 01 68 69'     bytes to frames\n\n";
    for (std::string_view group : {"LOOK", "OFFLINE", "HELP"}) {
        std::string names;
        for (const CommandSpec& command : commands()) {
            if (command.group == group) names += " " + std::string(command.name);
        }
        if (!names.empty()) out += padded(std::string(group), 9) + names + "\n";
    }
    out +=
        "\n  -o FMT  -f FILTER  --reveal LIST  --color WHEN    all: hopscope help options\n"
        "Payload and credentials are masked unless you ask:    hopscope help secrets\n";
    return out;
}

std::string help_page(const CommandSpec& command) {
    std::string out = "hopscope " + std::string(command.name) +
                      (command.arguments.empty() ? "" : " " + std::string(command.arguments)) + "\n  " +
                      std::string(command.summary) + "\n\n";
    for (std::string_view example : command.examples) out += "  " + std::string(example) + "\n";
    if (!command.formats.empty()) {
        out += "\n  -o";
        for (std::string_view format : command.formats) out += " " + std::string(format);
        out += "\n";
    }
    if (!command.options.empty()) out += "\n";
    for (const OptionSpec& option : command.options) out += option_line(option);
    std::string more;
    for (const OptionSpec& option : global_options())
        if (option.for_some && takes(command, option))
            more += (more.empty() ? "" : " ") + ("--" + std::string(option.name));
    if (!more.empty()) out += "\nAlso: " + more;
    out += "\nAll commands: hopscope help options\n";
    return out;
}

int run_help(const Invocation& invocation) {
    if (invocation.arguments.empty()) {
        std::fputs(overview_page().c_str(), stdout);
        return kDone;
    }
    const std::string& name = invocation.arguments.front();
    std::string page;
    if (const CommandSpec* command = find_command(name)) page = help_page(*command);
    if (name == "options") page = options_topic();
    if (name == "filter") page = kFilterTopic;
    if (name == "secrets") page = kSecretsTopic;
    if (name == "exit-codes") page = kExitTopic;
    if (name == "hops") page = kHopsTopic;
    if (name == "codes") page = codes_list() + "\nOne of them: hopscope doctor CODE\n";
    if (name == "config") page = config_topic(invocation);
    if (const CodePage* code = find_code(name)) page = code_page(*code);
    if (page.empty()) {
        report_error(Error{.doing = "there is no help on",
                           .subject = name,
                           .why = "",
                           .hint = "topics: options filter secrets exit-codes hops codes config; or a command's name",
                           .code = "USE-01"});
        return kUsage;
    }
    std::fputs(page.c_str(), stdout);
    return kDone;
}

int run_version(const Invocation&) {
    std::printf("hopscope %s\n", HOPSCOPE_VERSION);
    return kDone;
}

}  // namespace hopscope::cli
