#include "cli/node_reader.h"

#include <linux/magic.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>

#include "cli/report_error.h"
#include "core/descriptor.h"
#include "core/untrusted.h"
#include "procmap/bpf/scanner.h"
#include "procmap/kernel_numbers.h"
#include "procmap/own_capabilities.h"

namespace hopscope::cli {
namespace {

// Loading the eBPF iterator costs 20 to 70 ms, walking /proc/PID/fd about 0.1 ms per process (67 to 223 ms for
// 1,100): for one picture of a small node the walk is done before the program is loaded.
constexpr std::size_t kProcessesWorthLoading = 400;

std::size_t count_processes(const procmap::HostRoot& root) {
    const auto names = root.list("/proc");
    if (!names) return 0;
    return static_cast<std::size_t>(std::count_if(names->begin(), names->end(), [](const std::string& name) {
        return !name.empty() && name.find_first_not_of("0123456789") == std::string::npos;
    }));
}

// In a container that was given the host's files, they lie below /host (HOST_ROOT of other tools).
std::string default_root() { return ::access("/host/proc/1", F_OK) == 0 ? "/host" : "/"; }

Unexpected<Error> no_namespace(const char* why) { return unexpected(Error{.why = why}); }

// By the link's text: a copy of a node's files has no more than that.
Result<std::uint64_t> namespace_of_process(const procmap::HostRoot& root, const std::string& pid) {
    const auto link = root.read_link("/proc/" + pid + "/ns/net");
    if (!link) return unexpected(link.error());
    const std::uint64_t inode = procmap::namespace_inode(*link, "net");
    if (inode == 0) return no_namespace("its link is none of a network namespace");
    return inode;
}

// Only a file of the kernel's own file system of namespaces is one; the number of any other is a number of its disk.
Result<std::uint64_t> namespace_of_file(const procmap::HostRoot& root, const std::string& path) {
    const auto opened = root.open(path);
    if (!opened) return unexpected(opened.error());
    const Descriptor file(*opened);
    struct statfs where {};
    struct stat status {};
    if (::fstatfs(file.get(), &where) != 0 || ::fstat(file.get(), &status) != 0)
        return no_namespace("cannot look at it");
    if (where.f_type != NSFS_MAGIC) return no_namespace("it is a file, but not one of a namespace");
    const int kind = ::ioctl(file.get(), NS_GET_NSTYPE);  // Linux 4.11; -1 before
    if (kind >= 0 && kind != CLONE_NEWNET) return no_namespace("it is a namespace, but not one of the network");
    return std::uint64_t{status.st_ino};
}

}  // namespace

std::vector<OptionSpec> node_options() {
    return {
        {.name = "netns",
         .value = "WHICH",
         .text = "network namespace: host, all, a pid, or a path",
         .fallback = "host"},
        {.name = "ebpf",
         .value = "WHEN",
         .text = "read sockets with eBPF: when it is quicker, never, or fail",
         .fallback = "auto",
         .choices = {"auto", "off", "require"}},
    };
}

Status NodeReader::choose_namespace(const std::string& text) {
    if (text == "all" || text == "host" || text.empty()) {  // empty: a command without the option
        which_ = text == "all" ? Namespaces::all : Namespaces::host;
        return Done{};
    }
    std::uint32_t pid = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), pid);
    const bool by_pid = error == std::errc{} && end == text.data() + text.size() && pid != 0;
    const auto inode = by_pid ? namespace_of_process(root_, text) : namespace_of_file(root_, text);
    if (!inode)
        return unexpected(Error{.doing = "no network namespace",
                                .subject = text,
                                .why = display(inode.error().why),
                                .hint = "--netns all, host, a pid, or a path such as /run/netns/NAME",
                                .code = "NOD-03"});
    which_ = Namespaces::one;
    namespace_ = *inode;
    return Done{};
}

Status NodeReader::open_scanner(const std::string& when, bool refreshed) {
    if (when == "off") return Done{};
    const bool required = when == "require";
    if (!root_.is_live()) {
        if (!required) return Done{};
        return unexpected(Error{.doing = "cannot read sockets of",
                                .subject = root_.directory(),
                                .why = "eBPF sees the running kernel, not a copy of its files",
                                .hint = "--ebpf auto",
                                .code = "BPF-01"});
    }
    const bool walk = procmap::may_list_all_descriptors() && count_processes(root_) < kProcessesWorthLoading;
    if (!required && !refreshed && walk) return Done{};
    auto opened = procmap::Scanner::open();
    if (opened) {
        scanner_ = std::move(*opened);
    } else if (required) {
        return unexpected(opened.error());
    }
    return Done{};  // auto: netlink and /proc do it, and the table says how it was made
}

std::string host_directory(const Invocation& invocation) {
    return invocation.given("host-root") ? invocation.text("host-root") : default_root();
}

Result<std::unique_ptr<NodeReader>> NodeReader::open(const Invocation& invocation, NodeRequest request) {
    std::unique_ptr<NodeReader> reader(new NodeReader(procmap::HostRoot(host_directory(invocation))));
    if (auto chosen = reader->choose_namespace(invocation.text("netns")); !chosen) return unexpected(chosen.error());
    if (auto scanner = reader->open_scanner(invocation.text("ebpf"), request.refreshed); !scanner)
        return unexpected(scanner.error());

    // Ours is the host's namespace unless we run in a pod; then the others must be read to find the host's.
    const auto own = reader->root_.stat("/proc/self/ns/net"), host = reader->root_.stat("/proc/1/ns/net");
    const bool elsewhere = own && host && own->inode != host->inode;
    procmap::ReaderOptions options{.root = reader->root_};
    options.scanner = reader->scanner_.get();
    options.all_net_namespaces = request.all_net_namespaces || reader->which_ != Namespaces::host || elsewhere;
    procmap::SurveyOptions survey;
    survey.ask_runtimes = request.ask_runtimes && reader->root_.is_live();
    survey.probe = request.probe;  // never this machine's ports for another's files: the survey looks whose they are
    survey.probe_choice = std::move(request.probe_choice);
    survey.socket_paths = std::move(request.socket_paths);
    reader->survey_ = std::make_unique<procmap::Survey>(std::move(options), std::move(survey));
    return reader;
}

Result<Node> NodeReader::take() { return survey_->take(); }

bool NodeReader::shows_namespace(std::uint64_t net_namespace, const Node& node) const {
    if (net_namespace == 0 || which_ == Namespaces::all) return true;
    if (which_ == Namespaces::one) return net_namespace == namespace_;
    return node.host_net_namespace == 0 || net_namespace == node.host_net_namespace;
}

std::vector<std::string> limits_of(const Node& node) {
    std::vector<std::string> limits = node.table.limits;
    for (const std::string& limit : node.limits)
        if (std::find(limits.begin(), limits.end(), limit) == limits.end()) limits.push_back(limit);
    return limits;
}

void report_limits(const Node& node, std::string_view about) {
    for (const std::string& limit : limits_of(node)) {
        const auto has = [&](std::string_view word) { return limit.find(word) != std::string::npos; };
        if (!has(about)) continue;
        // Its page also tells of processes that refuse whoever asks.
        const bool owners = has("CAP_SYS_PTRACE") || has("CAP_DAC_READ_SEARCH") || has("all the same");
        report_note(display(limit), owners ? "CAP-03" : has("CAP_SYS_ADMIN") ? "CAP-04" : "");
    }
}

}  // namespace hopscope::cli
