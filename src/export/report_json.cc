#include "export/report_json.h"

namespace hopscope::exports {
namespace {

template <typename Items, typename Write>
void section(JsonWriter& json, std::string_view key, const Items& items, Write write) {
    json.newline();
    json.begin_array(key);
    for (const auto& item : items) {
        json.newline();
        write(item);
    }
    json.end_array();
}

}  // namespace

void write_report_json(Output& out, const chain::Model& model, const JsonOptions& options) {
    JsonWriter json(out);
    json.begin_object();
    json.text("schema", "hopscope.report/v1");
    json.newline();
    json.begin_object("capture");
    json.text("version", HOPSCOPE_VERSION);
    capture_members(json, model);
    json.end_object();
    section(json, "ports", model.ports, [&](const chain::PortFact& port) { port_object(json, port); });
    section(json, "sessions", model.sessions, [&](const std::unique_ptr<chain::Session>& session) {
        json.begin_object();
        session_members(json, *session, options);
        json.end_object();
    });
    section(json, "chains", model.chains, [&](const chain::Chain& chain) { chain_object(json, chain, options); });
    section(json, "findings", model.findings, [&](const chain::Finding& finding) {
        json.begin_object();
        finding_members(json, finding, options);
        json.time_if("ts", finding.at);
        json.end_object();
    });
    json.newline();
    loss_member(json, "loss", model.loss);
    json.end_object();
    out.append('\n');
}

}  // namespace hopscope::exports
