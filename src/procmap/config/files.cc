#include "procmap/config/files.h"

#include <fnmatch.h>

#include <algorithm>
#include <cerrno>

#include "core/limits.h"

namespace hopscope::procmap {
namespace {

bool same(const FileNumbers& a, const FileNumbers& b) {
    return a.device == b.device && a.inode == b.inode && a.size_bytes == b.size_bytes && a.modified_ns == b.modified_ns;
}

std::string in_directory(std::string_view directory, std::string_view name) {
    std::string path(directory);
    if (path.empty() || path.back() != '/') path += '/';
    return path.append(name);
}

}  // namespace

bool unchanged(const HostRoot& root, const FileSeen& seen) {
    const Result<FileNumbers> now = root.stat(seen.on_host);
    return now.has_value() == seen.there && (!now || same(*now, seen.numbers));
}

ProcessFiles::ProcessFiles(const HostRoot& root, const Process& process, std::vector<FileSeen>* seen)
    : root_(root), process_(process), seen_(seen) {
    const std::string through = "/proc/" + std::to_string(process.id.pid) + "/root";
    const Result<FileNumbers> there = root.stat(through);
    if (there && there->is_directory)
        prefix_ = through;
    else
        reachable_ = process.container_id.empty();
}

std::string ProcessFiles::absolute(std::string_view path) const {
    if (path.starts_with('/')) return std::string(path);
    const std::string process = "/proc/" + std::to_string(process_.id.pid);
    const Result<std::string> cwd = root_.read_link(process + "/cwd"), top = root_.read_link(process + "/root");
    std::string_view directory = cwd && cwd->starts_with('/') ? std::string_view(*cwd) : "/";
    // After chroot(2) the kernel still tells it from our root; to the process it lies below its own.
    if (top && *top != "/" && directory.starts_with(*top) &&
        (directory.size() == top->size() || directory[top->size()] == '/'))
        directory.remove_prefix(top->size());
    return in_directory(directory, path);
}

std::string ProcessFiles::on_host(std::string_view path) const { return prefix_ + absolute(path); }

void ProcessFiles::note(const std::string& on_host, const Result<FileNumbers>& numbers) {
    if (!seen_ || !noted_.insert(on_host).second) return;
    seen_->push_back({on_host, numbers.has_value(), numbers ? *numbers : FileNumbers{}});
}

std::optional<std::string> ProcessFiles::read(std::string_view path, Draft& draft, bool optional) {
    const std::string sentence = "cannot read " + display(path) + ": ";
    if (!reachable_) {
        draft.trouble(sentence + "it lies in the process's container, whose files are not permitted");
        return std::nullopt;
    }
    if (++files_read_ > limits::kSettingFilesMax) {
        draft.trouble(sentence + "more than " + std::to_string(limits::kSettingFilesMax) + " files");
        return std::nullopt;
    }
    const std::string real = on_host(path);
    const Result<FileNumbers> numbers = root_.stat(real);
    note(real, numbers);
    if (!numbers) {
        if (!optional || numbers.error().errno_value != ENOENT) draft.trouble(sentence + numbers.error().why);
        return std::nullopt;
    }
    // A FIFO or a device could keep us waiting.
    if (!numbers->is_regular || numbers->size_bytes > limits::kSettingFileBytesMax) {
        draft.trouble(sentence + (numbers->is_regular ? "larger than any configuration" : "not a regular file"));
        return std::nullopt;
    }
    const std::size_t left = limits::kSettingFilesBytesMax - bytes_read_;
    if (numbers->size_bytes > left) {
        draft.trouble(sentence + "all files together are larger than " + std::to_string(limits::kSettingFilesBytesMax) +
                      " bytes");
        return std::nullopt;
    }
    Result<std::string> text = root_.read(real, std::min(left, limits::kSettingFileBytesMax));
    if (!text) {
        draft.trouble(sentence + text.error().why);
        return std::nullopt;
    }
    bytes_read_ += text->size();
    return std::move(*text);
}

std::vector<std::string> ProcessFiles::names_in(std::string_view directory, Draft& draft) {
    if (!reachable_) return {};
    if (++listings_ > limits::kSettingListingsMax) {
        draft.trouble("cannot list " + display(directory) + ": more than " +
                      std::to_string(limits::kSettingListingsMax) + " directories");
        return {};
    }
    const std::string real = on_host(directory);
    note(real, root_.stat(real));
    const std::size_t left = limits::kSettingNamesMax - names_;
    Result<std::vector<std::string>> names = root_.list(real, left + 1);
    if (!names) return {};
    names_ += std::min(names->size(), left);
    if (names->size() <= left) return std::move(*names);
    // Which of them come first is not known before all are read.
    draft.trouble("cannot list " + display(directory) + ": all directories together have more than " +
                  std::to_string(limits::kSettingNamesMax) + " names");
    return {};
}

std::vector<std::string> ProcessFiles::with_suffix(std::string_view directory, std::string_view suffix, Draft& draft) {
    std::vector<std::string> paths;
    for (const std::string& name : names_in(directory, draft))
        if (name.ends_with(suffix) && !name.starts_with('.')) paths.push_back(in_directory(directory, name));
    return paths;
}

std::vector<std::string> ProcessFiles::matching(const std::string& pattern, Draft& draft) {
    if (pattern.find_first_of("*?[") == std::string::npos) return {pattern};
    const std::size_t slash = pattern.rfind('/');
    const std::string directory = slash == 0 ? "/" : pattern.substr(0, slash);
    std::vector<std::string> paths;
    for (const std::string& name : names_in(directory, draft))
        if (fnmatch(pattern.c_str() + slash + 1, name.c_str(), FNM_PERIOD) == 0)
            paths.push_back(in_directory(directory, name));
    return paths;
}

}  // namespace hopscope::procmap
