// Sessions that ran when hopscope was started: their container, their process and what runs below it, by what the
// node tells once, at the start. The connections that are there come from the socket table, the execs from the FIFOs
// that the runtime holds open (their names are container and exec id), a process' number from the file that the shim
// has written beside them. Where no connection to a runtime's streaming server is there, nothing is read.
//
// containerd's CRI only: CRI-O has no FIFOs, and dockerd's sessions are not told from its other connections. What
// vanishes while it is read is not known. Which exec is whose: chain/late_book.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "chain/builder.h"
#include "chain/late_book.h"
#include "chain/session_processes.h"
#include "core/socket_table.h"
#include "procmap/host_root.h"

namespace hopscope::cli {

class LateSessions {
public:
    // Before the first event; what runs is told to `book`, which knows the table's processes. `ends`: it will be told
    // of their ends, too.
    void begin(const procmap::HostRoot& root, const SocketTable& table, chain::ProcessBook& book, bool ends);

    // Of a connection to a runtime that was there: which end has opened it. Few bytes do not always tell.
    [[nodiscard]] std::optional<bool> first_is_client(const Endpoint& first, const Endpoint& second) const;
    void opened(const chain::Session& session, chain::Builder& builder);
    // It was joined late, and what it belongs to is not known yet.
    [[nodiscard]] bool waits_for(std::uint32_t session) const;
    // Whether it is known by now; then it is told to the builder and to those who tell processes.
    void look(const chain::Session& session, chain::Builder& builder, const chain::ProcessBook& book,
              chain::SessionProcesses& processes);
    // The same of all that wait, a few times a second.
    void look_at_all(chain::Builder& builder, const chain::ProcessBook& book, chain::SessionProcesses& processes,
                     Timestamp now);
    // Adds the hop to the process, or candidates. True: a session of the chain was joined late.
    bool complete(chain::Chain& chain, std::span<const std::unique_ptr<chain::Session>> all,
                  const chain::ProcessBook& book) const;

private:
    struct Late {
        std::uint32_t session = 0;
        chain::LateMatch match;
        bool over = false;  // it is told no more
    };

    void add_connections(const SocketTable& table);
    void add_processes(const procmap::HostRoot& root, const SocketTable& table, chain::ProcessBook& book);

    chain::LateBook book_;
    std::vector<Late> late_;  // no more than there were connections; by session
    bool ends_ = false;
    Timestamp looked_at_;
};

}  // namespace hopscope::cli
