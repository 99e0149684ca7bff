#include "procmap/survey.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <map>
#include <set>

#include "core/limits.h"
#include "core/node_words.h"
#include "procmap/config/config.h"
#include "procmap/kernel_numbers.h"
#include "procmap/names/arguments.h"
#include "procmap/names/ask.h"
#include "procmap/names/execs.h"
#include "procmap/own_addresses.h"
#include "procmap/probe.h"
#include "procmap/runtimes.h"
#include "procmap/socket_files.h"

namespace hopscope::procmap {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kAskAgainAfter{10};  // a runtime that gave no answer

std::uint64_t namespace_of_link(const Result<std::string>& link) { return link ? namespace_inode(*link, "net") : 0; }

void read_port_range(const HostRoot& root, Node& node) {
    const Result<std::string> text = root.read("/proc/sys/net/ipv4/ip_local_port_range", 64);
    if (!text) return;
    std::uint16_t low = 0, high = 0;
    const char* end = text->data() + text->size();
    const auto first = std::from_chars(text->data(), end, low);
    const char* at = first.ptr;
    while (at < end && (*at == ' ' || *at == '\t')) ++at;
    const auto second = std::from_chars(at, end, high);
    if (first.ec != std::errc() || second.ec != std::errc() || low == 0 || high < low) return;
    node.ephemeral_low = low;
    node.ephemeral_high = high;
}

std::vector<Endpoint> listeners_of_components(const SocketTable& table) {
    std::vector<Endpoint> listeners;
    for (const Socket& socket : table.sockets) {
        if (socket.transport != Transport::tcp || socket.state != SocketState::listen) continue;
        const bool of_component = std::ranges::any_of(socket.owners, [&](const SocketOwner& owner) {
            const Process* process = find_process(table, owner.process.pid);
            return process && is_component(process->role);
        });
        if (of_component) listeners.push_back(socket.local);
    }
    std::ranges::sort(listeners);
    return listeners;
}

// TCP listeners that a connection to loopback ends at, made from where we are, with their inodes.
std::map<Endpoint, std::uint64_t> reached_by_loopback(const SocketTable& table, std::uint64_t own_namespace) {
    std::map<Endpoint, std::uint64_t> reached;
    for (const Socket& socket : table.sockets) {
        if (socket.transport != Transport::tcp || socket.state != SocketState::listen) continue;
        if (!socket.local.address.is_loopback() && !socket.local.address.is_unspecified()) continue;
        if (socket.net_namespace != 0 && own_namespace != 0 && socket.net_namespace != own_namespace) continue;
        reached.emplace(socket.local, socket.inode);
    }
    return reached;
}

void tell_not_asked(Node& node, std::size_t count, const std::string& why) {
    if (count > 0)
        node.limits.push_back(std::to_string(count) + (count == 1 ? " listener was" : " listeners were") +
                              " not asked by --probe: " + why);
}

std::set<std::string> container_ids(const SocketTable& table) {
    std::set<std::string> ids;
    for (const Process& process : table.processes) {
        if (ids.size() >= limits::kCriNamesMax) break;
        if (!process.container_id.empty()) ids.insert(process.container_id.raw());
        if (process.role != ProcessRole::containerd_shim) continue;
        if (const std::optional<ShimArguments> shim = shim_arguments(process)) ids.insert(shim->id);
    }
    return ids;
}

// Of two tellers of one id the first counts; what it left open is filled in by the others.
class NameBook {
public:
    void add(ContainerNames names) {
        const auto [place, made] = places_.try_emplace(names.id, all_.size());
        if (made) {
            all_.push_back(std::move(names));
            return;
        }
        ContainerNames& known = all_[place->second];
        if (known.sandbox_id.empty()) known.sandbox_id = std::move(names.sandbox_id);
        if (known.runtime.empty()) known.runtime = std::move(names.runtime);
        if (known.name.empty()) known.name = std::move(names.name);
        if (known.pod.empty()) known.pod = std::move(names.pod);
        if (known.namespace_.empty()) known.namespace_ = std::move(names.namespace_);
        if (known.pod_uid.empty()) known.pod_uid = std::move(names.pod_uid);
    }
    std::vector<ContainerNames> take() && {
        std::ranges::sort(all_, {}, &ContainerNames::id);
        return std::move(all_);
    }

private:
    std::map<std::string, std::size_t> places_;
    std::vector<ContainerNames> all_;
};

// What a runtime that gave no names costs the reader, and what to do about it. Safe to show.
std::string names_missing(const RuntimeFacts& facts) {
    std::string text = facts.component.empty() ? "the runtime" : display(facts.component);
    text += " at " + display(facts.socket_path);
    if (facts.waited_ms != 0)
        return text + " was asked and did not answer within " + std::to_string(facts.waited_ms) +
               " ms: names of its pods and containers are missing; see whether it is stopped (state T in ps) or "
               "overloaded";
    const bool forbidden = facts.why_not.find("Permission denied") != std::string::npos;
    return text + " gave no names of pods and containers (" + facts.why_not + ")" + (forbidden ? ": run as root" : "");
}

}  // namespace

