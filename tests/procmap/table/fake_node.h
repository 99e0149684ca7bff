// Processes of a fake node, written as files below a tree's /proc.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "procmap/table/tree.h"

namespace hopscope::procmap::test {

struct FakeProcess {
    std::uint32_t pid = 0, parent = 1;
    std::string comm;
    std::vector<std::string> arguments;
    std::string exe;  // path; the file is the test's to write
    std::string cgroup = "/";
    std::vector<std::pair<unsigned, unsigned>> sockets;  // descriptor, inode
    std::uint64_t start = 1000, net_namespace = 4026531840;
    std::uint32_t uid = 0;
    std::uint64_t flags = 0x400000;
};

inline void add(const Tree& tree, const FakeProcess& process) {
    const std::string folder = "/proc/" + std::to_string(process.pid);
    std::string stat = std::to_string(process.pid) + " (" + process.comm + ") S " + std::to_string(process.parent) +
                       " 1 1 0 -1 " + std::to_string(process.flags);
    for (int field = 10; field < 22; ++field) stat += " 0";
    tree.write(folder + "/stat", stat + " " + std::to_string(process.start) + " 1 2 3\n");
    tree.write(folder + "/status", "Name:\tx\nUid:\t" + std::to_string(process.uid) + "\t0\t0\t0\n");
    std::string line;
    for (const std::string& argument : process.arguments) line += argument + '\0';
    tree.write(folder + "/cmdline", line);
    tree.write(folder + "/cgroup", "0::" + process.cgroup + "\n");
    tree.link(folder + "/ns/net", "net:[" + std::to_string(process.net_namespace) + "]");
    tree.link(folder + "/ns/pid", "pid:[4026531836]");
    if (!process.exe.empty()) tree.link(folder + "/exe", process.exe);
    tree.link(folder + "/fd/0", "/dev/null");
    for (const auto& [fd, inode] : process.sockets)
        tree.link(folder + "/fd/" + std::to_string(fd), "socket:[" + std::to_string(inode) + "]");
}

}  // namespace hopscope::procmap::test
