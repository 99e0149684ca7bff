#include "chain/process_book.h"

#include <algorithm>
#include <string_view>

#include "chain/join_words.h"
#include "core/limits.h"

namespace hopscope::chain {
namespace {

// A node under load needs seconds to start a program; later ones are started by something else.
constexpr std::int64_t kStartWithinNs = 5 * kNanosecondsPerSecond;
// Packets and process events are stamped by two clocks that are set against each other.
constexpr std::int64_t kClockSlackNs = 5'000'000;
// Arguments are cut by the kernel side from here on.
constexpr std::size_t kArgumentBytesSeen = 512;
constexpr std::size_t kContainerIdDigits = 64;
// The kernel tells that a process ends before it gives its children away; after that its number may be another's.
constexpr std::int64_t kChildrenNs = kNanosecondsPerSecond;

bool is_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }

// "cri-containerd-<id>.scope", "crio-<id>", "<id>": a run of exactly 64 digits.
std::string container_id_of(const std::vector<Untrusted>& cgroup_names) {
    for (const Untrusted& each : cgroup_names) {
        const std::string& name = each.raw();
        std::size_t run = 0;
        for (std::size_t i = 0; i <= name.size(); ++i) {
            if (i < name.size() && is_hex(name[i])) {
                ++run;
                continue;
            }
            if (run == kContainerIdDigits) return name.substr(i - run, run);
            run = 0;
        }
    }
    return {};
}

// A runtime's helper that goes on inside of the container before it becomes the program: "/proc/self/exe init".
bool is_runtime_step(const ProcessEvent& event) {
    const std::string_view file = event.filename.raw();
    return event.cmdline.size() == 2 && event.cmdline[1] == "init" &&
           (file.starts_with("/proc/self/") || file.starts_with("/dev/fd/") || file.starts_with("/memfd:"));
}

// Lives as long as its containers; anything else outside of them that starts a program inside is there for one exec.
bool is_shim(const Untrusted& comm) { return comm == "containerd-shim" || comm == "conmon"; }

bool same_arguments(const std::vector<Untrusted>& seen, const std::vector<Untrusted>& command) {
    std::size_t bytes = 0;
    for (const Untrusted& word : seen) bytes += word.size() + 1;
    if (bytes < kArgumentBytesSeen) return seen == command;
    // Cut: the words but the last must be the same, and the last is the beginning of its word. That is no proof.
    return false;
}

// The one that stands nearest to the runtime speaks for the chain.
const Session* nearest(const Chain& chain, std::span<const std::unique_ptr<Session>> all) {
    const Session* best = nullptr;
    for (const auto& session : all) {
        if (std::find(chain.sessions.begin(), chain.sessions.end(), session->number) == chain.sessions.end()) continue;
        if (session->container.id.empty() || session->state == SessionState::refused) continue;
        if (!best || best->hop < session->hop) best = session.get();
    }
    return best;
}

}  // namespace

void ProcessBook::on(const ProcessEvent& event) {
    if (event.kind == ProcessEvent::Kind::exec)
        started(event);
    else
        ended(event);
}

ProcessBook::Program* ProcessBook::find(const ProcessId& id) {
    const auto place = by_pid_.find(id.pid);
    if (place == by_pid_.end()) return nullptr;
    Program& program = programs_[place->second - forgotten_];
    return program.id == id ? &program : nullptr;
}

ProcessBook::Program& ProcessBook::add(Program program) {
    if (programs_.size() >= limits::kBookProgramsMax) {
        const auto oldest = by_pid_.find(programs_.front().id.pid);
        if (oldest != by_pid_.end() && oldest->second == forgotten_) by_pid_.erase(oldest);
        programs_.pop_front();
        ++forgotten_;
    }
    by_pid_[program.id.pid] = forgotten_ + programs_.size();
    return programs_.emplace_back(std::move(program));
}

void ProcessBook::remember_parent(std::uint32_t pid, Parent parent) {
    if (!parents_.insert_or_assign(pid, std::move(parent)).second) return;
    parents_order_.push_back(pid);
    if (parents_order_.size() <= limits::kBookParentsMax) return;
    parents_.erase(parents_order_.front());
    parents_order_.pop_front();
}

void ProcessBook::know(const hopscope::Process& process) {
    if (const auto known = parents_.find(process.id.pid); known != parents_.end() && !known->second.ended) return;
    remember_parent(process.id.pid, {process.container_id.raw(), process.parent_pid, process.comm, {}});
}

const ProcessBook::Parent* ProcessBook::parent_at(std::uint32_t pid, Timestamp at) const {
    const auto known = parents_.find(pid);
    if (known == parents_.end()) return nullptr;
    const std::optional<Timestamp>& ended = known->second.ended;
    return ended && (at - *ended).ns > kChildrenNs ? nullptr : &known->second;
}

void ProcessBook::started(const ProcessEvent& event) {
    std::string container_id = container_id_of(event.cgroup_names);
    if (!container_id.empty() && !is_runtime_step(event)) {
        Program* program = find(event.process);
        const Parent* parent = parent_at(event.parent_pid, event.at);
        // What was started by a process inside is no exec of the runtime; of a parent that nobody knows it is not told.
        if (!program && parent && parent->container_id != container_id) {
            Program fresh;
            fresh.id = event.process;
            fresh.container_id = container_id;
            fresh.started = event.at;
            fresh.starter = Process{.pid = event.parent_pid, .comm = parent->comm, .exe = {}};
            if (!is_shim(parent->comm)) {
                fresh.above = Process{.pid = parent->parent_pid, .comm = {}, .exe = {}};
                if (const Parent* above = parent_at(parent->parent_pid, event.at)) fresh.above->comm = above->comm;
            }
            program = &add(std::move(fresh));
        }
        if (program) {
            program->comm = event.comm;
            program->filename = event.filename;
            if (program->starts.size() < limits::kBookStartsMax) program->starts.push_back(event.cmdline);
        }
    }
    remember_parent(event.process.pid, {std::move(container_id), event.parent_pid, event.comm, {}});
}

