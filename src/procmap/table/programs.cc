#include "procmap/table/programs.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "core/limits.h"
#include "core/node_words.h"
#include "procmap/table/cgroup_path.h"

namespace hopscope::procmap {
namespace {

constexpr std::size_t kProgramTextBytes = 64 * 1024;  // of a fake tree's stand-in for a program

bool is_deleted(const std::string& exe) {
    constexpr std::string_view kSuffix = " (deleted)";  // the name may now stand for another file
    return exe.size() >= kSuffix.size() && exe.compare(exe.size() - kSuffix.size(), kSuffix.size(), kSuffix) == 0;
}

// One path may be different files in different containers.
std::string memo_of(const Process& process) { return process.exe.raw() + '\0' + process.container_id.raw(); }

}  // namespace

const Program* Programs::look(const std::string& path, bool search_texts, int& error) {
    const auto opened = root_->open(path);
    if (!opened) {
        error = opened.error().errno_value;
        return nullptr;
    }
    const int fd = *opened;
    struct stat status {};
    const Program* program = nullptr;
    if (::fstat(fd, &status) == 0) {
        const FileKey key{.device = status.st_dev,
                          .inode = status.st_ino,
                          .size_bytes = static_cast<std::uint64_t>(status.st_size),
                          .modified_ns = std::int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec,
                          .changed_ns = std::int64_t{status.st_ctim.tv_sec} * 1'000'000'000 + status.st_ctim.tv_nsec +
                                        (search_texts ? 1 : 0)};
        auto found = known_.find(key);
        if (found == known_.end()) {
            Program read = read_program(fd, search_texts, search_bytes_);
            if (read.kind == Program::Kind::not_elf && !root_->is_live())
                if (const auto text = root_->read(path, kProgramTextBytes)) read = program_from_text(*text);
            if (!read.is_unfinished) {
                if (known_.size() >= limits::kProgramVerdictsMax) known_.clear();
                found = known_.emplace(key, std::move(read)).first;
            } else {
                unfinished_ = std::move(read);
            }
        }
        program = found == known_.end() ? &unfinished_ : &found->second;
    }
    ::close(fd);
    return program;
}

void Programs::begin_look() { search_bytes_ = limits::kProgramScanBytesPerLook; }

bool Programs::is_dull(const ProcessFacts& facts) const {
    return !facts.exe_denied && dull_.contains(memo_of(facts.process)) && !is_named_like_component(facts.process);
}

void Programs::judge(ProcessFacts& facts) {
    Process& process = facts.process;
    const bool named = is_named_like_component(process);
    const Program unread;
    ProgramSource source;
    if (!facts.is_kernel_thread && !facts.exe_denied && !is_dull(facts)) {
        int error = 0;
        const Program* program = look("/proc/" + std::to_string(process.id.pid) + "/exe", named, error);
        if (program != nullptr) {
            facts.program_unread = program->is_unfinished;
            source.kind = ProgramSource::Kind::executable;
            give_role(process, *program, source, facts.is_monitor);
            const bool nobody = !is_component(process.role);
            // A Go program may be several in one (k3s): what it is this time, its arguments tell.
            const bool never = !program->is_unfinished &&
                               (program->kind == Program::Kind::other_elf || program->kind == Program::Kind::not_elf);
            if (nobody && never && !named && !process.exe.empty() && !is_deleted(process.exe.raw())) {
                if (dull_.size() >= limits::kProgramVerdictsMax) dull_.clear();
                dull_.insert(memo_of(process));
            }
            return;
        }
        facts.exe_denied = error == EACCES || error == EPERM;
        source.why_not = std::strerror(error);
    } else if (facts.exe_denied) {
        source.why_not = std::strerror(EACCES);
    }
    // An ordinary user may not look at another's executable. What a process of root calls itself by is weaker, and
    // doubtful: an ordinary user can hardly make one lie. He starts setuid programs, and sudo makes all its users root
    // before it asks for a password; but nobody's login starts a node's components.
    if (named && facts.exe_denied && !process.cmdline.empty() && process.container_id.empty() &&
        !is_of_user_session(process.cgroup.raw()) && runs_as_root(*root_, process.id.pid)) {
        const std::string& first = process.cmdline.front().raw();
        int error = 0;
        if (!first.empty() && first.front() == '/')
            if (const Program* program = look(first, true, error)) {
                facts.program_unread = program->is_unfinished;
                source.kind = ProgramSource::Kind::first_argument;
                give_role(process, *program, source, facts.is_monitor);
                return;
            }
    }
    give_role(process, unread, source, facts.is_monitor);
}

}  // namespace hopscope::procmap
