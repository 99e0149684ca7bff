#include "cli/live_shim.h"

#include <algorithm>

#include "chain/exec_choice.h"
#include "chain/join_words.h"
#include "procmap/names/arguments.h"

namespace hopscope::cli {
namespace {

using chain::Hop;
using chain::HopKind;
using chain::said;

const Socket* listener_at(const SocketTable& table, const std::string& path) {
    if (path.empty()) return nullptr;
    const auto at = std::find_if(table.sockets.begin(), table.sockets.end(), [&](const Socket& socket) {
        return socket.transport == Transport::unix_stream && socket.state == SocketState::listen &&
               socket.unix_local.path == path;
    });
    return at == table.sockets.end() ? nullptr : &*at;
}

// Null: none, or several.
const Socket* listener_of(const SocketTable& table, std::uint32_t pid) {
    const Socket* found = nullptr;
    for (const Socket& socket : table.sockets) {
        if (socket.transport != Transport::unix_stream || socket.state != SocketState::listen) continue;
        if (std::none_of(socket.owners.begin(), socket.owners.end(),
                         [&](const SocketOwner& owner) { return owner.process.pid == pid; }))
            continue;
        if (found) return nullptr;
        found = &socket;
    }
    return found;
}

chain::Process model_of(const Process& process) {
    return {.pid = process.id.pid, .comm = process.comm, .exe = process.exe};
}

struct Found {
    const Process* shim = nullptr;
    procmap::ShimArguments arguments;
    std::string says;
    Grade grade = Grade::seen;
};

Found find_shim(const SocketTable& table, const chain::Session& session, const Hop* process_hop) {
    Found by_parent;
    for (const Process& process : table.processes) {
        if (process.role != ProcessRole::containerd_shim) continue;
        const auto arguments = procmap::shim_arguments(process);
        if (!arguments) continue;
        if (session.container.sandbox_id == arguments->id)
            return {&process, *arguments, "its argument -id is the pod's sandbox", Grade::seen};
        if (session.container.id == arguments->id)
            return {&process, *arguments, "its argument -id is the container", Grade::seen};
        if (process_hop && process_hop->from && process_hop->from->pid == process.id.pid)
            by_parent = {&process, *arguments, "it is the parent of the container's process", Grade::inferred};
    }
    return by_parent;
}

}  // namespace

void add_shim_by_table(chain::Chain& chain, std::span<const std::unique_ptr<chain::Session>> all,
                       const SocketTable& table, const std::string& why) {
    if (chain.op != chain::Op::exec && chain.op != chain::Op::attach) return;
    const Hop* process_hop = nullptr;
    for (const Hop& hop : chain.hops) {
        if (hop.kind == HopKind::shim && hop.proto == "ttrpc") return;  // "docker", "grpc": the hops before it
        if (hop.kind == HopKind::process) process_hop = &hop;
    }
    const chain::Session* session = chain::nearest_to_runtime(chain, all);
    if (!session) return;
    const Found found = find_shim(table, *session, process_hop);
    if (!found.shim) return;
    Hop hop;
    hop.kind = HopKind::shim;
    hop.grade = found.grade;
    hop.to = model_of(*found.shim);
    hop.proto = "ttrpc";
    hop.evidence.push_back(said(found.grade, found.says, "shim"));
    if (const Socket* listener = listener_at(table, found.arguments.address)) {
        for (const SocketOwner& owner : listener->owners) {
            const Process* runtime = find_process(table, owner.process.pid);
            if (!runtime || runtime->role != ProcessRole::containerd) continue;
            hop.from = model_of(*runtime);
            hop.evidence.push_back(
                said(Grade::seen, "its argument -address is the socket that " + chain::who(*hop.from) + " listens on",
                     "runtime"));
            break;
        }
    }
    if (const Socket* own = listener_of(table, found.shim->id.pid)) hop.unix_socket = own->unix_local;
    hop.evidence.push_back(said(Grade::inferred, "its calls were not read: " + why, "calls"));
    const auto after =
        std::find_if(chain.hops.begin(), chain.hops.end(), [](const Hop& each) { return each.kind > HopKind::shim; });
    chain.hops.insert(after, std::move(hop));
}

}  // namespace hopscope::cli