void ProcessBook::ended(const ProcessEvent& event) {
    if (const auto parent = parents_.find(event.process.pid); parent != parents_.end()) parent->second.ended = event.at;
    Program* program = find(event.process);
    if (!program) return;
    program->ended = event.at;
    program->exit_code = event.exit_code;
}

std::vector<ProcessBook::Choice> ProcessBook::choices(const Session& session) const {
    std::vector<Choice> found;
    const std::int64_t from = session.start.ns - kClockSlackNs;
    std::int64_t to = session.start.ns + kStartWithinNs;
    if (session.over) to = std::min(to, session.end.ns + kClockSlackNs);
    auto at = std::lower_bound(programs_.begin(), programs_.end(), from,
                               [](const Program& program, std::int64_t ns) { return program.started.ns < ns; });
    bool by_arguments = false;
    for (; at != programs_.end() && at->started.ns <= to; ++at) {
        if (session.container.id != at->container_id) continue;
        const bool same = !session.command.empty() &&
                          std::any_of(at->starts.begin(), at->starts.end(),
                                      [&](const auto& words) { return same_arguments(words, session.command); });
        found.push_back({&*at, same});
        by_arguments = by_arguments || same;
    }
    // A script runs as its interpreter, with other arguments: only where none is the same the others count.
    if (by_arguments) std::erase_if(found, [](const Choice& choice) { return !choice.by_arguments; });
    return found;
}

void ProcessBook::complete(Chain& chain, std::span<const std::unique_ptr<Session>> all) const {
    if (chain.op != Op::exec) return;
    const Session* session = nearest(chain, all);
    // One that was joined late started its process before we looked.
    if (!session || session->state == SessionState::cut) return;
    const std::vector<Choice> mine = choices(*session);
    if (mine.empty()) return;

    std::size_t rivals = 0;
    for (const auto& other : all) {
        if (other->op != Op::exec || other->state == SessionState::refused ||
            other->container.id != session->container.id)
            continue;
        if (std::find(chain.sessions.begin(), chain.sessions.end(), other->number) != chain.sessions.end()) continue;
        const std::vector<Choice> theirs = choices(*other);
        const bool wanted = std::any_of(theirs.begin(), theirs.end(), [&](const Choice& choice) {
            return std::any_of(mine.begin(), mine.end(), [&](const Choice& own) {
                // Whose command it is does not lose it to one that only stands near in time.
                return own.program == choice.program && (choice.by_arguments || !own.by_arguments);
            });
        });
        if (wanted) ++rivals;
    }
    if (mine.size() > 1 || rivals > 0) {
        for (const Choice& choice : mine) {
            if (chain.candidates.size() >= limits::kBookCandidatesMax) break;
            const Process process{.pid = choice.program->id.pid, .comm = choice.program->comm, .exe = {}};
            std::string says = who(process) + " was started in the container " +
                               milliseconds(choice.program->started - session->start) +
                               " after the request, and so were " + std::to_string(mine.size() - 1) + " others";
            if (rivals > 0) says += "; " + std::to_string(rivals) + " other sessions could have started it";
            chain.candidates.push_back(said(Grade::inferred, std::move(says), "process"));
        }
        return;
    }

    const Program& program = *mine.front().program;
    Hop hop;
    hop.kind = HopKind::process;
    hop.grade = mine.front().by_arguments ? Grade::decoded : Grade::seen;
    hop.from = program.above ? *program.above : program.starter;
    hop.to = Process{.pid = program.id.pid, .comm = program.comm, .exe = program.filename};
    hop.start = program.started;
    if (program.ended) hop.took = *program.ended - program.started;
    hop.evidence.push_back(said(Grade::decoded, "its control group is the container's", "cgroup"));
    if (mine.front().by_arguments)
        hop.evidence.push_back(said(Grade::decoded, "its arguments are the command of the session", "arguments"));
    hop.evidence.push_back(
        said(Grade::seen, "started " + milliseconds(program.started - session->start) + " after the request", "start"));
    hop.evidence.push_back(said(
        Grade::seen,
        "started by " + who(program.starter) + (program.above ? ", a child of " + who(*program.above) : ""), "parent"));
    if (program.ended) {
        const std::string ended = "ended with " + std::to_string(program.exit_code);
        if (session->exit_code && *session->exit_code == program.exit_code)
            hop.evidence.push_back(said(Grade::decoded, ended + ", as the session says", "exit"));
        else
            hop.evidence.push_back(said(Grade::decoded, ended, "exit"));
        if (session->exit_code && *session->exit_code != program.exit_code)
            chain.contradictions.push_back(
                said(Grade::decoded,
                     who(*hop.to) + " " + ended + ", " + session->id() + " says " + std::to_string(*session->exit_code),
                     "exit"));
    }
    chain.hops.push_back(std::move(hop));
}

}  // namespace hopscope::chain