struct Survey::State {
    State(ReaderOptions reader_options, SurveyOptions survey_options)
        : root(reader_options.root), options(std::move(survey_options)), reader(std::move(reader_options)) {}

    struct Settings {
        std::vector<Untrusted> cmdline;
        ComponentConfig config;
        std::vector<FileSeen> depends_on;
    };

    void read_settings(Node& node);
    void ask_for_names(Node& node);
    void fill_names(Node& node) const;
    void probe_listeners(Node& node);

    HostRoot root;
    SurveyOptions options;
    TableReader reader;
    bool running = root.has_real_proc();  // its sockets and ports are those of this machine

    std::map<ProcessId, Settings> settings;
    std::map<std::pair<Endpoint, std::uint64_t>, ProbeAnswer> probed;  // by place and inode: each is asked once
    // What the runtimes said last, and what they were asked about.
    std::vector<RuntimeAnswer> answers;
    std::set<std::pair<std::string, std::uint64_t>> asked_sockets;
    std::set<std::string> asked_ids;
    Clock::time_point asked_at{};
};

Survey::Survey(ReaderOptions reader, SurveyOptions options)
    : state_(std::make_unique<State>(std::move(reader), std::move(options))) {}
Survey::~Survey() = default;

void Survey::State::read_settings(Node& node) {
    std::map<ProcessId, Settings> now;
    for (const Process& process : node.table.processes) {
        if (!has_config(process)) continue;
        const auto known = settings.find(process.id);
        const bool holds =
            known != settings.end() && known->second.config.role == process.role &&
            known->second.cmdline == process.cmdline &&
            std::ranges::all_of(known->second.depends_on, [&](const FileSeen& seen) { return unchanged(root, seen); });
        Settings& kept = now[process.id];
        if (holds) {
            kept = std::move(known->second);
        } else {
            kept.cmdline = process.cmdline;
            kept.config = read_config(root, process, &kept.depends_on);
        }
        node.configs.push_back(kept.config);
    }
    settings = std::move(now);
    std::ranges::sort(node.configs, {}, &ComponentConfig::process);
}

void Survey::State::ask_for_names(Node& node) {
    RuntimeChoice choice = choose_runtimes(root, node.table, node.configs, node.socket_files);
    if (!options.ask_runtimes || !running) return;
    std::set<std::pair<std::string, std::uint64_t>> sockets;
    std::vector<RuntimeSocket> to_ask;
    std::vector<std::uint64_t> inodes;
    for (RuntimeChoice::Candidate& candidate : choice.ask) {
        sockets.emplace(candidate.socket.path, candidate.inode);
        inodes.push_back(candidate.inode);
        to_ask.push_back(std::move(candidate.socket));
    }
    std::set<std::string> ids = container_ids(node.table);
    const bool new_ids = !std::ranges::includes(asked_ids, ids);
    const bool gave_up = std::ranges::any_of(answers, [](const RuntimeAnswer& a) { return !a.facts.answered; });
    const bool wait_over = Clock::now() - asked_at > kAskAgainAfter;
    if (sockets != asked_sockets || (new_ids && (!gave_up || wait_over)) || (gave_up && wait_over)) {
        answers = ask_runtimes(to_ask, std::chrono::milliseconds(options.runtime_timeout_ms));
        for (std::size_t i = 0; i < answers.size(); ++i) answers[i].facts.socket_inode = inodes[i];
        asked_at = Clock::now();
        asked_sockets = std::move(sockets);
        asked_ids = std::move(ids);
    }
    for (const RuntimeAnswer& answer : answers) node.runtimes.push_back(answer.facts);
    for (const RuntimeFacts& facts : node.runtimes)
        if (!facts.why_not.empty() && !facts.has_no_cri) node.limits.push_back(names_missing(facts));
    for (RuntimeFacts& facts : choice.not_asked) node.runtimes.push_back(std::move(facts));
}

