// What the answers to --probe tell: the fingerprint of a CRI streaming server, or that it is none.
#include "chain/verdict_draft.h"
#include "chain/verdict_rules.h"

namespace hopscope::chain {
namespace {

const ProbeAnswer::Line* find_line(const ProbeAnswer& answer, std::string_view request) {
    for (const ProbeAnswer::Line& line : answer.lines)
        if (line.request == request) return &line;
    return nullptr;
}

bool allows_get_and_post(const Untrusted& allow) {
    const std::string& text = allow.raw();
    return text.find("GET") != std::string::npos && text.find("POST") != std::string::npos;
}

// All three answers together are the fingerprint (the router of k8s.io/kubelet/pkg/cri/streaming).
bool is_streaming(const ProbeAnswer& answer, const std::string& prefix) {
    const auto* put = find_line(answer, "PUT " + prefix + "/exec/x");
    const auto* root = find_line(answer, "GET /");
    const auto* get = find_line(answer, "GET " + prefix + "/exec/x");
    return put && root && get && put->status == 405 && allows_get_and_post(put->allow) &&
           put->body.raw().starts_with("405: Method Not Allowed") && root->status == 404 &&
           root->body.raw().starts_with("404: Page Not Found") && get->status == 404 && get->nosniff &&
           get->body.raw().starts_with("404 page not found");
}

// What came back where no fingerprint fits: also that is worth telling.
void take_other_answer(Listener& listener, const ProbeAnswer& answer) {
    if (answer.lines.empty()) {
        listener.probed = answer.tls ? evidence(Grade::seen, "probe", "it speaks TLS: nothing more was asked")
                                     : evidence(Grade::inferred, "probe", answer.trouble);
        return;
    }
    std::string says;
    for (const ProbeAnswer::Line& line : answer.lines)
        says += (says.empty() ? "" : "; ") + line.request + ": " + std::to_string(line.status);
    // The router of a streaming server answers 405 to PUT on its own paths, whatever its version.
    const auto* plain = find_line(answer, "PUT /exec/x");
    const auto* below = find_line(answer, "PUT /cri/exec/x");
    listener.answers_otherwise = plain && below && plain->status != 405 && below->status != 405;
    // Nor has any a page at "/": after such an answer the probe asks nothing more.
    const auto* root = find_line(answer, "GET /");
    if (!plain && root && root->status != 404) listener.answers_otherwise = true;
    says += listener.answers_otherwise ? ": no CRI streaming server answers so"
                                       : ": not quite as a CRI streaming server answers";
    listener.probed = evidence(Grade::decoded, "probe", std::move(says));
}

}  // namespace

void draft_from_probe(Listener& listener, const NodeIndex& index) {
    for (const ProbeAnswer& answer : index.node().probes) {
        if (answer.endpoint != listener.socket->local || !listener.in_host_namespace) continue;
        if (!is_streaming(answer, "") && !is_streaming(answer, "/cri")) take_other_answer(listener, answer);
        for (const std::string& prefix : {std::string(), std::string("/cri")}) {
            if (!is_streaming(answer, prefix)) continue;
            const StreamingRule* rule = listener.owner ? streaming_rule(listener.owner->role) : nullptr;
            Draft draft{.role = std::string(kStreamingRole), .component = std::string(rule ? rule->component : "")};
            draft.proof.holder = holder_of(listener, rule != nullptr);
            draft.proof.probe = true;
            draft.tls = answer.tls;
            std::string says = "PUT ";
            says.append(prefix).append("/exec/x: 405 with Allow: GET, POST; GET /: 404; GET ").append(prefix);
            says.append("/exec/x: 404 with nosniff: so answers a CRI streaming server");
            draft.evidence.push_back(evidence(Grade::decoded, "probe", std::move(says)));
            add_draft(listener.drafts, std::move(draft));
        }
    }
}

}  // namespace hopscope::chain
