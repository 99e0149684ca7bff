// What ran on the node when hopscope began to look, and which of it is a session's that was joined late.
//
// Such a session tells neither its container nor its command; what it is may show at its end only. What is known: the
// connections to the runtime's streaming server, the execs whose streams the runtime held open, the containers that can
// be attached to. An exec is a session's only where no other one and no other connection is left: one that still runs,
// or has ended with another code, is not that of a session that has told its exit code. Time never decides. What
// cannot be told apart is listed. Pure; filled once, before the first event; whoever fills it keeps it small.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "chain/model.h"
#include "chain/process_book.h"

namespace hopscope::chain {

struct LateConnection {
    Endpoint client, server;
    std::uint32_t runtime_pid = 0;
    std::uint32_t session = 0;  // that was seen on it; 0: none yet
};

struct LateProcess {
    std::uint32_t runtime_pid = 0;
    std::string container_id, exec_id;  // exec_id empty: the container's main process
    bool input = false;                 // its standard input was held open
    std::uint32_t pid = 0;              // 0: not known
    std::string pid_by;                 // what told the pid: a sentence of our own
    std::optional<ProcessBook::Root> root;
};

struct LateMatch {
    Op op = Op::unknown;
    std::string container_id;            // empty: unknown
    std::string says;                    // why
    std::vector<std::size_t> processes;  // places in the book: one is the session's; several: which is not known

    [[nodiscard]] bool whole() const { return processes.size() == 1; }
};

class LateBook {
public:
    void add(LateConnection connection) { connections_.push_back(connection); }
    void add(LateProcess process) { processes_.push_back(std::move(process)); }
    // There were more than could be kept: nothing is known to be the only one.
    void not_all() { all_ = false; }

    [[nodiscard]] bool empty() const { return connections_.empty(); }
    [[nodiscard]] std::span<const LateConnection> connections() const { return connections_; }
    [[nodiscard]] const LateProcess& process(std::size_t place) const { return processes_[place]; }

    // A session was joined late. False: its connection was not there when it was looked.
    bool joined(const Session& session);
    // As far as is known by now. `ended`: processes' ends are told to `book`. `session_of`: by number; null: not kept.
    [[nodiscard]] LateMatch match(const Session& session, const ProcessBook& book, bool ended,
                                  const std::function<const Session*(std::uint32_t)>& session_of) const;

private:
    [[nodiscard]] std::vector<std::size_t> execs_for(const Session& session, std::uint32_t runtime_pid,
                                                     const ProcessBook& book, bool ended) const;
    [[nodiscard]] std::vector<std::size_t> mains_for(const Session& session, std::uint32_t runtime_pid) const;

    std::vector<LateConnection> connections_;
    std::vector<LateProcess> processes_;
    bool all_ = true;
};

}  // namespace hopscope::chain
