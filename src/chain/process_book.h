// Which process an exec started in its container, the last hop of a chain, and what that process ran.
//
// Fed with the births, starts and ends of all processes of the node, in the order of the kernel. A program belongs to a
// container by the name of its control group. The process of a session is the one whose pid the shim answered. Where no
// such answer was seen it must have been started by a runtime's helper (a process outside of the container, not one in
// it) shortly after the session's request: where its arguments are the session's command that is proof; else it must be
// the only one. What two sessions could have started, or of what a session could have started several, is joined with
// none: it is listed. Time alone never decides.
//
// What a process ran is everything in the same container that was made by it or by what it made, whoever its parent is
// now. A helper may be gone before its program runs: then it is the shim's child. What was started before it was
// fed it knows only as far as it is told, nor does it see a command that a runtime runs without exec. Pure; bounded by
// limits::kBook…; arguments are compared and kept for who may show them (chain/reveal.h).
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "chain/exec_choice.h"
#include "chain/model.h"
#include "core/limits.h"
#include "core/node_event.h"
#include "core/process.h"

namespace hopscope::chain {

// The container that a process event's control groups name; empty: none.
std::string container_id_of(const std::vector<Untrusted>& cgroup_names);
// A runtime's helper, inside of the container but not yet the program that was asked for.
bool is_runtime_step(const ProcessEvent& event);

// A program was started, or a process ended, in the tree of a session's process.
struct RanStep {
    std::uint32_t place = 0;  // in the list: 0 is the session's process itself
    bool exit = false;
    bool already = false;  // it ran before the first event; `at`: when it was looked at
    Timestamp at;
};

// One that was there before the first event.
struct RunningProcess {
    ProcessId id;
    std::uint32_t parent_pid = 0;
    RanProcess ran;  // `parent`: its place in the list
};

class ProcessBook {
public:
    // A session's process; stays good until it is forgotten.
    using Root = std::uint64_t;

    // `programs_max`: kept at once. A recording that is read as a whole needs more than a live run.
    explicit ProcessBook(std::size_t programs_max = limits::kBookProgramsMax) : programs_max_(programs_max) {}

    // A process that was there before the first event; what is known already stays.
    void know(const hopscope::Process& process);
    // A process that may be a late session's, and what runs below it: the first is itself, parents stand before their
    // children. After know() of the same, before any event; in the order of their starts. `now`: when it was looked at.
    Root ran_already(const std::string& container_id, const hopscope::chain::Process& starter,
                     std::span<const RunningProcess> tree, Timestamp now);
    void on(const ProcessEvent& event);
    // Adds the hop to the process, contradictions and candidates to the chain of an exec or attach. `all`: every
    // session that may have started a process in the same container, those of the chain among them.
    void complete(Chain& chain, std::span<const std::unique_ptr<Session>> all) const;

    // The same where it ran already: `root`, or where that is forgotten by now, its `pid`. `why` it is this one.
    void complete_late(Chain& chain, const Session& session, Root root, std::uint32_t pid,
                       std::vector<Evidence> why) const;

    // `started`: what the shim told of it. Null: not there (yet), or two could be meant.
    [[nodiscard]] std::optional<Root> root_of(const Session& session, const std::optional<StartedProcess>& started,
                                              std::span<const std::unique_ptr<Session>> all) const;
    // It and what it ran; empty: forgotten. Borrowed until the next event.
    [[nodiscard]] std::span<const RanProcess> ran(Root root) const;
    // What happened to them, in order; grows only.
    [[nodiscard]] std::span<const RanStep> steps(Root root) const;
    [[nodiscard]] std::uint32_t ran_dropped(Root root) const;

    [[nodiscard]] std::size_t programs() const { return programs_.size(); }
    // How many were ever started in containers: whoever waits for one need not look again before it has changed.
    [[nodiscard]] std::uint64_t programs_seen() const { return forgotten_ + programs_.size(); }
    [[nodiscard]] std::size_t ran_kept() const { return ran_kept_; }
    [[nodiscard]] std::size_t parents() const { return parents_.size(); }

private:
    // One process that was started in a container from outside, from its first program on.
    struct Program {
        bool already = false;  // it was there before the first event: nobody's request since has started it
        ProcessId id;
        std::string container_id;
        std::vector<std::vector<Untrusted>> starts;     // arguments, one entry per program that it became
        hopscope::chain::Process starter;               // who started it from outside
        std::optional<hopscope::chain::Process> above;  // who started that, where it is a helper of one exec
        std::vector<RanProcess> ran;                    // the first is itself
        std::vector<RanStep> steps;
        std::uint32_t ran_dropped = 0;

        [[nodiscard]] Timestamp started() const { return ran.front().start; }
    };
    // A process as the parent of others. One that ends has its children until a moment after it said so.
    struct Parent {
        std::string container_id;  // empty: none
        std::uint32_t parent_pid = 0;
        Untrusted comm;
        std::optional<Timestamp> ended;
        std::uint64_t start_ticks = 0;  // 0: not known
        std::uint64_t root = 0;         // 1 + place of the program that it descends from; 0: none
        std::uint32_t place = 0;        // in its list; that of the next one above where it has none itself
        bool listed = false;            // it has a place itself
    };
    using ProgramChoice = Choice<Program>;

    void made(const ProcessEvent& event);
    void started(const ProcessEvent& event);
    void ended(const ProcessEvent& event);
    // Enters what was started under a session's process. `self`: what is known of the process.
    void note_descendant(Parent& self, const ProcessEvent& event);
    Program* find(const ProcessId& id);
    [[nodiscard]] const Program* find(std::uint32_t pid, const std::string& container_id) const;
    [[nodiscard]] Program* at(Root root);
    [[nodiscard]] const Program* at(Root root) const { return const_cast<ProcessBook*>(this)->at(root); }
    Program& add(Program program);
    void make_room_for_ran();
    Parent& remember_parent(std::uint32_t pid, Parent parent);
    void forget_ended(Timestamp now);
    [[nodiscard]] const Parent* parent_at(std::uint32_t pid, Timestamp at) const;
    [[nodiscard]] std::vector<ProgramChoice> choices(const Session& session) const;
    void add_hop(Chain& chain, const Session& session, const Program& program, bool by_arguments) const;

    std::size_t programs_max_;
    std::deque<Program> programs_;                             // by start
    std::uint64_t forgotten_ = 0;                              // programs that were before the first one here
    std::unordered_map<std::uint32_t, std::uint64_t> by_pid_;  // the youngest program of a number: its place, from 0
    std::unordered_map<std::uint32_t, Parent> parents_;        // by pid
    std::deque<std::pair<std::uint32_t, Timestamp>> ended_;    // of them, in order
    std::size_t ran_kept_ = 0;                                 // in all lists, beyond each first
    std::uint64_t ran_from_ = 0;                               // lists of programs before this one were given up
};

}  // namespace hopscope::chain