void Survey::State::fill_names(Node& node) const {
    NameBook book;
    if (options.ask_runtimes)
        for (const RuntimeAnswer& answer : answers)
            for (const ContainerNames& names : answer.containers) book.add(names);
    for (ContainerNames& names : names_from_processes(node.table)) book.add(std::move(names));
    node.containers = std::move(book).take();
}

void Survey::State::probe_listeners(Node& node) {
    if (!options.probe) return;
    if (!running) {
        node.limits.emplace_back("nothing was probed: the root is not that of a running node");
        return;
    }
    const std::uint64_t own = namespace_of_link(root.read_link("/proc/self/ns/net"));
    if (own == 0 && !root.is_live()) {
        node.limits.emplace_back("nothing was probed: whether we are in the node's network namespace is not known");
        return;
    }
    const std::map<Endpoint, std::uint64_t> reached = reached_by_loopback(node.table, own);
    std::set<Endpoint> elsewhere, taken;
    std::size_t too_many = 0;
    std::map<std::pair<Endpoint, std::uint64_t>, ProbeAnswer> known;
    std::vector<Endpoint> ask;
    for (const Endpoint& each :
         options.probe_choice ? options.probe_choice(node) : listeners_of_components(node.table)) {
        const auto place = reached.find(each);
        if (place == reached.end()) {
            elsewhere.insert(each);
        } else if (!taken.insert(each).second) {
            continue;
        } else if (const auto before = probed.find(*place); before != probed.end()) {
            known.insert(*before);
        } else if (known.size() + ask.size() >= limits::kProbesMax) {
            ++too_many;
        } else {
            ask.push_back(each);
        }
    }
    tell_not_asked(node, elsewhere.size(),
                   elsewhere.size() == 1
                       ? "it listens on another address than loopback, or in another network namespace"
                       : "they listen on other addresses than loopback, or in other network namespaces");
    tell_not_asked(node, too_many,
                   "no more than " + std::to_string(limits::kProbesMax) +
                       " are asked; hopscope why PORT --probe asks one by name");
    for (ProbeAnswer& answer : probe(ask)) known.insert_or_assign(*reached.find(answer.endpoint), std::move(answer));
    probed = std::move(known);
    for (const auto& [place, answer] : probed) node.probes.push_back(answer);
}

Result<Node> Survey::take() {
    State& state = *state_;
    Result<SocketTable> table = state.reader.read();
    if (!table) return unexpected(std::move(table.error()));
    Node node;
    node.table = std::move(*table);
    // At once: an exec is judged by the connections in the table, and one that began later has none there.
    node.execs = running_execs(state.root, node.table);
    const Result<std::string> net = state.root.read_link("/proc/1/ns/net");
    node.host_net_namespace = namespace_of_link(net);
    if (const Process* first = find_process(node.table, 1); first && node.host_net_namespace == 0)
        node.host_net_namespace = first->net_namespace;
    // A guarded process 1 may not be looked at even by root. Kernel threads live in the first network namespace.
    if (const Process* second = find_process(node.table, 2);
        second && node.host_net_namespace == 0 && second->comm == "kthreadd" && second->exe.empty())
        node.host_net_namespace = namespace_of_link(state.root.read_link("/proc/2/ns/net"));
    if (node.host_net_namespace == 0)
        node.limits.emplace_back("the node's network namespace is not known (/proc/1/ns/net: " +
                                 (net ? std::string("unreadable") : net.error().why) +
                                 "): run as root, or with CAP_SYS_PTRACE and the host's pid namespace");
    // Only where we live in the node's network namespace: another one has addresses of its own.
    if (state.running && node.host_net_namespace != 0 &&
        node.host_net_namespace == namespace_of_link(state.root.read_link("/proc/self/ns/net")))
        node.addresses = own_addresses();
    read_port_range(state.root, node);
    state.read_settings(node);
    SocketPlaces places = socket_files(state.root, node.configs, node.table, state.options.socket_paths);
    node.socket_files = std::move(places.files);
    node.bound_paths = std::move(places.bound);
    state.ask_for_names(node);
    state.fill_names(node);
    state.probe_listeners(node);
    return node;
}

}  // namespace hopscope::procmap
