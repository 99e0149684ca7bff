// `hopscope graph`: processes and the sockets between them, as an indented text, a Graphviz file, a Mermaid diagram or
// a JSON document hopscope.graph/v1 (`hopscope schema graph`).
//
// Labels hold names and paths of the node: they pass display() and the escapes of the format; nothing of them can end
// a line, a string or open a tag.
#pragma once

#include "chain/node_graph.h"
#include "export/output.h"
#include "export/ports_json.h"
#include "export/style.h"

namespace hopscope::exports {

void write_graph_text(Output& out, const chain::Graph& graph, const Style& style);
// Graphviz: hopscope graph -o dot | dot -Tsvg. Unicode inside, whatever the terminal is.
void write_graph_dot(Output& out, const chain::Graph& graph);
// mermaid.js.org/syntax/flowchart.html
void write_graph_mermaid(Output& out, const chain::Graph& graph);
void write_graph_json(Output& out, const chain::Graph& graph, const NodeFacts& facts);

// "listens" "connected" "parent" "serves"; "process" "listener" "remote".
std::string_view to_string(chain::GraphEdge::Kind kind);
std::string_view to_string(chain::GraphNode::Kind kind);

}  // namespace hopscope::exports
