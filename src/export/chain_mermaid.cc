#include <algorithm>
#include <array>

#include "export/chain_text.h"
#include "export/human.h"
#include "export/mermaid_text.h"

namespace hopscope::exports {

using chain::Chain;
using chain::Hop;
using chain::HopKind;
using chain::Session;

namespace {

// Who asks and who answers at a hop, as names of participants.
struct Ends {
    const char* from;
    const char* to;
};

Ends ends_of(HopKind kind) {
    switch (kind) {
        case HopKind::apiserver: return {"client", "apiserver"};
        case HopKind::kubelet: return {"apiserver", "kubelet"};
        case HopKind::cri: return {"kubelet", "runtime"};
        case HopKind::runtime: return {"kubelet", "runtime"};
        case HopKind::shim: return {"runtime", "shim"};
        case HopKind::process: return {"shim", "process"};
        case HopKind::unknown: return {"client", "server"};
    }
    return {"client", "server"};
}

constexpr std::array<const char*, 7> kParticipants = {"client", "apiserver", "kubelet", "runtime",
                                                      "shim",   "process",   "server"};

std::string participant_title(std::string_view name, const Chain& chain) {
    if (name == "client" && !chain.user_agent.empty()) {
        const std::string agent = display(chain.user_agent);
        return agent.substr(0, agent.find(' '));
    }
    if (name == "runtime" && !chain.container.runtime.empty()) return chain.container.runtime;
    if (name == "process") {
        const std::string pod = pod_name(chain.k8s, Glyphs::unicode);
        if (!pod.empty()) return "process in " + pod;
    }
    return name == "apiserver" ? "API server" : std::string(name);
}

std::string asked(const Hop& hop, const Session* session, const ReportOptions& options) {
    std::string text;
    if (session && !session->method.empty())
        text = display(session->method) + " " + chain::shown_target(session->target, options.reveal) + " ";
    text += hop_link(hop, options.style);
    if (!hop.proto.empty()) text += ", " + display(hop.proto);
    if (session) text += " (" + session->id() + ")";
    return text;
}

std::string answered(const Hop& hop, const Session* session) {
    std::string text = session && session->status != 0 ? std::to_string(session->status) : std::string();
    if (session && session->state != chain::SessionState::refused)
        text += (text.empty() ? "" : ", ") + outcome(*session);
    if (hop.took.ns > 0) text += (text.empty() ? "" : ", ") + short_duration(hop.took);
    if (hop.grade != Grade::decoded) text += (text.empty() ? "" : ", ") + std::string(to_string(hop.grade)) + " only";
    return text.empty() ? "answer" : text;
}

}  // namespace

void write_chain_mermaid(Output& out, const chain::Model& model, const Chain& chain, const ReportOptions& options) {
    const auto line = [&](const std::string& text) {
        out.append("    ");
        out.append(text);
        out.append('\n');
    };
    out.append("sequenceDiagram\n");
    for (const char* name : kParticipants) {
        const bool takes_part = std::any_of(chain.hops.begin(), chain.hops.end(), [&](const Hop& hop) {
            const Ends ends = ends_of(hop.kind);
            return std::string_view(ends.from) == name || std::string_view(ends.to) == name;
        });
        if (takes_part)
            line("participant " + std::string(name) + " as " + mermaid_text(participant_title(name, chain)));
    }
    for (const Hop& hop : chain.hops) {
        const Ends ends = ends_of(hop.kind);
        const Session* session = find_session(model, hop.session);
        // A dashed arrow where the hop is only inferred.
        const char* ask = hop.grade == Grade::inferred ? "-->>" : "->>";
        line(std::string(ends.from) + ask + ends.to + ": " + mermaid_text(asked(hop, session, options)));
        line(std::string(ends.to) + "-->>" + ends.from + ": " + mermaid_text(answered(hop, session)));
    }
}

}  // namespace hopscope::exports
