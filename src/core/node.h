// What a survey of the node found beside its sockets: configuration, runtimes, containers, answers to probes.
// Plain data: procmap fills it, chain judges it (chain/verdict.h), export shows it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/endpoint.h"
#include "core/process.h"
#include "core/socket_table.h"
#include "core/untrusted.h"

namespace hopscope {

// One setting of a component that is in force, and where it stands.
struct ConfigValue {
    std::string key;   // canonical: "readOnlyPort", "stream_server_port", "streaming-bind-addr" …
    Untrusted value;   // as written; "" only if it is written as empty
    Untrusted source;  // path on the host ("/etc/containerd/config.toml"), or "/proc/PID/cmdline"; empty: the default
    std::uint32_t line = 0;   // 1 based; 0: not a file of lines (arguments, defaults)
    bool is_default = false;  // nothing sets it: the component's own default for its version
};

// The settings of one process. Of several writings of one key only the one in force is here (flags over file, later
// drop-in over earlier).
struct ComponentConfig {
    ProcessId process;
    ProcessRole role = ProcessRole::unknown;
    std::vector<ConfigValue> values;
    std::vector<std::string> trouble;  // sentences: "cannot read /etc/containerd/config.toml: Permission denied"

    [[nodiscard]] const ConfigValue* find(std::string_view key) const {
        for (const ConfigValue& value : values)
            if (value.key == key) return &value;
        return nullptr;
    }
};

// Who may connect to a unix socket, as its file says (unix(7): connect needs write permission). Access control lists
// and security modules are not looked at.
struct SocketAccess {
    std::uint32_t mode = 0, user_id = 0, group_id = 0;  // mode: the twelve bits of permissions
    Untrusted user, group;                              // their names on the host; empty: not known
    bool others_get_there = false;                      // no directory on the way shuts out other users
};

// A path where a unix socket lies now, with the file's numbers (Socket::file_device, file_inode).
struct SocketFile {
    Untrusted path;  // on the host, symbolic links resolved
    std::uint64_t device = 0, inode = 0;
    std::optional<SocketAccess> access = {};
};

// What lies at the path to which a listening unix socket was bound, where that is not the socket's own file.
struct BoundPath {
    enum class State : std::uint8_t {
        nothing,     // no file: who dials the path fails
        other_file,  // another one
        own_mounts,  // its process sees its own file there, in a mount namespace of its own
    };
    std::uint64_t inode = 0;  // of the socket
    State state{};
};

// A container runtime that was asked over its socket (or could not be).
struct RuntimeFacts {
    Untrusted socket_path;
    std::string component;    // "containerd" "cri-o" "docker" "cri-dockerd"; from its own answer where it gave one
    Untrusted name, version;  // VersionResponse.runtime_name and runtime_version, or Docker's
    std::string api_version;  // "v1" "v1alpha2" "1.41"
    bool answered = false;
    bool has_no_cri = false;         // it was asked for CRI and answered that it knows no such service
    std::string why_not;             // sentence; empty when it answered
    std::int64_t waited_ms = 0;      // it did not answer within that time; 0: it did, or failed at once
    std::uint64_t socket_inode = 0;  // of the listening socket that was asked; 0: not known
    bool off = false;  // by its settings it serves no names here: it was not asked, and nothing is wrong with it
};

// Whose a container id is. Also of pod sandboxes (`id` == `sandbox_id`).
struct ContainerNames {
    std::string id;          // 64 hexadecimal digits
    std::string sandbox_id;  // of its pod; empty: no pod
    std::string runtime;     // "containerd" "docker" "cri-o"
    Untrusted name, pod, namespace_, pod_uid;
    std::string source;  // "CRI at /run/containerd/containerd.sock", "shim arguments" …
};

// An exec that runs now, by the FIFOs of its standard streams that somebody holds open.
struct RunningExec {
    std::string container_id;
    Untrusted exec_id;
    std::vector<SocketOwner> holders;  // processes with the FIFOs open, and their fd
};

// What one listener answered to the harmless requests of `--probe`: one line per request.
struct ProbeAnswer {
    Endpoint endpoint;
    bool tls = false;  // answered with a TLS alert or handshake, or "Client sent an HTTP request to an HTTPS server"
    struct Line {
        std::string request;       // "PUT /exec/x"
        std::uint16_t status = 0;  // 0: no HTTP answer
        bool nosniff = false;      // X-Content-Type-Options: nosniff
        Untrusted allow;           // Allow header
        Untrusted body;            // the first 80 bytes
    };
    std::vector<Line> lines;
    std::string trouble;  // sentence when nothing came back ("Connection refused", "no answer within 1 s")
};

struct Node {
    SocketTable table;
    std::vector<ComponentConfig> configs;  // by process id
    std::vector<SocketFile> socket_files;  // usual, configured and asked for paths that exist, and where else they lie
    std::vector<BoundPath> bound_paths;    // of a listener that is not here its file is in place, or nothing is known
    std::vector<RuntimeFacts> runtimes;
    std::vector<ContainerNames> containers;
    std::vector<RunningExec> execs;
    std::vector<ProbeAnswer> probes;                              // empty without --probe
    std::uint16_t ephemeral_low = 32768, ephemeral_high = 60999;  // net.ipv4.ip_local_port_range
    std::uint64_t host_net_namespace = 0;                         // inode of pid 1's; 0: not readable
    std::vector<IpAddress> addresses;                             // of the host's interfaces, sorted; empty: not known
    std::vector<std::string> limits;                              // sentences: what could not be read, and the remedy
};

}  // namespace hopscope
