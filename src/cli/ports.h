// What `hopscope ports` and `hopscope why` show: the choice among the judged listeners.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "chain/verdict.h"

namespace hopscope::cli {

struct PortChoice {
    bool all = false;  // else those of node components, and what there is a finding about
    bool tcp = true, udp = false, unix_sockets = true;
    std::string min_sure = "low";
    std::function<bool(std::uint64_t)> shows_namespace;  // null: every one
    std::function<bool(const chain::Verdict&)> filter;   // null: every one
};

// Part of a Kubernetes node: held by a component, or with a role that only a component has.
bool is_component(const chain::Verdict& verdict);
// Listeners of a kind and a namespace that are looked at at all: what "5 shown of 41" counts.
bool is_considered(const PortChoice& choice, const chain::Verdict& verdict);
bool is_shown(const PortChoice& choice, const chain::Verdict& verdict);
// The verdicts that are shown, and the findings that belong to them or to none. What is left out of the findings is
// about listeners that are not shown, those of another kind or network namespace among them. The filter is asked once
// of each listener.
chain::Judgement chosen(const PortChoice& choice, const chain::Judgement& judgement);

}  // namespace hopscope::cli
