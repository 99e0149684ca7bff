// Which process an exec started in its container: the last hop of a chain.
//
// Fed with the starts and ends of all programs of the node, in the order of the kernel. A program belongs to a
// container by the name of its control group, and to a session if a runtime's helper (a process outside of the
// container, not one in it) started it there shortly after the session's request. Where its arguments are the session's
// command that is proof; else it must be the only one. What two sessions could have started, or of what a session could
// have started several, is joined with none: it is listed. Time alone never decides.
//
// A helper may be gone before its program runs: then it is the shim's child. It does not see what was started before it
// was fed, nor a command that a runtime runs without exec. Pure; bounded by
// limits::kBook…; arguments are compared and never told.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "chain/model.h"
#include "core/node_event.h"
#include "core/process.h"

namespace hopscope::chain {

class ProcessBook {
public:
    // A process that was there before the first event; what is known already stays.
    void know(const hopscope::Process& process);
    void on(const ProcessEvent& event);
    // Adds the hop to the process, contradictions and candidates to an exec's chain. `all`: every session that may
    // have started a process in the same container, those of the chain among them.
    void complete(Chain& chain, std::span<const std::unique_ptr<Session>> all) const;

    [[nodiscard]] std::size_t programs() const { return programs_.size(); }

private:
    // One process in a container, from its first program on.
    struct Program {
        ProcessId id;
        std::string container_id;
        Timestamp started;
        Untrusted comm, filename;                    // of the last program
        std::vector<std::vector<Untrusted>> starts;  // arguments, one entry per program that it became
        Process starter;                             // who started it from outside
        std::optional<Process> above;                // who started that, where it is a helper of one exec
        std::optional<Timestamp> ended;
        int exit_code = 0;
    };
    // A process as the parent of others. One that ends has its children until a moment after it said so.
    struct Parent {
        std::string container_id;  // empty: none
        std::uint32_t parent_pid = 0;
        Untrusted comm;
        std::optional<Timestamp> ended;
    };
    struct Choice {
        const Program* program = nullptr;
        bool by_arguments = false;
    };

    void started(const ProcessEvent& event);
    void ended(const ProcessEvent& event);
    Program* find(const ProcessId& id);
    Program& add(Program program);
    void remember_parent(std::uint32_t pid, Parent parent);
    [[nodiscard]] const Parent* parent_at(std::uint32_t pid, Timestamp at) const;
    [[nodiscard]] std::vector<Choice> choices(const Session& session) const;

    std::deque<Program> programs_;                             // by start
    std::uint64_t forgotten_ = 0;                              // programs that were before the first one here
    std::unordered_map<std::uint32_t, std::uint64_t> by_pid_;  // the youngest program of a number: its place, from 0
    std::unordered_map<std::uint32_t, Parent> parents_;        // by pid
    std::deque<std::uint32_t> parents_order_;
};

}  // namespace hopscope::chain
