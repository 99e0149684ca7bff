#include <algorithm>

#include "chain/verdict_proof.h"
#include "cli/ports.h"
#include "export/ports_text.h"

namespace hopscope::cli {

using chain::Judgement;
using chain::Verdict;

bool is_component(const Verdict& verdict) {
    if (!verdict.role.empty() && verdict.role != "unknown") return true;
    return std::any_of(verdict.owners.begin(), verdict.owners.end(), [](const chain::Owner& owner) {
        return !owner.process_role.empty() && owner.process_role != "container";
    });
}

bool is_considered(const PortChoice& choice, const Verdict& verdict) {
    const bool kind = verdict.transport == Transport::tcp   ? choice.tcp
                      : verdict.transport == Transport::udp ? choice.udp
                                                            : choice.unix_sockets;
    return kind && (!choice.shows_namespace || choice.shows_namespace(verdict.net_namespace));
}

bool is_shown(const PortChoice& choice, const Verdict& verdict) {
    // What is suspicious is shown whoever it belongs to: a program that only looks like a component is nobody's.
    return is_considered(choice, verdict) && (choice.all || is_component(verdict) || !verdict.findings.empty()) &&
           chain::sure_named(verdict.confidence) >= chain::sure_named(choice.min_sure) &&
           (!choice.filter || choice.filter(verdict));
}

Judgement chosen(const PortChoice& choice, const Judgement& judgement) {
    Judgement shown;
    for (const Verdict& verdict : judgement.verdicts)
        if (is_shown(choice, verdict)) shown.verdicts.push_back(verdict);
    const auto any_about = [](const std::vector<Verdict>& verdicts, const chain::Finding& finding) {
        return std::any_of(verdicts.begin(), verdicts.end(),
                           [&](const Verdict& verdict) { return exports::is_about(finding, verdict); });
    };
    for (const chain::Finding& finding : judgement.findings)
        if (any_about(shown.verdicts, finding) || !any_about(judgement.verdicts, finding))
            shown.findings.push_back(finding);
    return shown;
}

}  // namespace hopscope::cli
