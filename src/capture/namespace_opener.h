// A small process beside ours that keeps the right to enter network namespaces, so that we can give it up.
//
// It is forked before anything else is open, keeps no descriptor but its end of a pair of sockets and /proc, confines
// itself, and from then on does one thing: asked for the network namespace of a process, it enters it and hands back a
// packet socket that was made there (SCM_RIGHTS), which receives nothing yet. It reads no packet, no file, and from us
// nothing but a process number and an inode. It shares no memory with us: who takes over the process that decodes
// gets, through it, packet sockets in namespaces, and nothing else that its capabilities would allow.
//
// It ends when our end of the pair is closed: also when we are killed.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "core/descriptor.h"
#include "core/result.h"

namespace hopscope::capture {

class NamespaceOpener {
public:
    // Forks: call it while there is no other thread. `proc`: the folder with the node's processes ("/proc").
    // `confine` is called in the new process, once; where it returns false nothing is opened. CAP-26.
    static Result<std::unique_ptr<NamespaceOpener>> start(const std::string& proc,
                                                          const std::function<bool()>& confine);
    ~NamespaceOpener();
    NamespaceOpener(const NamespaceOpener&) = delete;
    NamespaceOpener& operator=(const NamespaceOpener&) = delete;

    // A packet socket (socket(AF_PACKET, SOCK_RAW, 0)) in the network namespace of process `pid`, the caller's to
    // close; waits for it, one second at most. `inode`: which namespace that must be. CAP-26: the process or its
    // namespace is gone, another one has its number, the kernel refused (Error::errno_value), or the opener has ended.
    Result<int> open(std::uint32_t pid, std::uint64_t inode);
    [[nodiscard]] pid_t pid() const { return child_; }

private:
    NamespaceOpener(pid_t child, int socket) : child_(child), socket_(socket) {}
    pid_t child_;
    Descriptor socket_;
    std::uint32_t requests_ = 0;
};

}  // namespace hopscope::capture
