// The hop to a session's process: by the shim's answer, or by what was started when and with which arguments.
#include <algorithm>

#include "chain/join_words.h"
#include "chain/process_book.h"
#include "core/limits.h"

namespace hopscope::chain {
namespace {

// Arguments are cut by the kernel side from here on.
constexpr std::size_t kArgumentBytesSeen = 512;

bool same_arguments(const std::vector<Untrusted>& seen, const std::vector<Untrusted>& command) {
    std::size_t bytes = 0;
    for (const Untrusted& word : seen) bytes += word.size() + 1;
    if (bytes < kArgumentBytesSeen) return seen == command;
    // Cut: the words but the last must be the same, and the last is the beginning of its word. That is no proof.
    return false;
}

bool is_of(const Chain& chain, const Session& session) {
    return std::find(chain.sessions.begin(), chain.sessions.end(), session.number) != chain.sessions.end();
}

void compare_exit(Chain& chain, Hop& hop, const Session& session, int exit_code) {
    const std::string ended = "ended with " + std::to_string(exit_code);
    const bool agrees = session.exit_code && *session.exit_code == exit_code;
    hop.evidence.push_back(said(Grade::decoded, ended + (agrees ? ", as the session says" : ""), "exit"));
    if (session.exit_code && !agrees)
        chain.contradictions.push_back(said(
            Grade::decoded,
            who(*hop.to) + " " + ended + ", " + session.id() + " says " + std::to_string(*session.exit_code), "exit"));
}

// Of what a container's main process ran in its life: what was there during the session, and what stands above it.
std::vector<RanProcess> while_it_lasted(const std::vector<RanProcess>& all, const Session& session) {
    std::vector<bool> wanted(all.size());
    for (std::size_t i = all.size(); i-- > 0;) {
        const bool before = all[i].end && *all[i].end < session.start;
        const bool after = session.end < all[i].start;
        wanted[i] = wanted[i] || i == 0 || (!before && !after);
        if (wanted[i]) wanted[all[i].parent] = true;  // a parent stands before its children
    }
    std::vector<RanProcess> kept;
    std::vector<std::uint32_t> places(all.size());
    for (std::size_t i = 0; i < all.size(); ++i) {
        if (!wanted[i]) continue;
        places[i] = static_cast<std::uint32_t>(kept.size());
        kept.push_back(all[i]);
        kept.back().parent = places[all[i].parent];
    }
    return kept;
}

// By the shim's answer alone: no start was seen.
Hop answered_hop(const StartedProcess& started, const Session& session) {
    Hop hop;
    hop.kind = HopKind::process;
    hop.from = Process{.pid = started.shim_pid, .comm = {}, .exe = {}};
    hop.to = Process{.pid = started.pid, .comm = {}, .exe = {}};
    hop.start = started.at.ns != 0 && !started.attached ? started.at : session.start;
    return hop;
}

}  // namespace

std::vector<ProcessBook::ProgramChoice> ProcessBook::choices(const Session& session) const {
    std::vector<ProgramChoice> found;
    const StartWindow window = start_window(session);
    auto at = std::lower_bound(programs_.begin(), programs_.end(), window.from,
                               [](const Program& program, Timestamp time) { return program.started() < time; });
    for (; at != programs_.end() && at->started() <= window.to; ++at) {
        if (at->already || session.container.id != at->container_id) continue;
        const bool same = !session.command.empty() &&
                          std::any_of(at->starts.begin(), at->starts.end(),
                                      [&](const auto& words) { return same_arguments(words, session.command); });
        found.push_back({&*at, same});
    }
    prefer_arguments(found);
    return found;
}

std::optional<ProcessBook::Root> ProcessBook::root_of(const Session& session,
                                                      const std::optional<StartedProcess>& started,
                                                      std::span<const std::unique_ptr<Session>> all) const {
    if (started) {
        const Program* program = find(started->pid, session.container.id.raw());
        if (!program) return std::nullopt;
        return by_pid_.at(started->pid);
    }
    if (session.op != Op::exec || session.container.id.empty() || session.state == SessionState::refused ||
        session.state == SessionState::cut)
        return std::nullopt;
    const std::vector<ProgramChoice> mine = choices(session);
    if (mine.size() != 1) return std::nullopt;
    const auto is_own = [&](const Session& other) {
        return other.number == session.number || other.hop != session.hop;
    };
    if (rivals(mine, session, all, is_own, [this](const Session& other) { return choices(other); }) > 0)
        return std::nullopt;
    return by_pid_.at(mine.front().item->id.pid);
}

void ProcessBook::add_hop(Chain& chain, const Session& session, const Program& program, bool by_arguments) const {
    const std::optional<StartedProcess>& answer = chain.started;
    const RanProcess& self = program.ran.front();
    Hop hop;
    hop.kind = HopKind::process;
    hop.grade = answer || by_arguments ? Grade::decoded : Grade::seen;
    hop.from = program.above ? *program.above : program.starter;
    hop.to = self.process;
    hop.start = self.start;
    if (self.end) hop.took = *self.end - self.start;
    if (answer)
        hop.evidence.push_back(said(Grade::decoded,
                                    answer->attached ? "the shim told that it is the container's main process"
                                                     : "the shim answered Start with its pid",
                                    "pid"));
    hop.evidence.push_back(said(Grade::decoded, "its control group is the container's", "cgroup"));
    if (by_arguments)
        hop.evidence.push_back(said(Grade::decoded, "its arguments are the command of the session", "arguments"));
    if (self.start >= session.start)
        hop.evidence.push_back(
            said(Grade::seen, "started " + milliseconds(self.start - session.start) + " after the request", "start"));
    hop.evidence.push_back(said(
        Grade::seen,
        "started by " + who(program.starter) + (program.above ? ", a child of " + who(*program.above) : ""), "parent"));
    hop.ran = answer && answer->attached ? while_it_lasted(program.ran, session) : program.ran;
    hop.ran_dropped = program.ran_dropped;
    if (self.exit_code) compare_exit(chain, hop, session, *self.exit_code);
    chain.hops.push_back(std::move(hop));
}

void ProcessBook::complete(Chain& chain, std::span<const std::unique_ptr<Session>> all) const {
    if (chain.op != Op::exec && chain.op != Op::attach) return;
    const Session* session = nearest_to_runtime(chain, all);
    // One that was joined late started its process before we looked.
    if (!session || session->state == SessionState::cut) return;
    if (chain.started) {
        const Program* program = find(chain.started->pid, session->container.id.raw());
        const bool by_arguments = program && chain.op == Op::exec && !session->command.empty() &&
                                  std::any_of(program->starts.begin(), program->starts.end(), [&](const auto& words) {
                                      return same_arguments(words, session->command);
                                  });
        if (program) return add_hop(chain, *session, *program, by_arguments);
        Hop hop = answered_hop(*chain.started, *session);
        hop.grade = Grade::decoded;
        hop.evidence.push_back(said(Grade::decoded,
                                    chain.started->attached ? "the shim told that it is the container's main process"
                                                            : "the shim answered Start with its pid",
                                    "pid"));
        if (chain.started->exit_code && !chain.started->attached)
            compare_exit(chain, hop, *session, *chain.started->exit_code);
        chain.hops.push_back(std::move(hop));
        return;
    }
    if (chain.op != Op::exec) return;
    const std::vector<ProgramChoice> mine = choices(*session);
    if (mine.empty()) return;
    const std::size_t others = rivals(
        mine, *session, all, [&](const Session& other) { return is_of(chain, other); },
        [this](const Session& other) { return choices(other); });
    if (mine.size() == 1 && others == 0) return add_hop(chain, *session, *mine.front().item, mine.front().by_arguments);
    for (const ProgramChoice& choice : mine) {
        if (chain.candidates.size() >= limits::kBookCandidatesMax) break;
        std::string says = who(choice.item->ran.front().process) + " was started in the container " +
                           milliseconds(choice.item->started() - session->start) + " after the request, and so were " +
                           std::to_string(mine.size() - 1) + " others";
        if (others > 0) says += "; " + std::to_string(others) + " other sessions could have started it";
        chain.candidates.push_back(said(Grade::inferred, std::move(says), "process"));
    }
}

}  // namespace hopscope::chain
