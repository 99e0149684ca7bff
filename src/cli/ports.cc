// hopscope ports [WHAT…] and hopscope why WHAT…: every listener of the node's components, or the long explanation.
#include "cli/ports.h"

#include <unistd.h>

#include <algorithm>
#include <memory>
#include <set>

#include "cli/commands.h"
#include "cli/node_reader.h"
#include "cli/offline.h"
#include "cli/ports_match.h"
#include "cli/ports_watch.h"
#include "cli/report_error.h"
#include "cli/reveal_options.h"
#include "core/untrusted.h"
#include "export/ports_json.h"
#include "export/ports_text.h"

namespace hopscope::cli {
namespace {

using chain::Judgement;
using chain::Verdict;

struct PortsRun {
    PortChoice choice;
    std::vector<PortQuery> queries;
    PortFilter filter;
    std::unique_ptr<Offline> capture;  // --with
    std::unique_ptr<NodeReader> reader;
    exports::Style style;
    bool kinds_named = false;

    [[nodiscard]] const chain::Model* traffic() const { return capture ? &capture->model() : nullptr; }
};

Error usage(std::string why, std::string hint) {
    return {.doing = "", .subject = "", .why = std::move(why), .hint = std::move(hint), .code = "USE-01"};
}

// What --probe asks: what answers the questions, else what is listed and worth it.
std::vector<Endpoint> to_probe(const PortsRun& run, const Node& node) {
    PortChoice choice = run.choice;
    choice.shows_namespace = [&](std::uint64_t inode) { return run.reader->shows_namespace(inode, node); };
    const Judgement judgement = chain::judge(node, run.traffic());
    if (run.queries.empty()) return worth_asking(choice, judgement);
    std::vector<Endpoint> places;
    for (const PortQuery& query : run.queries)
        for (const Verdict* verdict : find_listeners(query, judgement.verdicts, node.table))
            if (verdict->transport == Transport::tcp && is_considered(choice, *verdict))
                places.push_back(verdict->local);
    return places;
}

Status prepare_choice(PortsRun& run, const Invocation& invocation) {
    PortChoice& choice = run.choice;
    choice.all = invocation.on("all") || !run.queries.empty();
    const bool tcp = invocation.on("tcp"), udp = invocation.on("udp"), unix_sockets = invocation.on("unix");
    if (unix_sockets && invocation.on("no-unix"))
        return unexpected(usage("--unix and --no-unix contradict each other", "give one of them"));
    run.kinds_named = tcp || udp || unix_sockets;
    if (run.kinds_named) {
        choice.tcp = tcp;
        choice.udp = udp;
        choice.unix_sockets = unix_sockets;
    } else if (!run.queries.empty()) {
        choice.udp = true;  // who asks for a port means it, whatever it speaks
    }
    if (invocation.on("no-unix")) choice.unix_sockets = false;
    choice.min_sure = invocation.text("min-sure");
    auto filter = PortFilter::of(invocation);
    if (!filter) return unexpected(filter.error());
    run.filter = std::move(*filter);
    if (run.filter.given()) choice.filter = [&run](const Verdict& verdict) { return run.filter.matches(verdict); };
    return Done{};
}

Status prepare(PortsRun& run, const Invocation& invocation) {
    for (const std::string& argument : invocation.arguments) {
        auto query = parse_query(argument);
        if (!query) return unexpected(query.error());
        run.queries.push_back(std::move(*query));
    }
    if (auto choice = prepare_choice(run, invocation); !choice) return choice;
    run.style = {.glyphs = glyphs_of(invocation), .colour = colour_of(invocation), .columns = terminal_columns()};
    if (invocation.given("with")) {
        OfflineOptions options = offline_options(invocation);
        options.files = invocation.all("with");
        auto capture = Offline::open(options);
        if (!capture) return unexpected(capture.error());
        run.capture = std::move(*capture);
        run.capture->run();
    }
    NodeRequest request;
    request.probe = invocation.on("probe");
    request.probe_choice = [&run](const Node& node) { return to_probe(run, node); };
    for (const PortQuery& query : run.queries)
        if (query.kind == PortQuery::Kind::path && query.path.starts_with('/'))
            request.socket_paths.push_back(query.path);
    request.refreshed = invocation.given("watch");
    auto reader = NodeReader::open(invocation, std::move(request));
    if (!reader) return unexpected(reader.error());
    run.reader = std::move(*reader);
    for (PortQuery& query : run.queries) {
        if (query.kind != PortQuery::Kind::path || !query.path.starts_with('/')) continue;
        if (const auto numbers = run.reader->root().stat(query.path)) {
            query.file_device = numbers->device;
            query.file_inode = numbers->inode;
        }
    }
    return Done{};
}

exports::NodeFacts facts_of(const Node& node, std::size_t listening, std::size_t findings_hidden) {
    return {.at = node.table.at,
            .booted = node.table.booted,
            .method = node.table.method,
            .limits = limits_of(node),
            .listening = listening,
            .owners_unknown = node.table.owners_unknown,
            .findings_hidden = findings_hidden};
}

std::size_t count_listening(const PortChoice& choice, const Judgement& judgement) {
    return static_cast<std::size_t>(
        std::count_if(judgement.verdicts.begin(), judgement.verdicts.end(),
                      [&](const Verdict& verdict) { return is_considered(choice, verdict); }));
}

// A listener of the port that only another network namespace has.
std::string elsewhere(const PortQuery& query, const Judgement& judgement, const Node& node, const NodeReader& reader) {
    for (const Verdict* verdict : find_listeners(query, judgement.verdicts, node.table)) {
        if (reader.shows_namespace(verdict->net_namespace, node)) continue;
        std::string text = exports::listens_on(*verdict, Glyphs::unicode) +
                           " listens in another network namespace, held by " +
                           exports::owner_words(*verdict, Glyphs::unicode);
        if (!verdict->owners.empty() && !verdict->owners.front().k8s.pod.empty())
            text += " of pod " + display(verdict->owners.front().k8s.namespace_) + "/" +
                    display(verdict->owners.front().k8s.pod);
        return text;
    }
    return "";
}

// Every network namespace, for what was not found in the one that was asked for. Nothing: it is no other picture, or
// cannot be taken.
std::optional<Node> take_everywhere(const Invocation& invocation, const NodeReader& reader) {
    if (!reader.root().is_live() || invocation.text("netns") == "all") return std::nullopt;
    auto all = NodeReader::open(invocation, {.all_net_namespaces = true});
    if (!all) return std::nullopt;
    auto node = (*all)->take();
    if (!node) return std::nullopt;
    return std::move(*node);
}

void report_nothing(const PortQuery& query, const Judgement& judgement, const Judgement& considered, const Node& node,
                    const NodeReader& reader) {
    NotListening told = explain_not_listening(query, considered.verdicts, node.table);
    if (const std::string other = elsewhere(query, judgement, node, reader); !other.empty()) {
        told.why = other;
        told.hint = "hopscope why " + display(query.text) + " --netns all";
    }
    report_error({.doing = "nothing to explain at",
                  .subject = query.text,
                  .why = told.why,
                  .hint = told.hint,
                  .code = "NOD-01"});
}

int explain(PortsRun& run, const Invocation& invocation, const Node& node, const Judgement& judgement) {
    Judgement considered = chosen(run.choice, judgement);
    Judgement shown;
    std::set<const Verdict*> taken;
    std::vector<const PortQuery*> missing;
    for (const PortQuery& query : run.queries) {
        const auto found = find_listeners(query, considered.verdicts, node.table);
        if (found.empty()) missing.push_back(&query);
        for (const Verdict* verdict : found)
            if (taken.insert(verdict).second) shown.verdicts.push_back(*verdict);
    }
    if (!missing.empty()) {
        const std::optional<Node> everywhere = take_everywhere(invocation, *run.reader);
        const Node& widest = everywhere ? *everywhere : node;
        const Judgement of_all = everywhere ? chain::judge(*everywhere, run.traffic()) : judgement;
        for (const PortQuery* query : missing) report_nothing(*query, of_all, considered, widest, *run.reader);
        if (invocation.format() != "json") report_limits(widest);  // why it may be there all the same
    }
    for (const chain::Finding& finding : considered.findings)
        if (std::any_of(shown.verdicts.begin(), shown.verdicts.end(),
                        [&](const Verdict& verdict) { return chain::is_about(finding, verdict); }))
            shown.findings.push_back(finding);
    exports::FdOutput out(STDOUT_FILENO, "standard output");
    if (invocation.format() == "json") {
        exports::write_ports_json(out, shown, facts_of(node, count_listening(run.choice, judgement), 0));
    } else {
        for (std::size_t i = 0; i < shown.verdicts.size(); ++i) {
            if (i > 0) out.append('\n');
            exports::write_why_text(out, shown.verdicts[i], shown.findings, run.style);
        }
        const bool unowned = std::any_of(shown.verdicts.begin(), shown.verdicts.end(),
                                         [](const Verdict& verdict) { return verdict.owners.empty(); });
        out.flush();
        if (unowned && missing.empty())
            report_limits(node);
        else if (invocation.on("probe"))
            report_limits(node, "probe");
    }
    return finish(out, missing.empty() ? kDone : kNothingMatched);
}

int list(PortsRun& run, const Invocation& invocation, const Node& node, const Judgement& judgement) {
    const Judgement shown = chosen(run.choice, judgement);
    const std::size_t listening = count_listening(run.choice, judgement);
    const std::size_t hidden = judgement.findings.size() - shown.findings.size();
    exports::FdOutput out(STDOUT_FILENO, "standard output");
    if (invocation.format() == "json") {
        exports::write_ports_json(out, shown, facts_of(node, listening, hidden));
    } else if (!shown.verdicts.empty()) {
        exports::write_ports_text(out, shown,
                                  {.style = run.style,
                                   .header = !invocation.on("no-header"),
                                   .listening = listening,
                                   .findings_hidden = hidden,
                                   .since_boot = invocation.on("since-boot"),
                                   .booted = node.table.booted});
    }
    out.flush();
    if (invocation.format() != "json") report_limits(node);
    if (!shown.verdicts.empty()) return finish(out, kDone);
    if (const std::string why = run.filter.explain_no_match(); !why.empty()) {
        report_note(why, "");
        return finish(out, kNothingMatched);
    }
    if (!run.choice.all) {
        report_note("no listener of a kubelet or container runtime among " + std::to_string(listening) +
                        "; --all shows everybody's",
                    "K8S-01");
        return finish(out, kNothingMatched);
    }
    report_note("nothing listens that could be shown", "NOD-01");
    return finish(out, kNothingMatched);
}

int failed(const Error& error) {
    report_error(error);
    const int code = exit_code(error);
    const bool forbidden = error.errno_value == EACCES || error.errno_value == EPERM;
    return code == kFailed && forbidden ? static_cast<int>(kNotPermitted) : code;
}

}  // namespace

int run_ports(const Invocation& invocation) {
    PortsRun run;
    if (auto prepared = prepare(run, invocation); !prepared) return failed(prepared.error());
    if (invocation.given("watch")) {
        const auto interval = watch_interval(invocation.text("watch"));
        if (!interval) return failed(interval.error());
        run.choice.shows_namespace = nullptr;  // set by the watch for each picture
        return watch_ports({.reader = *run.reader,
                            .choice = run.choice,
                            .queries = run.queries,
                            .traffic = run.traffic(),
                            .style = run.style,
                            .ndjson = invocation.format() != "text",
                            .interval_ms = *interval,
                            .ebpf = invocation.text("ebpf")});
    }
    if (invocation.format() == "ndjson")
        return failed(usage("-o ndjson goes with --watch", "hopscope ports -o json, or add --watch"));
    auto node = run.reader->take();
    if (!node) return failed(node.error());
    run.choice.shows_namespace = [&](std::uint64_t net_namespace) {
        return run.reader->shows_namespace(net_namespace, *node);
    };
    const Judgement judgement = chain::judge(*node, run.traffic());
    if (const std::size_t unowned = count_without_owner(run.choice, judgement);
        unowned > 0 && invocation.on("probe") && run.queries.empty())
        node->limits.push_back(std::to_string(unowned) + (unowned == 1 ? " listener was" : " listeners were") +
                               " not asked by --probe, as the owner cannot be seen; hopscope why PORT --probe asks one "
                               "by name");
    return run.queries.empty() ? list(run, invocation, *node, judgement) : explain(run, invocation, *node, judgement);
}

}  // namespace hopscope::cli
