#include <algorithm>

#include "chain/verdict_proof.h"
#include "cli/ports.h"
#include "export/ports_text.h"

namespace hopscope::cli {

using chain::Judgement;
using chain::Verdict;

Result<PortFilter> PortFilter::of(const Invocation& invocation) {
    PortFilter made;
    if (!invocation.given("filter")) return made;
    auto filter = chain::Filter::parse(invocation.text("filter"));
    if (!filter) return unexpected(filter.error());
    made.filter_ = std::move(*filter);
    return made;
}

bool PortFilter::matches(const Verdict& verdict) {
    if (!filter_) return true;
    const chain::PortFact fact = chain::port_fact(verdict);
    return filter_->matches(chain::row_of(verdict, fact));
}

std::string PortFilter::explain_no_match() const {
    return filter_ && filter_->rows() > 0 ? filter_->explain_no_match() : "";
}

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

namespace {

// What is suspicious is shown whoever it belongs to: a program that only looks like a component is nobody's.
bool is_listed(const PortChoice& choice, const Verdict& verdict) {
    return is_considered(choice, verdict) && (choice.all || is_component(verdict) || !verdict.findings.empty());
}

}  // namespace

bool is_shown(const PortChoice& choice, const Verdict& verdict) {
    return is_listed(choice, verdict) && chain::sure_named(verdict.confidence) >= chain::sure_named(choice.min_sure) &&
           (!choice.filter || choice.filter(verdict));
}

std::vector<Endpoint> worth_asking(const PortChoice& choice, const Judgement& judgement) {
    std::vector<Endpoint> unclear, clear;
    for (const Verdict& verdict : judgement.verdicts) {
        if (verdict.transport != Transport::tcp || verdict.owners.empty() || !is_listed(choice, verdict)) continue;
        const bool sure = chain::is_sure(verdict.confidence);
        if (!sure)
            unclear.push_back(verdict.local);
        else if (is_component(verdict))
            clear.push_back(verdict.local);
    }
    unclear.insert(unclear.end(), clear.begin(), clear.end());
    return unclear;
}

std::size_t count_without_owner(const PortChoice& choice, const Judgement& judgement) {
    return static_cast<std::size_t>(
        std::count_if(judgement.verdicts.begin(), judgement.verdicts.end(), [&](const Verdict& verdict) {
            return verdict.transport == Transport::tcp && verdict.owners.empty() && is_listed(choice, verdict);
        }));
}

Judgement chosen(const PortChoice& choice, const Judgement& judgement) {
    Judgement shown;
    for (const Verdict& verdict : judgement.verdicts)
        if (is_shown(choice, verdict)) shown.verdicts.push_back(verdict);
    const auto any_about = [](const std::vector<Verdict>& verdicts, const chain::Finding& finding) {
        return std::any_of(verdicts.begin(), verdicts.end(),
                           [&](const Verdict& verdict) { return chain::is_about(finding, verdict); });
    };
    for (const chain::Finding& finding : judgement.findings)
        if (any_about(shown.verdicts, finding) || !any_about(judgement.verdicts, finding))
            shown.findings.push_back(finding);
    return shown;
}

}  // namespace hopscope::cli
