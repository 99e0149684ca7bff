// Connections to the listeners that `ports --watch` was asked for, as they come and go: what each look at the node
// shows, and the unix connections that the kernel tells between two looks.
//
// Pure: asks nobody, keeps the lines borrowed. Connections of unix sockets have no end but in a look; TCP that the
// kernel tells by itself (procmap/bpf/socket_life) is not its affair. Bounded: limits::kLifeConnectionsMax connections,
// limits::kWatchAcceptsMax accepts whose listener is not known yet; what is beyond is counted.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "chain/verdict.h"
#include "core/node_event.h"
#include "core/socket_table.h"
#include "export/watch_lines.h"
#include "procmap/bpf/watcher.h"

namespace hopscope::cli {

class WatchedConnections {
public:
    explicit WatchedConnections(exports::WatchLines& lines) : lines_(lines) {}

    // A look at the node. `listeners`: those that were asked for, by a key that is the same in each look. `with_tcp`:
    // else connections of TCP are told by somebody else.
    void look(const std::map<std::string, const chain::Verdict*>& listeners, const SocketTable& table, bool with_tcp,
              Timestamp at);
    // One that the kernel told. Of a listener that no look has shown yet it is kept for the next one.
    void accepted(const procmap::UnixAccept& accept);

    [[nodiscard]] std::uint64_t dropped() const { return dropped_; }  // for want of room

private:
    struct Open {
        SocketLife life;
        std::string path;     // unix
        bool looked = false;  // a look has shown it: how long it lived is known as well as one looks
    };
    struct Asked {
        std::string key, path;
    };

    exports::WatchLines& lines_;
    std::map<std::string, Open> open_;
    std::map<std::uint64_t, Asked> asked_;    // unix listeners of the last look that were asked for, by inode
    std::set<std::uint64_t> unix_listeners_;  // inodes of all in the last look
    std::vector<procmap::UnixAccept> kept_;
    std::uint64_t dropped_ = 0;
};

}  // namespace hopscope::cli
