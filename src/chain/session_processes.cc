#include "chain/session_processes.h"

#include <algorithm>

#include "chain/find_session.h"
#include "core/limits.h"

namespace hopscope::chain {
namespace {

// As long as a chain waits before it is told.
constexpr std::int64_t kSettleNs = 2 * kNanosecondsPerSecond;
constexpr std::int64_t kTidyPauseNs = kNanosecondsPerSecond / 4;

std::uint32_t depth_of(std::span<const RanProcess> ran, std::uint32_t place) {
    std::uint32_t depth = 0;
    for (; place != 0; place = ran[place].parent) ++depth;  // a parent stands before its children
    return depth;
}

}  // namespace

void SessionProcesses::opened(const Session& session) {
    // The hop that ends at the runtime speaks for the action; other hops would tell the same once more.
    // Docker's own API is the only hop where its client is the user's.
    if ((session.hop != HopKind::runtime && session.hop != HopKind::shim) || session.op != Op::exec) return;
    if (watched_.size() >= limits::kLiveWaitingMax) watched_.pop_front();
    watched_.push_back({.session = session.number, .root = {}, .told = 0, .seen = 0});
}

void SessionProcesses::joined_late(std::uint32_t session, ProcessBook::Root root) {
    if (watched_.size() >= limits::kLiveWaitingMax) watched_.pop_front();
    watched_.push_back({.session = session, .root = root, .told = 0, .seen = 0});
}

void SessionProcesses::look(Builder& builder, const ProcessBook& book, Timestamp now, const Tell& tell) {
    if (watched_.empty()) return;
    const Model& model = builder.model();
    const std::uint64_t signs = book.programs_seen() + builder.shim_starts();
    for (Watched& each : watched_) {
        // Mostly nothing has happened since the last look, some hundred times a second.
        if (each.root ? each.told >= book.steps(*each.root).size() : each.seen == signs) continue;
        const Session* session = find_session(model.sessions, each.session);
        if (!session) continue;
        if (!each.root) {
            each.root = book.root_of(*session, builder.started(*session), model.sessions);
            each.seen = signs;
        }
        if (!each.root) continue;
        const std::span<const RanProcess> ran = book.ran(*each.root);
        const std::span<const RanStep> steps = book.steps(*each.root);
        for (; each.told < steps.size(); ++each.told) {
            const RanStep& step = steps[each.told];
            if (step.place >= ran.size()) continue;
            const RanProcess& process = ran[step.place];
            tell(*session, {.exit = step.exit,
                            .already = step.already,
                            .at = step.at,
                            .process = &process,
                            .parent_pid = step.place == 0 ? 0 : ran[process.parent].process.pid,
                            .depth = depth_of(ran, step.place)});
        }
    }
    if (now >= tidied_at_ && (now - tidied_at_).ns < kTidyPauseNs) return;
    tidied_at_ = now;
    std::erase_if(watched_, [&](const Watched& each) {
        const Session* session = find_session(model.sessions, each.session);
        return !session || (session->over && (now - session->end).ns > kSettleNs);
    });
}

}  // namespace hopscope::chain
