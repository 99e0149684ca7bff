#include "export/graph_text.h"

#include <algorithm>
#include <map>
#include <set>

#include "export/human.h"
#include "export/ports_text.h"

namespace hopscope::exports {

using chain::Graph;
using chain::GraphEdge;
using chain::GraphNode;

std::string_view to_string(GraphEdge::Kind kind) {
    switch (kind) {
        case GraphEdge::Kind::listens: return "listens";
        case GraphEdge::Kind::connected: return "connected";
        case GraphEdge::Kind::parent: return "parent";
        case GraphEdge::Kind::serves: return "serves";
    }
    return "";
}

std::string_view to_string(GraphNode::Kind kind) {
    switch (kind) {
        case GraphNode::Kind::process: return "process";
        case GraphNode::Kind::listener: return "listener";
        case GraphNode::Kind::remote: return "remote";
        case GraphNode::Kind::exec: return "exec";
    }
    return "";
}

namespace {

// Every process once, with what it listens on, what it is connected to and whose parent it is.
class Outline {
public:
    Outline(Output& out, const Graph& graph, const Style& style) : out_(out), style_(style) {
        for (const GraphNode& node : graph.nodes) nodes_[node.id] = &node;
        for (const GraphEdge& edge : graph.edges) {
            from_[edge.from].push_back(&edge);
            if (edge.kind == GraphEdge::Kind::connected) to_[edge.to].push_back(&edge);
        }
        for (auto& [id, edges] : from_)
            std::stable_sort(edges.begin(), edges.end(),
                             [](const GraphEdge* a, const GraphEdge* b) { return rank(*a) < rank(*b); });
    }

    void write(const Graph& graph) {
        bool first = true;
        for (const GraphNode& node : graph.nodes) {
            if (node.kind != GraphNode::Kind::process) continue;
            if (!first) out_.append('\n');
            first = false;
            line("", heading(node));
            edges(node);
        }
    }

private:
    static int rank(const GraphEdge& edge) {
        switch (edge.kind) {
            case GraphEdge::Kind::listens: return 0;
            case GraphEdge::Kind::serves: return 1;
            case GraphEdge::Kind::connected: return 2;
            case GraphEdge::Kind::parent: return 3;
        }
        return 4;
    }

    [[nodiscard]] bool ascii() const { return style_.glyphs == Glyphs::ascii; }

    void line(const std::string& lead, const std::string& text) {
        const std::string all = lead + text;
        out_.append(style_.columns == 0 ? all : elide_middle(all, style_.columns, style_.glyphs));
        out_.append('\n');
    }

    [[nodiscard]] std::string heading(const GraphNode& node) const {
        std::string text = name(node);
        if (!node.process_role.empty() && !(node.process.comm == node.process_role))
            text += "  " + display(node.process_role, style_.glyphs);
        const std::string pod = pod_name(node.k8s, style_.glyphs);
        if (!pod.empty()) text += "  " + pod;
        if (!node.container_id.empty()) text += "  " + container(node);
        return text;
    }

    [[nodiscard]] std::string container(const GraphNode& node) const {
        return "container " + display(std::string_view(node.container_id).substr(0, 12), style_.glyphs);
    }
    [[nodiscard]] std::string place(const GraphNode& node) const {
        const std::string pod = pod_name(node.k8s, style_.glyphs);
        return container(node) + (pod.empty() ? "" : " (" + pod + ")");
    }

    [[nodiscard]] std::string name(const GraphNode& node) const {
        if (node.kind == GraphNode::Kind::process && node.process.pid != 0)
            return process_words(node.process, style_.glyphs);
        return display(node.label, style_.glyphs);
    }

    [[nodiscard]] std::string_view mark(const GraphEdge& edge) const {
        switch (edge.kind) {
            case GraphEdge::Kind::listens: return "listens on";
            case GraphEdge::Kind::serves: return "serves";
            case GraphEdge::Kind::connected: return ascii() ? "->" : "─▶";
            case GraphEdge::Kind::parent: return "parent of";
        }
        return "";
    }

    void edges(const GraphNode& node) {
        const auto found = from_.find(node.id);
        if (found == from_.end()) {
            line("  ", "(no socket with a peer is seen)");
            return;
        }
        const std::vector<const GraphEdge*>& list = found->second;
        for (std::size_t i = 0; i < list.size(); ++i) {
            const bool last = i + 1 == list.size();
            const std::string branch = ascii() ? (last ? " `- " : " |- ") : (last ? " └─ " : " ├─ ");
            const GraphEdge& edge = *list[i];
            std::string text(mark(edge));
            const auto to = nodes_.find(edge.to);
            text += " " + (to == nodes_.end() ? display(edge.to, style_.glyphs) : name(*to->second));
            if (to != nodes_.end() && to->second->kind == GraphNode::Kind::listener && !to->second->role.empty()) {
                text += "  " + display(role_name(to->second->role), style_.glyphs);
                if (!to->second->confidence.empty()) text += " (" + to->second->confidence + ")";
            }
            if (to != nodes_.end() && to->second->kind == GraphNode::Kind::exec) text += " in " + place(*to->second);
            line(branch, text + details(edge));
            if (edge.kind == GraphEdge::Kind::listens) clients(edge.to, last);
        }
    }

    // Who is connected to a listener, below it.
    void clients(const std::string& listener, bool last) {
        const auto found = to_.find(listener);
        if (found == to_.end()) return;
        for (const GraphEdge* edge : found->second) {
            const auto from = nodes_.find(edge->from);
            std::string text = ascii() ? "<- " : "◀─ ";
            text += from == nodes_.end() ? display(edge->from, style_.glyphs) : name(*from->second);
            line(last ? "       " : ascii() ? " |     " : " │     ", text + details(*edge));
        }
    }

    [[nodiscard]] std::string details(const GraphEdge& edge) const {
        std::string text;
        if (edge.count > 1) text += " " + std::string(style_.times()) + grouped(edge.count);
        if (!edge.says.empty() && edge.kind != GraphEdge::Kind::parent)
            text += "  " + display(edge.says, style_.glyphs);
        if (edge.grade != Grade::decoded) text += " " + std::string(grade_glyph(edge.grade, style_.glyphs));
        return text;
    }

    Output& out_;
    const Style& style_;
    std::map<std::string, const GraphNode*, std::less<>> nodes_;
    std::map<std::string, std::vector<const GraphEdge*>, std::less<>> from_, to_;  // to_: connections only
};

}  // namespace

void write_graph_text(Output& out, const Graph& graph, const Style& style) {
    if (graph.nodes.empty()) {
        out.append(
            "nothing to draw: no component of a Kubernetes node was found; --all draws every process with a socket "
            "that has a peer\n");
        return;
    }
    Outline(out, graph, style).write(graph);
}

}  // namespace hopscope::exports
