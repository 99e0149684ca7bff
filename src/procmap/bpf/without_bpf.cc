// The same classes in a build without eBPF: nothing opens, and says why.
#include <memory>
#include <vector>

#include "procmap/bpf/capabilities_bpf.h"
#include "procmap/bpf/process_watcher.h"
#include "procmap/bpf/scanner.h"
#include "procmap/bpf/unix_tap.h"
#include "procmap/bpf/watcher.h"

namespace hopscope::procmap {
namespace {

Unexpected<Error> left_out(const char* doing) {
    return unexpected(Error{.doing = doing,
                            .subject = "eBPF",
                            .why = "built without eBPF",
                            .hint = "build with clang-14, llvm-14, libbpf-dev and libelf-dev: ./dev build",
                            .code = "BPF-01"});
}

}  // namespace

struct Scanner::State {};
Scanner::Scanner(std::unique_ptr<State> state) : state_(std::move(state)) {}
Scanner::~Scanner() = default;
Result<std::unique_ptr<Scanner>> Scanner::open() { return left_out("cannot scan sockets with"); }
Result<std::vector<Socket>> Scanner::scan() { return std::vector<Socket>{}; }

struct SocketWatcher::State {};
SocketWatcher::SocketWatcher(std::unique_ptr<State> state) : state_(std::move(state)) {}
SocketWatcher::~SocketWatcher() = default;
Result<std::unique_ptr<SocketWatcher>> SocketWatcher::open(std::uint32_t, std::uint32_t, std::uint32_t) {
    return left_out("cannot watch sockets with");
}
int SocketWatcher::fd() const { return -1; }
std::size_t SocketWatcher::drain(const std::function<void(const SocketSign&)>&,
                                 const std::function<void(const UnixAccept&)>&) {
    return 0;
}
std::uint64_t SocketWatcher::lost() const { return 0; }
std::uint64_t SocketWatcher::events() const { return 0; }

struct ProcessWatcher::State {};
ProcessWatcher::ProcessWatcher(std::unique_ptr<State> state) : state_(std::move(state)) {}
ProcessWatcher::~ProcessWatcher() = default;
Result<std::unique_ptr<ProcessWatcher>> ProcessWatcher::open(std::uint32_t, std::uint32_t) {
    return left_out("cannot watch processes with");
}
int ProcessWatcher::fd() const { return -1; }
std::size_t ProcessWatcher::drain(const std::function<void(const ProcessEvent&)>&) { return 0; }
std::uint64_t ProcessWatcher::lost() const { return 0; }
std::uint64_t ProcessWatcher::events() const { return 0; }

struct UnixTap::State {};
UnixTap::UnixTap(std::unique_ptr<State> state) : state_(std::move(state)) {}
UnixTap::~UnixTap() = default;
Result<std::unique_ptr<UnixTap>> UnixTap::open(const std::vector<std::string>&, std::uint32_t) {
    return left_out("cannot read unix sockets with");
}
Status UnixTap::watch(const std::string&) { return left_out("cannot read unix sockets with"); }
int UnixTap::fd() const { return -1; }
std::size_t UnixTap::drain(const std::function<void(const UnixWrite&)>&) { return 0; }
std::size_t UnixTap::flush(const std::function<void(const UnixWrite&)>&) { return 0; }
bool UnixTap::waits() const { return false; }
std::uint64_t UnixTap::lost() const { return 0; }
std::uint64_t UnixTap::lost_bytes() const { return 0; }
std::uint64_t UnixTap::written(std::uint64_t) const { return 0; }
std::uint64_t UnixTap::bytes() const { return 0; }

BpfCapabilities check_bpf() {
    BpfCapabilities all{
        .programs = programs_capability(), .iterator = iterator_capability(), .ring = ring_capability()};
    for (Capability* row : {&all.programs, &all.iterator, &all.ring}) {
        row->state = Capability::State::limited;
        row->detail = "built without eBPF";
        row->lost = "short connections, unix socket contents and process starts are not seen; ports and pcap work";
        row->remedy = "build with clang-14, llvm-14, libbpf-dev and libelf-dev: ./dev build";
    }
    return all;
}

}  // namespace hopscope::procmap
