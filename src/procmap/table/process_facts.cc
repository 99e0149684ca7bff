#include "procmap/table/process_facts.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <climits>
#include <string>

#include "core/limits.h"
#include "procmap/kernel_numbers.h"
#include "procmap/table/cgroup_path.h"
#include "procmap/table/proc_path.h"

namespace hopscope::procmap {
namespace {

constexpr std::uint64_t kKernelThreadFlag = 0x00200000;  // PF_KTHREAD, include/linux/sched.h
constexpr std::size_t kStatFieldParent = 4, kStatFieldSession = 6, kStatFieldFlags = 9, kStatFieldStart = 22,
                      kStatFieldCode = 26, kStatFieldCodeEnd = 27, kStatFieldStack = 28;  // proc(5)

// Up to out.size() bytes; -1 and errno. O_NONBLOCK: in a foreign tree the name may be a FIFO.
template <std::size_t N>
ssize_t read_small(int proc, std::uint32_t pid, std::string_view file, std::array<char, N>& out) {
    const int fd =
        ::openat(proc, ProcPath(pid, file).text(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW);
    if (fd < 0) return -1;
    std::size_t used = 0;
    while (used < N) {
        const ssize_t got = ::read(fd, out.data() + used, N - used);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) break;
        used += static_cast<std::size_t>(got);
        if (used < N && used % 4096 != 0) break;  // files of /proc come in whole pages; a short read was the last
    }
    ::close(fd);
    return static_cast<ssize_t>(used);
}

// Others may be no numbers, or negative.
constexpr bool is_wanted(std::size_t field) {
    return field == kStatFieldParent || field == kStatFieldSession || field == kStatFieldFlags ||
           field == kStatFieldStart || field >= kStatFieldCode;
}

bool is_denied(int error) { return error == EACCES || error == EPERM; }

void take_arguments(std::string_view bytes, std::vector<Untrusted>& out) {
    while (!bytes.empty() && out.size() < limits::kCommandLineArgumentsMax) {
        const std::size_t end = std::min(bytes.find('\0'), bytes.size());
        out.emplace_back(bytes.substr(0, end));
        bytes.remove_prefix(std::min(end + 1, bytes.size()));
    }
}

// All four numbers of "Uid:\t0\t0\t0\t0" are root's: real, effective, saved and that of the file system. The real one
// of a setuid program is whoever started it.
bool is_all_root(std::string_view status) {
    const std::size_t line = status.find("\nUid:");
    if (line == std::string_view::npos) return false;
    std::string_view rest = status.substr(line + 5);
    rest = rest.substr(0, rest.find('\n'));
    int users = 0;
    while (true) {
        rest.remove_prefix(std::min(rest.find_first_not_of(" \t"), rest.size()));
        if (rest.empty()) return users == 4;
        const std::string_view user = rest.substr(0, rest.find_first_of(" \t"));
        if (user != "0") return false;
        ++users;
        rest.remove_prefix(user.size());
    }
}

}  // namespace

bool parse_stat(std::string_view line, ProcessFacts& out) {
    // The name may hold anything, parentheses and line ends included: it ends at the last ')'.
    const std::size_t open = line.find('('), close = line.rfind(')');
    if (open == std::string_view::npos || close == std::string_view::npos || close < open) return false;
    std::uint32_t pid = 0;
    std::from_chars(line.data(), line.data() + open, pid);
    if (pid == 0) return false;
    std::array<std::uint64_t, kStatFieldStack + 1> fields{};
    const char* at = line.data() + close + 1;
    const char* const end = line.data() + line.size();
    std::size_t field = 3;
    for (; field < fields.size(); ++field) {
        while (at != end && *at == ' ') ++at;
        if (at == end) break;
        if (is_wanted(field) && std::from_chars(at, end, fields[field]).ec != std::errc{}) return false;
        while (at != end && *at != ' ') ++at;
    }
    if (field <= kStatFieldStart) return false;
    out.process.id = {pid, fields[kStatFieldStart]};
    out.process.parent_pid = static_cast<std::uint32_t>(fields[kStatFieldParent]);
    out.session = static_cast<std::uint32_t>(fields[kStatFieldSession]);
    out.process.comm = Untrusted(line.substr(open + 1, close - open - 1));
    out.is_kernel_thread = (fields[kStatFieldFlags] & kKernelThreadFlag) != 0;
    // Who may not see them is told 1, 1 and 0.
    if (fields[kStatFieldStack] != 0)
        out.places = {fields[kStatFieldCode], fields[kStatFieldCodeEnd], fields[kStatFieldStack]};
    return true;
}

std::uint64_t read_namespace(int proc, std::uint32_t pid, std::string_view file, bool* denied) {
    std::array<char, 64> target;
    const ssize_t size = ::readlinkat(proc, ProcPath(pid, file).text(), target.data(), target.size());
    if (size < 0 && denied != nullptr) *denied = is_denied(errno);
    if (size <= 0) return 0;
    return namespace_inode({target.data(), static_cast<std::size_t>(size)}, file.substr(file.rfind('/') + 1));
}

bool read_process(int proc, std::uint32_t pid, ProcessFacts& out) {
    out = {};
    std::array<char, 4096> small;
    const ssize_t got = read_small(proc, pid, "stat", small);
    if (got <= 0 || !parse_stat({small.data(), static_cast<std::size_t>(got)}, out)) return false;
    out.process.id.pid = pid;
    return true;
}

bool runs_as_root(const HostRoot& root, std::uint32_t pid) {
    const auto status = root.read("/proc/" + std::to_string(pid) + "/status", limits::kStatusFileBytesMax);
    return status && is_all_root(*status);
}

void read_executable(int proc, ProcessFacts& facts) {
    std::array<char, PATH_MAX> link;
    const ssize_t got = ::readlinkat(proc, ProcPath(facts.process.id.pid, "exe").text(), link.data(), link.size());
    if (got > 0) facts.process.exe = Untrusted({link.data(), static_cast<std::size_t>(got)});
    facts.exe_denied = got < 0 && is_denied(errno);
}

void read_container(int proc, ProcessFacts& facts) {
    Process& process = facts.process;
    std::array<char, limits::kCgroupFileBytesMax> lines;
    const ssize_t got = read_small(proc, process.id.pid, "cgroup", lines);
    if (got <= 0) return;
    const std::string_view path = telling_cgroup({lines.data(), static_cast<std::size_t>(got)});
    process.cgroup = Untrusted(path);
    CgroupNames names = names_of_cgroup(path);
    process.container_id = Untrusted(names.container_id);
    process.pod_uid = Untrusted(names.pod_uid);
    facts.is_monitor = names.is_monitor;
}

void read_arguments(int proc, ProcessFacts& facts) {
    facts.process.cmdline.clear();
    std::array<char, limits::kCommandLineBytesMax> bytes;
    const ssize_t got = read_small(proc, facts.process.id.pid, "cmdline", bytes);
    if (got > 0) take_arguments({bytes.data(), static_cast<std::size_t>(got)}, facts.process.cmdline);
}

}  // namespace hopscope::procmap
