// The hop to a process that was there before the first event.
#include <algorithm>
#include <iterator>

#include "chain/join_words.h"
#include "chain/process_book.h"

namespace hopscope::chain {

ProcessBook::Root ProcessBook::ran_already(const std::string& container_id, const hopscope::chain::Process& starter,
                                           std::span<const RunningProcess> tree, Timestamp now) {
    Program program;
    program.already = true;
    program.id = tree.front().id;
    program.container_id = container_id;
    program.starter = starter;
    const std::size_t kept = std::min(tree.size(), limits::kBookRanPerProgramMax);
    program.ran_dropped = static_cast<std::uint32_t>(tree.size() - kept);
    Program& fresh = add(std::move(program));
    for (std::size_t i = 0; i < kept; ++i) {
        const auto place = static_cast<std::uint32_t>(i);
        fresh.ran.push_back(tree[i].ran);
        fresh.steps.push_back({.place = place, .exit = false, .already = true, .at = now});
        Parent& self = remember_parent(tree[i].id.pid, {.container_id = container_id,
                                                        .parent_pid = tree[i].parent_pid,
                                                        .comm = tree[i].ran.process.comm,
                                                        .ended = {},
                                                        .start_ticks = tree[i].id.start_ticks});
        self.root = programs_seen();
        self.place = place;
        self.listed = true;
    }
    ran_kept_ += kept - 1;
    return by_pid_.at(tree.front().id.pid);
}

void ProcessBook::complete_late(Chain& chain, const Session& session, Root root, std::uint32_t pid,
                                std::vector<Evidence> why) const {
    if (const Program* program = at(root)) {
        add_hop(chain, session, *program, false);
    } else {
        Hop& hop = chain.hops.emplace_back();
        hop.kind = HopKind::process;
        hop.grade = Grade::seen;
        hop.to = Process{.pid = pid, .comm = {}, .exe = {}};
        hop.start = session.start;
    }
    std::vector<Evidence>& evidence = chain.hops.back().evidence;
    std::move(why.begin(), why.end(), std::back_inserter(evidence));
    evidence.push_back(said(Grade::seen, "it ran already when hopscope began to look", "late"));
}

}  // namespace hopscope::chain
