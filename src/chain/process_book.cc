#include "chain/process_book.h"

#include <algorithm>
#include <string_view>

#include "core/limits.h"

namespace hopscope::chain {
namespace {

constexpr std::size_t kContainerIdDigits = 64;
// The kernel tells that a process ends before it gives its children away; after that its number may be another's.
constexpr std::int64_t kChildrenNs = kNanosecondsPerSecond;

bool is_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }

// Lives as long as its containers; anything else outside of them that starts a program inside is there for one exec.
bool is_shim(const Untrusted& comm) { return comm == "containerd-shim" || comm == "conmon"; }

}  // namespace

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

void ProcessBook::on(const ProcessEvent& event) {
    forget_ended(event.at);
    switch (event.kind) {
        case ProcessEvent::Kind::fork: return made(event);
        case ProcessEvent::Kind::exec: return started(event);
        case ProcessEvent::Kind::exit: return ended(event);
    }
}

// --- programs

ProcessBook::Program* ProcessBook::at(Root root) {
    return root < forgotten_ || root - forgotten_ >= programs_.size() ? nullptr : &programs_[root - forgotten_];
}

ProcessBook::Program* ProcessBook::find(const ProcessId& id) {
    const auto place = by_pid_.find(id.pid);
    Program* program = place == by_pid_.end() ? nullptr : at(place->second);
    return program && program->id == id ? program : nullptr;
}

const ProcessBook::Program* ProcessBook::find(std::uint32_t pid, const std::string& container_id) const {
    const auto place = by_pid_.find(pid);
    const Program* program = place == by_pid_.end() ? nullptr : at(place->second);
    return program && program->container_id == container_id ? program : nullptr;
}

ProcessBook::Program& ProcessBook::add(Program program) {
    if (programs_.size() >= programs_max_) {
        const auto oldest = by_pid_.find(programs_.front().id.pid);
        if (oldest != by_pid_.end() && oldest->second == forgotten_) by_pid_.erase(oldest);
        ran_kept_ -= programs_.front().ran.size() - 1;
        programs_.pop_front();
        ++forgotten_;
    }
    by_pid_[program.id.pid] = forgotten_ + programs_.size();
    return programs_.emplace_back(std::move(program));
}

std::span<const RanProcess> ProcessBook::ran(Root root) const {
    const Program* program = at(root);
    return program ? std::span<const RanProcess>(program->ran) : std::span<const RanProcess>();
}

std::span<const RanStep> ProcessBook::steps(Root root) const {
    const Program* program = at(root);
    return program ? std::span<const RanStep>(program->steps) : std::span<const RanStep>();
}

std::uint32_t ProcessBook::ran_dropped(Root root) const {
    const Program* program = at(root);
    return program ? program->ran_dropped : 0;
}

// --- processes as parents

ProcessBook::Parent& ProcessBook::remember_parent(std::uint32_t pid, Parent parent) {
    // Ends may have been lost: then there are some that are long gone. Which of them goes is all the same.
    if (parents_.size() >= limits::kBookParentsMax && !parents_.contains(pid)) parents_.erase(parents_.begin());
    return parents_.insert_or_assign(pid, std::move(parent)).first->second;
}

void ProcessBook::forget_ended(Timestamp now) {
    while (!ended_.empty() && (now - ended_.front().second).ns > kChildrenNs) {
        const auto known = parents_.find(ended_.front().first);
        // Not if the number is another's by now.
        if (known != parents_.end() && known->second.ended == ended_.front().second) parents_.erase(known);
        ended_.pop_front();
    }
}

void ProcessBook::know(const hopscope::Process& process) {
    if (const auto known = parents_.find(process.id.pid); known != parents_.end() && !known->second.ended) return;
    remember_parent(process.id.pid, {.container_id = process.container_id.raw(),
                                     .parent_pid = process.parent_pid,
                                     .comm = process.comm,
                                     .ended = {},
                                     .start_ticks = process.id.start_ticks});
}

const ProcessBook::Parent* ProcessBook::parent_at(std::uint32_t pid, Timestamp at) const {
    const auto known = parents_.find(pid);
    if (known == parents_.end()) return nullptr;
    const std::optional<Timestamp>& ended = known->second.ended;
    return ended && (at - *ended).ns > kChildrenNs ? nullptr : &known->second;
}

// --- events

void ProcessBook::made(const ProcessEvent& event) {
    const Parent* maker = parent_at(event.parent_pid, event.at);
    if (!maker) {  // nobody knows where it belongs, and whoever had the number before is gone
        parents_.erase(event.process.pid);
        return;
    }
    Parent child = *maker;
    child.parent_pid = event.parent_pid;
    child.ended.reset();
    child.start_ticks = event.process.start_ticks;
    child.listed = false;
    remember_parent(event.process.pid, std::move(child));
}

