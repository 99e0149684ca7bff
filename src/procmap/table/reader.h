// Makes the socket table of the node: every TCP, UDP and unix socket of every network namespace, its owners, and the
// processes with their roles and containers.
//
// Order of methods: the scanner given (eBPF iter/task_file, one pass), else sock_diag (inet and unix with peers) and a
// walk of /proc/*/fd, else the text of /proc/net. Under a root that is not the live node only the text files are read.
// A reader keeps what it knows of processes and their descriptors from one read() to the next (by pid and start time)
// so that a refresh with nothing new costs a fraction of the first map.
//
// What a refresh can miss until the next look at everything (every tenth read): a socket that was passed to another
// process while its first owner keeps it; a descriptor that was closed and replaced by another in one process (before
// Linux 6.2 also one only closed) where others still hold the socket; a new name, arguments, user or cgroup of a
// process older than ten seconds whose descriptors did not change. Never told: an owner of a socket that is gone, or a
// process that has ended. A process outside containers whose sockets are all of our network namespace is taken to be in
// it.
//
// Trees that are not the live node: sockets stand in /proc/PID/net or /proc/net, and /proc/PID/exe may be (or be a link
// to) the text that `go version -m` prints instead of a program (table/programs.h).
#pragma once

#include <memory>

#include "core/result.h"
#include "core/socket_table.h"
#include "procmap/host_root.h"
#include "procmap/scanner.h"

namespace hopscope::procmap {

struct ReaderOptions {
    HostRoot root = HostRoot();
    SocketScanner* scanner = nullptr;  // borrowed; nullptr: none
    bool all_net_namespaces = true;    // else only the one that we are in
    bool udp = true;
    bool netlink = true;  // false: only /proc/net, as where the diag modules are missing
};

class TableReader {
public:
    explicit TableReader(ReaderOptions options);
    ~TableReader();
    TableReader(const TableReader&) = delete;
    TableReader& operator=(const TableReader&) = delete;

    // What could not be read stands in SocketTable::limits; an error only when nothing at all could be read.
    Result<SocketTable> read();
    // From now on, of other network namespaces only unix sockets are read: the kernel walks its whole table of
    // connections for each namespace, and a node has one per pod.
    void leave_out_tcp_elsewhere();

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace hopscope::procmap
