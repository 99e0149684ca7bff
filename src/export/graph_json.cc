#include "export/graph_text.h"
#include "export/json_model.h"

namespace hopscope::exports {

void write_graph_json(Output& out, const chain::Graph& graph, const NodeFacts& facts) {
    JsonWriter json(out);
    json.begin_object();
    json.text("schema", "hopscope.graph/v1");
    json.time_if("ts", facts.at);
    json.newline();
    json.begin_array("nodes");
    for (const chain::GraphNode& node : graph.nodes) {
        json.newline();
        json.begin_object();
        json.text("id", node.id);
        json.text("kind", to_string(node.kind));
        json.text_if("label", node.label);
        process_member(json, "process", node.process);
        json.text_if("process_role", node.process_role);
        json.text_if("role", node.role);
        json.text_if("confidence", node.confidence);
        container_and_pod(json, node.container_id, node.k8s);
        json.end_object();
    }
    json.end_array();
    json.newline();
    json.begin_array("edges");
    for (const chain::GraphEdge& edge : graph.edges) {
        json.newline();
        json.begin_object();
        json.text("from", edge.from);
        json.text("to", edge.to);
        json.text("kind", to_string(edge.kind));
        json.text("grade", to_string(edge.grade));
        json.text_if("says", edge.says);
        json.number("count", edge.count);
        json.end_object();
    }
    json.end_array();
    json.newline();
    json.begin_array("limits");
    for (const std::string& limit : facts.limits) json.item(display(limit));
    json.end_array();
    json.newline();
    json.text("method", facts.method);
    json.end_object();
    out.append('\n');
}

}  // namespace hopscope::exports
