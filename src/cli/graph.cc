// hopscope graph: processes of the node and the sockets between them.
#include <unistd.h>

#include "chain/node_graph.h"
#include "cli/commands.h"
#include "cli/node_reader.h"
#include "cli/report_error.h"
#include "cli/reveal_options.h"
#include "export/graph_text.h"

namespace hopscope::cli {

int run_graph(const Invocation& invocation) {
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
    const chain::Graph graph = chain::make_graph(*node, judgement, invocation.on("all"));
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
    report_note("no process of a Kubernetes node was found; --all draws every process with a socket that has a peer",
                "K8S-01");
    return kNothingMatched;
}

}  // namespace hopscope::cli
