// Where unix sockets of a node lie: the usual places, and those that the components were told.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/node.h"
#include "procmap/host_root.h"

namespace hopscope::procmap {

// "unix:///run/x.sock", "unix:/run/x.sock", "/run/x.sock" → the path; empty: no unix socket ("fd://", "tcp://…").
std::string unix_path_of(std::string_view endpoint);

// The path with every symbolic link on the way resolved within the root; what is not there stays as written.
std::string resolved(const HostRoot& root, std::string_view path);

enum class RuntimeApi : std::uint8_t { none, cri, docker };

struct UsualSocket {
    std::string_view path;
    RuntimeApi api = RuntimeApi::none;  // what can be asked for names there
};

// Where sockets of container runtimes and of what stands beside them lie unless they are told otherwise.
std::span<const UsualSocket> usual_sockets();

struct SocketPlaces {
    std::vector<SocketFile> files;
    std::vector<BoundPath> bound;
};

// Every socket that exists at a usual or configured place or at one of `asked` (paths on the host), sorted by path; at
// most limits::kSocketFilesMax looked at. Of the listeners of `table` whose own file is not at the path to which they
// were bound (any more): what is, and the file itself where it was renamed within its directory.
SocketPlaces socket_files(const HostRoot& root, std::span<const ComponentConfig> configs, const SocketTable& table,
                          std::span<const std::string> asked);

}  // namespace hopscope::procmap
