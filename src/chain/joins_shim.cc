#include "chain/joins_shim.h"

#include <string>

#include "chain/exec_choice.h"
#include "chain/join_words.h"

namespace hopscope::chain {
namespace {

using TaskChoice = Choice<ShimTask>;

// Where to look, and what the Docker API told of its execs.
struct Books {
    const ShimBook& shims;
    const DockerBook& docker;

    // The call that carries the exec's own id; null: none, or the session is no exec of the Docker API.
    [[nodiscard]] const ShimTask* by_id(const Session& session) const {
        return shims.exec(session.container.id.raw(), docker.exec_of(session.number));
    }
};

std::vector<TaskChoice> choices(const Session& session, const Books& books) {
    if (const ShimTask* own = books.by_id(session)) return {{own, true}};
    std::vector<TaskChoice> found;
    const StartWindow window = start_window(session);
    for (const ShimTask* task : books.shims.execs(session.container.id.raw(), window.from, window.to)) {
        if (session.tty && *session.tty != task->tty) continue;
        const bool same = !session.command.empty() && task->command == session.command;
        // A command that both tell, and differently, is another one's.
        if (!same && !session.command.empty() && !task->command.empty()) continue;
        found.push_back({task, same});
    }
    prefer_arguments(found);
    return found;
}

template <typename IsOwn>
std::size_t count_rivals(const std::vector<TaskChoice>& mine, const Session& session,
                         std::span<const std::unique_ptr<Session>> all, const Books& books, IsOwn is_own) {
    if (books.by_id(session)) return 0;
    return rivals(mine, session, all, is_own, [&](const Session& other) { return choices(other, books); });
}

StartedProcess started_of(const ShimTask& task, bool attached) {
    return {.pid = task.pid.value_or(0),
            .shim_pid = task.connection.server_pid,
            .attached = attached,
            .at = task.started,
            .exit_code = task.exit_code};
}

Hop hop_of(const ShimTask& task) { return hop_over(task.connection, HopKind::shim, "ttrpc"); }

void compare_exit(Chain& chain, Hop& hop, const Session& session, const ShimTask& task) {
    if (!task.exit_code) return;
    const std::string told = "the shim told exit code " + std::to_string(*task.exit_code);
    if (session.exit_code && *session.exit_code != *task.exit_code) {
        chain.contradictions.push_back(
            said(Grade::decoded, told + ", " + session.id() + " says " + std::to_string(*session.exit_code), "exit"));
        hop.evidence.push_back(said(Grade::decoded, told, "exit"));
    } else {
        hop.evidence.push_back(said(Grade::decoded, told + (session.exit_code ? ", as the session says" : ""), "exit"));
    }
}

// What is the same whichever of several calls it was.
void describe_calls(Hop& hop, const Session& session, const ShimTask& task) {
    hop.start = task.begun;
    hop.evidence.push_back(
        said(Grade::seen, "asked " + milliseconds(task.begun - session.start) + " after the request", "start"));
}

void join_exec(Chain& chain, const Session& session, std::span<const std::unique_ptr<Session>> all,
               const Books& books) {
    const std::vector<TaskChoice> mine = choices(session, books);
    if (mine.empty()) return;
    const auto is_own = [&](const Session& other) {
        return std::find(chain.sessions.begin(), chain.sessions.end(), other.number) != chain.sessions.end();
    };
    const std::size_t others = count_rivals(mine, session, all, books, is_own);
    const ShimTask& task = *mine.front().item;
    Hop hop = hop_of(task);
    if (mine.size() > 1 || others > 0) {
        // Every call about this container goes over the same connection.
        hop.grade = Grade::seen;
        hop.evidence.push_back(said(Grade::decoded, "containerd's calls about the container go to this shim", "shim"));
        hop.evidence.push_back(said(Grade::seen,
                                    "which of " + std::to_string(std::max(mine.size(), others + 1)) +
                                        " equal Exec calls is this session's is not known",
                                    "exec"));
        chain.hops.push_back(std::move(hop));
        return;
    }
    hop.grade = Grade::decoded;
    hop.bytes = task.bytes;
    if (task.started.ns != 0) hop.took = task.started - task.begun;
    hop.evidence.push_back(said(mine.front().by_arguments ? Grade::decoded : Grade::seen,
                                books.by_id(session) ? "its Exec call has the id of the Docker API's exec"
                                : mine.front().by_arguments
                                    ? "its Exec call names the container and the command of the session"
                                    : "its Exec call names the container, and no other session could have made it",
                                "exec"));
    describe_calls(hop, session, task);
    if (task.refused) {
        hop.evidence.push_back(
            said(Grade::decoded, "the shim refused with status " + std::to_string(*task.refused), "refused"));
    } else if (task.pid && task.started.ns != 0) {
        hop.evidence.push_back(said(Grade::decoded, "Start was answered with pid " + std::to_string(*task.pid), "pid"));
    }
    if (task.resizes > 0)
        hop.evidence.push_back(said(
            Grade::decoded, std::to_string(task.resizes) + " changes of the terminal's size went to it", "resize"));
    compare_exit(chain, hop, session, task);
    if (task.pid) chain.started = started_of(task, false);
    chain.hops.push_back(std::move(hop));
}

void join_attach(Chain& chain, const Session& session, const ShimBook& shims) {
    const ShimTask* task = shims.main_process(session.container.id.raw());
    if (!task) return;
    const StartWindow window = start_window(session);
    const auto asked = std::find_if(task->state_asked.begin(), task->state_asked.end(),
                                    [&](const Timestamp& at) { return window.from <= at && at <= window.to; });
    Hop hop = hop_of(*task);
    hop.grade = Grade::seen;
    hop.start = session.start;
    hop.evidence.push_back(said(Grade::decoded, "containerd's calls about the container go to this shim", "shim"));
    if (asked != task->state_asked.end()) {
        hop.start = *asked;
        hop.evidence.push_back(said(
            Grade::seen, "State was asked " + milliseconds(*asked - session.start) + " after the request", "start"));
    }
    hop.evidence.push_back(said(
        Grade::inferred, "an attach's bytes pass through FIFOs between both, not through this connection", "fifo"));
    if (task->pid)
        hop.evidence.push_back(
            said(Grade::decoded, "the container's main process has pid " + std::to_string(*task->pid), "pid"));
    if (task->pid) chain.started = started_of(*task, true);
    chain.hops.push_back(std::move(hop));
}

// What connects them is the container, told by containerd itself: no call belongs to a port-forward.
void explain_forward(Chain& chain, const Session& session, const ShimBook& shims) {
    const std::string& sandbox = session.container.sandbox_id.raw();
    if (sandbox.empty() || !shims.main_process(sandbox)) return;
    for (Hop& hop : chain.hops) {
        if (hop.session != session.number) continue;
        hop.evidence.push_back(said(
            Grade::inferred, "containerd dials into the pod itself: no shim is on the way of a port-forward", "shim"));
    }
}

}  // namespace

void join_shim(Chain& chain, std::span<const std::unique_ptr<Session>> all, const ShimBook& shims,
               const DockerBook& docker) {
    if (shims.empty()) return;
    if (chain.op == Op::portforward) {
        for (const auto& session : all) {
            if (std::find(chain.sessions.begin(), chain.sessions.end(), session->number) != chain.sessions.end() &&
                session->hop == HopKind::runtime && session->state != SessionState::refused)
                explain_forward(chain, *session, shims);
        }
        return;
    }
    const Session* session = nearest_to_runtime(chain, all);
    // One that was joined late asked before we looked.
    if (!session || session->state == SessionState::cut) return;
    if (chain.op == Op::exec) join_exec(chain, *session, all, {shims, docker});
    if (chain.op == Op::attach) join_attach(chain, *session, shims);
}

void join_service(Chain& chain, std::span<const std::unique_ptr<Session>> all, const ShimBook& services,
                  const DockerBook& docker) {
    if (services.empty() || (chain.op != Op::exec && chain.op != Op::attach)) return;
    const Session* session = nearest_to_runtime(chain, all);
    if (!session || session->hop != HopKind::shim || session->state == SessionState::cut) return;
    const bool exec = chain.op == Op::exec;
    const ShimTask* task =
        exec ? Books{services, docker}.by_id(*session) : services.main_process(session->container.id.raw());
    if (!task) return;
    Hop hop = hop_over(task->connection, HopKind::shim, "grpc");
    // A container that was there is attached to by dockerd itself: nothing is asked.
    const bool asked = exec || (task->asked && session->start <= task->begun && task->begun <= session->end);
    hop.grade = asked ? Grade::decoded : Grade::seen;
    hop.start = asked ? task->begun : session->start;
    hop.evidence.push_back(said(Grade::decoded,
                                exec    ? "its Exec call has the id of the Docker API's exec"
                                : asked ? "the container was made by this call while the client was attached to it"
                                        : "calls about the container go to this containerd",
                                exec ? "exec" : "container"));
    if (asked) {
        hop.bytes = task->bytes;
        if (task->started.ns != 0) hop.took = task->started - task->begun;
        describe_calls(hop, *session, *task);
        if (task->refused)
            hop.evidence.push_back(
                said(Grade::decoded, "containerd refused with status " + std::to_string(*task->refused), "refused"));
        else if (task->pid && task->started.ns != 0)
            hop.evidence.push_back(
                said(Grade::decoded, "Start was answered with pid " + std::to_string(*task->pid), "pid"));
    }
    const auto after = std::find_if(chain.hops.begin(), chain.hops.end(),
                                    [](const Hop& each) { return each.kind > HopKind::shim || each.proto == "ttrpc"; });
    chain.hops.insert(after, std::move(hop));
}

std::optional<StartedProcess> started_by_shim(const Session& session, std::span<const std::unique_ptr<Session>> all,
                                              const ShimBook& shims, const DockerBook& docker) {
    if (shims.empty() || session.container.id.empty() || session.state == SessionState::refused ||
        session.state == SessionState::cut)
        return std::nullopt;
    if (session.op == Op::attach) {
        const ShimTask* task = shims.main_process(session.container.id.raw());
        return task && task->pid ? std::optional(started_of(*task, true)) : std::nullopt;
    }
    if (session.op != Op::exec) return std::nullopt;
    const Books books{shims, docker};
    const std::vector<TaskChoice> mine = choices(session, books);
    if (mine.size() != 1 || !mine.front().item->pid) return std::nullopt;
    // Other hops of the same action, seen here too, are no rivals.
    const auto is_own = [&](const Session& other) {
        return other.number == session.number || other.hop != session.hop;
    };
    if (count_rivals(mine, session, all, books, is_own) > 0) return std::nullopt;
    return started_of(*mine.front().item, false);
}

}  // namespace hopscope::chain
