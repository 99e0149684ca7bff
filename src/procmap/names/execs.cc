#include "procmap/names/execs.h"

#include <algorithm>
#include <charconv>
#include <map>

#include "core/limits.h"
#include "procmap/names/runtime_answer.h"

namespace hopscope::procmap {
namespace {

// Takes the last part off a path.
std::string_view pop(std::string_view& path) {
    const std::size_t slash = path.rfind('/');
    if (slash == std::string_view::npos) return std::exchange(path, {});
    const std::string_view part = path.substr(slash + 1);
    path = path.substr(0, slash);
    return part;
}

bool holds_streams(ProcessRole role) {
    return role == ProcessRole::containerd || role == ProcessRole::containerd_shim || role == ProcessRole::dockerd;
}

}  // namespace

std::optional<StreamFifo> stream_fifo(std::string_view path) {
    std::string_view name = pop(path);
    const std::size_t dash = name.rfind('-');
    if (dash == std::string_view::npos) return std::nullopt;
    const std::string_view stream = name.substr(dash + 1);
    if (stream != "stdin" && stream != "stdout" && stream != "stderr") return std::nullopt;
    StreamFifo fifo;
    fifo.exec_id = name.substr(0, dash);
    if (!is_container_id(fifo.exec_id)) return std::nullopt;  // Docker's "init": the container itself
    std::string_view above = pop(path);
    if (is_container_id(above)) {
        fifo.container_id = above;
        if (pop(path) != "containerd") return std::nullopt;
    } else {
        if (pop(path) != "io") return std::nullopt;
        fifo.container_id = pop(path);
        if (pop(path) != "containers" || !pop(path).starts_with("io.containerd.")) return std::nullopt;
    }
    if (!is_container_id(fifo.container_id)) return std::nullopt;
    return fifo;
}

std::vector<HeldStreams> held_streams(const HostRoot& root, const SocketTable& table) {
    std::map<std::pair<std::string, std::string>, HeldStreams> found;
    for (const Process& process : table.processes) {
        if (!holds_streams(process.role)) continue;
        const std::string directory = "/proc/" + std::to_string(process.id.pid) + "/fd";
        const Result<std::vector<std::string>> names = root.list(directory);
        if (!names) continue;
        const std::size_t count = std::min(names->size(), limits::kDescriptorsPerProcessMax);
        for (std::size_t i = 0; i < count; ++i) {
            const std::string& name = (*names)[i];
            std::string path = directory;
            const Result<std::string> target = root.read_link(path.append("/").append(name));
            const std::optional<StreamFifo> fifo = target ? stream_fifo(*target) : std::nullopt;
            std::uint32_t fd = 0;
            if (!fifo || std::from_chars(name.data(), name.data() + name.size(), fd).ec != std::errc()) continue;
            std::pair<std::string, std::string> key(fifo->container_id, fifo->exec_id);
            if (found.size() >= limits::kRunningExecsMax && !found.contains(key)) continue;
            HeldStreams& held = found[std::move(key)];
            held.input = held.input || target->ends_with("-stdin");
            if (held.holders.size() < limits::kExecHoldersMax) held.holders.push_back({process.id, fd});
        }
    }
    std::vector<HeldStreams> streams;
    streams.reserve(found.size());
    for (auto& [key, held] : found) {
        std::ranges::sort(held.holders);
        held.container_id = key.first;
        held.exec_id = key.second;
        streams.push_back(std::move(held));
    }
    return streams;
}

std::vector<RunningExec> running_execs(const HostRoot& root, const SocketTable& table) {
    std::vector<RunningExec> execs;
    for (HeldStreams& held : held_streams(root, table)) {
        if (held.container_id == held.exec_id) continue;
        execs.push_back({std::move(held.container_id), Untrusted(held.exec_id), std::move(held.holders)});
    }
    return execs;
}

}  // namespace hopscope::procmap
