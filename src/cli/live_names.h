// Names of containers that came after hopscope began, where no CRI call tells them (no eBPF, or it was made before the
// runtime's socket was followed): asked of the runtimes over their own sockets, which only reads.
//
// One question (a list of all containers) answers for every container that there is: it is asked for a container that
// is not known, once for each, and at most once in limits::kLiveNamesPauseMs. It blocks for
// limits::kLiveNamesWaitMs at most.
// Who cannot be reached is no error: the names stay away.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "chain/model.h"
#include "core/node.h"
#include "core/socket_table.h"
#include "core/time.h"
#include "procmap/host_root.h"
#include "procmap/names/ask.h"

namespace hopscope::cli {

class LiveNames {
public:
    using Ask = std::function<std::vector<procmap::RuntimeAnswer>(std::span<const procmap::RuntimeSocket>)>;
    // By ask_runtimes(), where it is not told otherwise.
    explicit LiveNames(Ask ask = {});

    // What is known of a container, or of a Pod by its sandbox' id; nullptr: nothing. Borrowed until the next call.
    const ContainerNames* find(const std::string& id, const SocketTable& table, const procmap::HostRoot& root,
                               Timestamp now);
    // Fills in pod, container and runtime of a chain whose container is known by its id only. True: something was.
    bool complete(chain::Chain& chain, const SocketTable& table, const procmap::HostRoot& root, Timestamp now);
    [[nodiscard]] std::uint64_t asked() const { return questions_; }

private:
    bool may_ask(const std::string& id, Timestamp now);

    Ask ask_;
    std::map<std::string, ContainerNames> known_;  // by id: of the last answer
    std::set<std::string> asked_for_;
    std::deque<std::string> order_;
    Timestamp asked_at_;
    std::uint64_t questions_ = 0;
};

// Sockets of the node's runtimes that answer such a question, by the processes that listen on them; those whose file is
// root's come first.
std::vector<procmap::RuntimeSocket> sockets_to_ask(const SocketTable& table, const procmap::HostRoot& root);

}  // namespace hopscope::cli