void ProcessBook::make_room_for_ran() {
    // Lists of what was started first go first: they have been told, or belong to what runs for days.
    while (ran_kept_ >= limits::kBookRanMax && ran_from_ < forgotten_ + programs_.size()) {
        Program* program = at(ran_from_++);
        if (!program || program->ran.size() < 2) continue;
        const std::size_t given_up = program->ran.size() - 1;
        ran_kept_ -= given_up;
        program->ran_dropped += static_cast<std::uint32_t>(given_up);
        program->ran.resize(1);
        std::erase_if(program->steps, [](const RanStep& step) { return step.place != 0; });
    }
}

void ProcessBook::note_descendant(Parent& self, const ProcessEvent& event) {
    Program* program = at(self.root - 1);
    if (!program) {
        self.root = 0;
        return;
    }
    const bool anew = !self.listed || self.place >= program->ran.size();
    if (anew) {
        if (program->ran.size() >= limits::kBookRanPerProgramMax) {
            ++program->ran_dropped;
            return;
        }
        make_room_for_ran();
        const auto above = std::min<std::size_t>(self.place, program->ran.size() - 1);
        self.place = static_cast<std::uint32_t>(program->ran.size());
        self.listed = true;
        RanProcess& fresh = program->ran.emplace_back();
        ++ran_kept_;
        fresh.parent = static_cast<std::uint32_t>(above);
        fresh.process.pid = event.process.pid;
        fresh.start = event.at;
    }
    RanProcess& ran = program->ran[self.place];
    if (!anew) ++ran.programs;
    ran.process.comm = event.comm;
    ran.process.exe = event.filename;
    ran.command = event.cmdline;
    if (program->steps.size() < limits::kBookStepsPerProgramMax)
        program->steps.push_back({.place = self.place, .exit = false, .already = false, .at = event.at});
}

void ProcessBook::started(const ProcessEvent& event) {
    std::string container_id = container_id_of(event.cgroup_names);
    Parent self;
    if (const Parent* known = parent_at(event.process.pid, event.at); known && !known->ended) {
        const bool same = known->start_ticks == 0 || known->start_ticks == event.process.start_ticks;
        if (same) self = *known;
    }
    const Parent* parent = parent_at(event.parent_pid, event.at);
    if (self.start_ticks == 0 && parent) {  // how it was made was not seen
        self.root = parent->root;
        self.place = parent->place;
    }
    if (const Program* above = self.root == 0 ? nullptr : at(self.root - 1);
        !above || above->container_id != container_id)
        self.root = 0;
    self.parent_pid = event.parent_pid;
    self.comm = event.comm;
    self.ended.reset();
    self.start_ticks = event.process.start_ticks;

    if (!container_id.empty() && !is_runtime_step(event)) {
        Program* program = find(event.process);
        // What was started by a process inside is no exec of the runtime; of a parent that nobody knows it is not told.
        if (!program && self.root == 0 && parent && parent->container_id != container_id) {
            Program fresh;
            fresh.id = event.process;
            fresh.container_id = container_id;
            fresh.ran.emplace_back().process.pid = event.process.pid;
            fresh.ran.front().start = event.at;
            fresh.ran.front().programs = 0;
            fresh.starter = Process{.pid = event.parent_pid, .comm = parent->comm, .exe = {}};
            if (!is_shim(parent->comm)) {
                fresh.above = Process{.pid = parent->parent_pid, .comm = {}, .exe = {}};
                if (const Parent* above = parent_at(parent->parent_pid, event.at)) fresh.above->comm = above->comm;
            }
            program = &add(std::move(fresh));
            self.root = programs_seen();
            self.place = 0;
            self.listed = true;
        }
        if (program && program->starts.size() < limits::kBookStartsMax) program->starts.push_back(event.cmdline);
        if (self.root != 0) note_descendant(self, event);
    }
    self.container_id = std::move(container_id);
    remember_parent(event.process.pid, std::move(self));
}

void ProcessBook::ended(const ProcessEvent& event) {
    const auto known = parents_.find(event.process.pid);
    if (known == parents_.end()) return;
    Parent& self = known->second;
    if (self.start_ticks != 0 && event.process.start_ticks != self.start_ticks) return;
    self.ended = event.at;
    ended_.emplace_back(event.process.pid, event.at);
    Program* program = self.root == 0 || !self.listed ? nullptr : at(self.root - 1);
    if (!program || self.place >= program->ran.size()) return;
    RanProcess& ran = program->ran[self.place];
    if (ran.process.pid != event.process.pid) return;  // its list was given up, and the place is another's
    ran.end = event.at;
    ran.exit_code = event.exit_code;
    if (program->steps.size() < limits::kBookStepsPerProgramMax)
        program->steps.push_back({.place = self.place, .exit = true, .already = false, .at = event.at});
}

}  // namespace hopscope::chain
