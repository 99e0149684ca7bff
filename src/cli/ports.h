// What `hopscope ports` and `hopscope why` show: the choice among the judged listeners.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "chain/filter.h"
#include "chain/verdict.h"
#include "cli/command_line.h"

namespace hopscope::cli {

struct PortChoice {
    bool all = false;  // else those of node components, and what there is a finding about
    bool tcp = true, udp = false, unix_sockets = true;
    std::string min_sure = "low";
    std::function<bool(std::uint64_t)> shows_namespace;  // null: every one
    std::function<bool(const chain::Verdict&)> filter;   // null: every one
};

// --filter over listeners, for every command that shows some: the same rows, whatever is drawn of them.
class PortFilter {
public:
    // Without --filter: one that shows everything. FLT-… for one that cannot be read.
    static Result<PortFilter> of(const Invocation& invocation);

    [[nodiscard]] bool given() const { return filter_.has_value(); }
    bool matches(const chain::Verdict& verdict);
    // That it was asked, and left nothing. Else empty.
    [[nodiscard]] std::string explain_no_match() const;

private:
    std::optional<chain::Filter> filter_;
};

// Part of a Kubernetes node: held by a component, or with a role that only a component has.
bool is_component(const chain::Verdict& verdict);
// Listeners of a kind and a namespace that are looked at at all: what "5 shown of 41" counts.
bool is_considered(const PortChoice& choice, const chain::Verdict& verdict);
bool is_shown(const PortChoice& choice, const chain::Verdict& verdict);
// What --probe asks where no port is named: the TCP listeners that are shown, whatever --filter and --min-sure leave of
// them (both may be about the answer). Of programs that are no part of a node only those that nothing explains surely:
// no question without need. Those that nothing explains come first. Nothing whose owner cannot be seen: it may be the
// kernel's own, or another container's, and is asked by name only.
std::vector<Endpoint> worth_asking(const PortChoice& choice, const chain::Judgement& judgement);
// How many of the listed ones were left out for that.
std::size_t count_without_owner(const PortChoice& choice, const chain::Judgement& judgement);
// The verdicts that are shown, and the findings that belong to them or to none. What is left out of the findings is
// about listeners that are not shown, those of another kind or network namespace among them. The filter is asked once
// of each listener.
chain::Judgement chosen(const PortChoice& choice, const chain::Judgement& judgement);

}  // namespace hopscope::cli
