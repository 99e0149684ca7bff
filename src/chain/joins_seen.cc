#include "chain/joins_seen.h"

#include <algorithm>

#include "chain/exec_choice.h"
#include "chain/join_words.h"
#include "core/limits.h"

namespace hopscope::chain {
namespace {

// The start of a process is counted in hundredths of a second.
constexpr std::int64_t kTickNs = 10'000'000;

bool is_own(const Chain& chain, const Session& session) {
    return std::find(chain.sessions.begin(), chain.sessions.end(), session.number) != chain.sessions.end();
}

bool may_have_started(const Session& session) {
    return session.op == Op::exec && session.state != SessionState::refused && session.state != SessionState::cut;
}

}  // namespace

void SeenBook::read(std::span<const hopscope::Process> processes,
                    const std::function<Timestamp(const ProcessId&)>& begun) {
    const auto find = [&](std::uint32_t pid) -> const hopscope::Process* {
        const auto at = std::find_if(processes.begin(), processes.end(),
                                     [&](const hopscope::Process& each) { return each.id.pid == pid; });
        return at == processes.end() ? nullptr : &*at;
    };
    std::vector<ProcessId> now;
    for (const hopscope::Process& each : processes) {
        if (each.container_id.empty()) continue;
        now.push_back(each.id);
        if (first_ || std::binary_search(known_.begin(), known_.end(), each.id)) continue;
        const hopscope::Process* parent = find(each.parent_pid);
        if (parent && !parent->container_id.empty()) continue;  // what a process in the container started
        Seen fresh{.id = each.id,
                   .started = begun(each.id),
                   .comm = each.comm,
                   .exe = each.exe,
                   .container_id = each.container_id,
                   .pod_uid = each.pod_uid,
                   .starter = {}};
        if (parent) fresh.starter = Process{.pid = parent->id.pid, .comm = parent->comm, .exe = parent->exe};
        if (seen_.size() >= limits::kBookProgramsMax) seen_.pop_front();
        seen_.push_back(std::move(fresh));
    }
    std::sort(now.begin(), now.end());
    known_ = std::move(now);
    first_ = false;
}

std::vector<const SeenBook::Seen*> SeenBook::choices(const Session& session) const {
    const StartWindow window = start_window(session);
    std::vector<const Seen*> found;
    for (const Seen& each : seen_) {
        if (each.started + Duration{kTickNs} < window.from || each.started > window.to) continue;
        if (!session.container.id.empty() && session.container.id != each.container_id) continue;
        found.push_back(&each);
    }
    return found;
}

bool SeenBook::complete(Chain& chain, std::span<const std::unique_ptr<Session>> all) const {
    if (chain.op != Op::exec || seen_.empty()) return false;
    const Session* session = nullptr;
    for (const auto& each : all) {
        if (is_own(chain, *each) && may_have_started(*each) && (!session || session->hop < each->hop))
            session = each.get();
    }
    if (!session) return false;
    const std::vector<const Seen*> mine = choices(*session);
    if (mine.empty()) return false;
    std::size_t rivals = 0;
    for (const auto& other : all) {
        if (is_own(chain, *other) || !may_have_started(*other)) continue;
        const std::vector<const Seen*> theirs = choices(*other);
        rivals += std::any_of(theirs.begin(), theirs.end(), [&](const Seen* each) {
            return std::find(mine.begin(), mine.end(), each) != mine.end();
        });
    }
    const auto process = [](const Seen& seen) {
        return Process{.pid = seen.id.pid, .comm = seen.comm, .exe = seen.exe};
    };
    if (mine.size() > 1 || rivals > 0) {
        for (const Seen* each : mine) {
            if (chain.candidates.size() >= limits::kBookCandidatesMax) break;
            std::string says = who(process(*each)) + " was started in container " +
                               display(each->container_id.raw().substr(0, 12)) +
                               " about then, and so were " +  // raw-ok: through display()
                               std::to_string(mine.size() - 1) + " others";
            if (rivals > 0) says += "; " + std::to_string(rivals) + " other sessions could have started it";
            chain.candidates.push_back(said(Grade::inferred, std::move(says), "process"));
        }
        return false;
    }
    const Seen& only = *mine.front();
    const bool in_its_container = !session->container.id.empty();
    Hop hop;
    hop.kind = HopKind::process;
    hop.grade = in_its_container ? Grade::seen : Grade::inferred;
    if (only.starter.pid != 0) hop.from = only.starter;
    hop.to = process(only);
    hop.start = std::max(only.started, session->start);
    hop.evidence.push_back(
        said(Grade::decoded,
             "its control group is " + (in_its_container ? std::string("the container's")
                                                         : "container " + display(only.container_id.raw().substr(
                                                                              0, 12))),  // raw-ok: through display()
             "cgroup"));
    hop.evidence.push_back(said(hop.grade,
                                "the only process that was started in " +
                                    std::string(in_its_container ? "the container" : "any container") + " within " +
                                    std::to_string(kStartWithinNs / kNanosecondsPerSecond) +
                                    " s of the request and lived until the node's processes were read",
                                "start"));
    if (chain.container.id.empty()) {
        chain.container.id = only.container_id;
        if (chain.k8s.uid.empty()) chain.k8s.uid = only.pod_uid;
    }
    chain.hops.push_back(std::move(hop));
    return true;
}

}  // namespace hopscope::chain
