#include "chain/late_book.h"

#include <algorithm>

namespace hopscope::chain {
namespace {

bool is_command_stream(const Stream& stream) {
    return stream.kind == StreamKind::in || stream.kind == StreamKind::out || stream.kind == StreamKind::err ||
           stream.kind == StreamKind::resize;
}

// Over SPDY a client opens the streams of a command in one order, and its numbers are odd: standard output follows
// standard input. Of a port-forward the one is its error stream, to which a client never writes, or that of the next
// connection.
bool is_input_by_order(const Session& session, const Stream& stream) {
    const auto unnamed = [](const Stream& each) { return each.kind == StreamKind::unknown && !each.has_port; };
    if (session.proto != Proto::spdy31 || !unnamed(stream) || stream.bytes.in == 0 || stream.bytes.out != 0)
        return false;
    return std::any_of(session.streams.begin(), session.streams.end(), [&](const Stream& next) {
        return next.id == stream.id + 2 && unnamed(next) && next.bytes.out > 0 && next.bytes.in == 0;
    });
}

bool has_sent_input(const Session& session) {
    return std::any_of(session.streams.begin(), session.streams.end(), [&](const Stream& stream) {
        return (stream.kind == StreamKind::in && stream.bytes.in > 0) || is_input_by_order(session, stream);
    });
}

// Streams that only an exec or attach has.
bool is_command(const Session& session) {
    if (session.op == Op::portforward) return false;
    const bool named = std::any_of(session.streams.begin(), session.streams.end(), is_command_stream);
    return session.op != Op::unknown || named || has_sent_input(session);
}

std::string counted(std::size_t count, const char* what) {
    return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

}  // namespace

bool LateBook::joined(const Session& session) {
    const auto at = std::find_if(connections_.begin(), connections_.end(), [&](const LateConnection& each) {
        return each.client == session.client && each.server == session.server;
    });
    if (at == connections_.end() || at->session != 0) return false;  // the same addresses, a second time
    at->session = session.number;
    return true;
}

std::vector<std::size_t> LateBook::execs_for(const Session& session, std::uint32_t runtime_pid, const ProcessBook& book,
                                             bool ended) const {
    std::vector<std::size_t> found;
    for (std::size_t i = 0; i < processes_.size(); ++i) {
        const LateProcess& each = processes_[i];
        if (each.runtime_pid != runtime_pid || each.exec_id.empty()) continue;
        if (!each.input && has_sent_input(session)) continue;
        if (ended && each.root && session.exit_code) {
            const std::span<const RanProcess> ran = book.ran(*each.root);
            if (!ran.empty() && ran.front().exit_code != session.exit_code) continue;
        }
        found.push_back(i);
    }
    return found;
}

std::vector<std::size_t> LateBook::mains_for(const Session& session, std::uint32_t runtime_pid) const {
    std::vector<std::size_t> found;
    for (std::size_t i = 0; i < processes_.size(); ++i) {
        const LateProcess& each = processes_[i];
        if (each.runtime_pid != runtime_pid || !each.exec_id.empty()) continue;
        if (each.input || !has_sent_input(session)) found.push_back(i);
    }
    return found;
}

LateMatch LateBook::match(const Session& session, const ProcessBook& book, bool ended,
                          const std::function<const Session*(std::uint32_t)>& session_of) const {
    const auto own = std::find_if(connections_.begin(), connections_.end(),
                                  [&](const LateConnection& each) { return each.session == session.number; });
    if (own == connections_.end() || !all_ || !is_command(session)) return {};
    // Connections that may have an exec of their own, and those that have.
    std::size_t others = 0, others_execs = 0;
    for (const LateConnection& each : connections_) {
        if (each.server != own->server || each.session == session.number) continue;
        const Session* other = each.session == 0 ? nullptr : session_of(each.session);
        const Op op = other ? other->op : Op::unknown;
        if (op == Op::unknown || op == Op::exec) ++others;
        if (op == Op::exec) ++others_execs;
    }
    const auto running =
        static_cast<std::size_t>(std::count_if(processes_.begin(), processes_.end(), [&](const LateProcess& each) {
            return each.runtime_pid == own->runtime_pid && !each.exec_id.empty();
        }));
    const std::string when = " when hopscope began to look";
    LateMatch match;
    const bool may_be_exec = session.op != Op::attach && running > others_execs;
    if (session.op == Op::exec || (may_be_exec && running > others)) {
        match.op = Op::exec;
        match.processes = execs_for(session, own->runtime_pid, book, ended);
        match.says = running == 1 ? "the only exec whose streams the runtime held open" + when
                                  : "of " + counted(running, "exec") + " whose streams the runtime held open" + when +
                                        (match.whole() ? " the only one that fits" : "");
    } else if (session.op == Op::attach || !may_be_exec) {
        match.processes = mains_for(session, own->runtime_pid);
        if (match.whole()) {
            match.op = Op::attach;
            match.says = std::string("the only container") +
                         (has_sent_input(session) ? " whose standard input the runtime held open"
                                                  : " whose streams the runtime held open") +
                         when + ", and no exec is left that it could be";
        } else {
            match.processes.clear();  // any of the node's
        }
    }
    for (const std::size_t place : match.processes) {
        const std::string& container_id = processes_[place].container_id;
        if (place == match.processes.front()) match.container_id = container_id;
        if (match.container_id != container_id) {
            match.container_id.clear();
            break;
        }
    }
    return match;
}

}  // namespace hopscope::chain
