// hopscope graph: processes of the node and the sockets between them.
#include <unistd.h>

#include "chain/node_graph.h"
#include "cli/commands.h"
#include "cli/node_reader.h"
#include "cli/ports.h"
#include "cli/report_error.h"
#include "cli/reveal_options.h"
#include "export/graph_text.h"

namespace hopscope::cli {

int run_graph(const Invocation& invocation) {
    auto filter = PortFilter::of(invocation);
    if (!filter) {
        report_error(filter.error());
        return exit_code(filter.error());
    }
    // Sockets of pods belong to the picture, where their namespaces may be entered.
    auto reader = NodeReader::open(invocation, {.all_net_namespaces = invocation.on("all")});
    if (!reader) {
        report_error(reader.error());
        return exit_code(reader.error());
    }
    const auto node = (*reader)->take();
    if (!node) {
        report_error(node.error());
        return exit_code(node.error());
    }
    const chain::Judgement judgement = chain::judge(*node, nullptr);
    chain::GraphChoice choice{.all = invocation.on("all")};
    PortChoice rows{.all = choice.all, .udp = true, .shows_namespace = nullptr, .filter = nullptr};
    if (filter->given()) {
        // With --all the picture holds every namespace, unless one was asked for.
        if (!choice.all || invocation.given("netns"))
            rows.shows_namespace = [&](std::uint64_t inode) { return (*reader)->shows_namespace(inode, *node); };
        rows.filter = [&](const chain::Verdict& verdict) { return filter->matches(verdict); };
        choice.listeners = [&](const chain::Verdict& verdict) { return is_shown(rows, verdict); };
    }
    const chain::Graph graph = chain::make_graph(*node, judgement, choice);
    exports::FdOutput out(STDOUT_FILENO, "standard output");
    const std::string format = invocation.format();
    if (format == "json") {
        exports::write_graph_json(out, graph,
                                  {.at = node->table.at, .method = node->table.method, .limits = limits_of(*node)});
    } else if (format == "dot") {
        exports::write_graph_dot(out, graph);
    } else if (format == "mermaid") {
        exports::write_graph_mermaid(out, graph);
    } else if (!graph.nodes.empty()) {
        exports::write_graph_text(
            out, graph,
            {.glyphs = glyphs_of(invocation), .colour = colour_of(invocation), .columns = terminal_columns()});
    }
    if (const int code = finish(out, kDone); code != kDone) return code;
    if (format != "json") report_limits(*node);
    if (!graph.nodes.empty()) return kDone;
    if (const std::string why = filter->explain_no_match(); !why.empty()) {
        report_note(why, "");
        return kNothingMatched;
    }
    report_note("no process of a Kubernetes node was found; --all draws every process with a socket that has a peer",
                "K8S-01");
    return kNothingMatched;
}

}  // namespace hopscope::cli
