#include <map>

#include "export/graph_text.h"
#include "export/human.h"
#include "export/mermaid_text.h"
#include "export/ports_text.h"

namespace hopscope::exports {

using chain::Graph;
using chain::GraphEdge;
using chain::GraphNode;

namespace {

// The lines of a node's box.
std::vector<std::string> box_lines(const GraphNode& node) {
    std::vector<std::string> lines;
    if (node.kind == GraphNode::Kind::process && node.process.pid != 0) {
        lines.push_back(process_words(node.process, Glyphs::unicode));
        if (!node.process_role.empty() && !(node.process.comm == node.process_role))
            lines.push_back(display(node.process_role));
        const std::string pod = pod_name(node.k8s, Glyphs::unicode);
        if (!pod.empty()) lines.push_back(pod);
    } else {
        lines.push_back(display(node.label));
        if (node.kind == GraphNode::Kind::exec) {
            const std::string pod = pod_name(node.k8s, Glyphs::unicode);
            lines.push_back("container " + display(std::string_view(node.container_id).substr(0, 12)));
            if (!pod.empty()) lines.push_back(pod);
        }
        if (!node.role.empty())
            lines.push_back(display(role_name(node.role)) + (node.confidence.empty() ? "" : ", " + node.confidence));
    }
    return lines;
}

std::string edge_words(const GraphEdge& edge) {
    std::string text = edge.says.empty() ? std::string(to_string(edge.kind)) : display(edge.says);
    if (edge.count > 1) text += " ×" + std::to_string(edge.count);
    return text;
}

// Inside a quoted string of the DOT language only the quote and the backslash are special, and a backslash begins an
// escape of Graphviz's own (\N, \l): both are escaped.
std::string dot_text(std::string_view printable) {
    std::string out;
    for (const char c : printable) {
        if (c == '"' || c == '\\') out += '\\';
        out += c;
    }
    return out;
}

std::string_view dot_shape(GraphNode::Kind kind) {
    switch (kind) {
        case GraphNode::Kind::process: return "box";
        case GraphNode::Kind::listener: return "ellipse";
        case GraphNode::Kind::remote: return "plaintext";
        case GraphNode::Kind::exec: return "note";
    }
    return "box";
}

// Ids hold addresses and paths; diagrams get plain numbers.
std::map<std::string, std::string, std::less<>> short_ids(const Graph& graph) {
    std::map<std::string, std::string, std::less<>> ids;
    for (const GraphNode& node : graph.nodes) ids.try_emplace(node.id, "n" + std::to_string(ids.size() + 1));
    return ids;
}

}  // namespace

void write_graph_dot(Output& out, const Graph& graph) {
    const auto ids = short_ids(graph);
    out.append(
        "digraph hopscope {\n  rankdir=LR;\n  node [fontname=\"sans-serif\"];\n  edge [fontname=\"sans-serif\", "
        "fontsize=10];\n");
    for (const GraphNode& node : graph.nodes) {
        std::string label;
        for (const std::string& line : box_lines(node)) label += (label.empty() ? "" : "\\n") + dot_text(line);
        out.append("  " + ids.at(node.id) + " [shape=" + std::string(dot_shape(node.kind)) + ", label=\"" + label +
                   "\"];\n");
    }
    for (const GraphEdge& edge : graph.edges) {
        const auto from = ids.find(edge.from), to = ids.find(edge.to);
        if (from == ids.end() || to == ids.end()) continue;
        const bool quiet = edge.kind == GraphEdge::Kind::listens || edge.kind == GraphEdge::Kind::parent;
        out.append("  " + from->second + " -> " + to->second + " [label=\"" + dot_text(edge_words(edge)) + "\"" +
                   (quiet ? ", style=dashed" : "") + "];\n");
    }
    out.append("}\n");
}

void write_graph_mermaid(Output& out, const Graph& graph) {
    const auto ids = short_ids(graph);
    out.append("flowchart LR\n");
    for (const GraphNode& node : graph.nodes) {
        std::string label;
        for (const std::string& line : box_lines(node)) label += (label.empty() ? "" : "<br/>") + mermaid_text(line);
        const char* open = node.kind == GraphNode::Kind::listener ? "([\""
                           : node.kind == GraphNode::Kind::remote ? "{{\""
                                                                  : "[\"";
        const char* close = node.kind == GraphNode::Kind::listener ? "\"])"
                            : node.kind == GraphNode::Kind::remote ? "\"}}"
                                                                   : "\"]";
        out.append("  " + ids.at(node.id) + open + label + close + "\n");
    }
    for (const GraphEdge& edge : graph.edges) {
        const auto from = ids.find(edge.from), to = ids.find(edge.to);
        if (from == ids.end() || to == ids.end()) continue;
        const bool quiet = edge.kind == GraphEdge::Kind::listens || edge.kind == GraphEdge::Kind::parent;
        out.append("  " + from->second + (quiet ? " -.->" : " -->") + "|\"" + mermaid_text(edge_words(edge)) + "\"| " +
                   to->second + "\n");
    }
}

}  // namespace hopscope::exports
