#include "procmap/bpf/object.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <string_view>

#include "core/limits.h"
#include "procmap/bpf/lockdown.h"

namespace hopscope::procmap {
namespace {

thread_local std::string log_tail;

// A verifier's log has megabytes, and its end tells what was wrong.
int keep_log(libbpf_print_level level, const char* format, va_list arguments) {
    if (level == LIBBPF_DEBUG) return 0;
    // The whole log of a verifier comes as one message.
    va_list again;
    va_copy(again, arguments);
    const int wanted = std::vsnprintf(nullptr, 0, format, again);
    va_end(again);
    if (wanted <= 0) return 0;
    std::string text(static_cast<std::size_t>(wanted) + 1, '\0');
    std::vsnprintf(text.data(), text.size(), format, arguments);
    text.pop_back();
    log_tail.append(text);
    if (log_tail.size() > limits::kBpfLogBytesKept) log_tail.erase(0, log_tail.size() - limits::kBpfLogBytesKept);
    return wanted;
}

// The line in which the verifier says why: the one before its statistics. Else the last one.
std::string telling_line(std::string_view log) {
    constexpr std::size_t kLineBytesMax = 200;
    const std::size_t statistics = log.find("\nprocessed ");
    if (statistics != std::string_view::npos) log = log.substr(0, statistics);
    while (!log.empty() && log.back() == '\n') log.remove_suffix(1);
    const std::size_t begin = log.rfind('\n');
    if (begin != std::string_view::npos) log.remove_prefix(begin + 1);
    return std::string(log.substr(0, kLineBytesMax));
}

const char* remedy_of(int errno_value) {
    switch (errno_value) {
        case EPERM:
        case EACCES: return "run as root, or give CAP_BPF and CAP_PERFMON: hopscope doctor BPF-01";
        case EINVAL: return is_refused_by_lockdown(EINVAL) ? kLockdownRemedy : "a kernel of version 5.10 or later";
        case ENOENT:
        case ESRCH: return "this kernel lacks the hook: hopscope doctor says what is used instead";
        case ENOMEM:
        case E2BIG: return "kernels before 5.11 count maps against RLIMIT_MEMLOCK: ulimit -l unlimited";
        default: return "hopscope doctor";
    }
}

}  // namespace

void capture_bpf_log() {
    static std::once_flag once;
    std::call_once(once, [] { libbpf_set_print(keep_log); });
}

std::string take_bpf_log() {
    std::string words = std::move(log_tail);
    log_tail.clear();
    while (!words.empty() && words.back() == '\n') words.pop_back();
    return words;
}

Error bpf_error(std::string doing, std::string subject, int errno_value) {
    std::string why = std::strerror(errno_value);
    if (is_refused_by_lockdown(errno_value)) why += ", lockdown \"confidentiality\" forbids it to read kernel memory";
    // EPERM needs no explanation but the hint.
    const std::string reason = errno_value == EPERM ? "" : telling_line(log_tail);
    if (!reason.empty()) why += " (" + reason + ")";
    const bool no_types = ::access("/sys/kernel/btf/vmlinux", R_OK) != 0;
    return {.doing = std::move(doing),
            .subject = std::move(subject),
            .why = no_types ? "no kernel type information (/sys/kernel/btf/vmlinux)" : std::move(why),
            .errno_value = errno_value,
            .hint = no_types ? "a kernel with CONFIG_DEBUG_INFO_BTF=y, or --ebpf off" : remedy_of(errno_value),
            .code = no_types ? "BPF-02" : "BPF-01"};
}

void BpfObject::ObjectClose::operator()(bpf_object* object) const { bpf_object__close(object); }
void BpfObject::LinkClose::operator()(bpf_link* link) const { bpf_link__destroy(link); }

void BpfSetup::ring_bytes(const char* map, std::uint32_t bytes) {
    bpf_map* found = bpf_object__find_map_by_name(object_, map);
    if (found == nullptr || bpf_map__set_max_entries(found, bytes) != 0) failed_ = true;
}

// Where a constant lies in .rodata says the object's own type information: a list of the section's variables.
void BpfSetup::constant(const char* name, std::int64_t value) {
    const btf* types = bpf_object__btf(object_);
    bpf_map* section = nullptr;
    for (bpf_map* map = bpf_object__next_map(object_, nullptr); map != nullptr;
         map = bpf_object__next_map(object_, map))
        if (std::string_view(bpf_map__name(map)).ends_with(".rodata")) section = map;
    std::size_t size = 0;
    const void* first = section != nullptr ? bpf_map__initial_value(section, &size) : nullptr;
    const int id = btf__find_by_name_kind(types, ".rodata", BTF_KIND_DATASEC);
    const bool before = failed_;
    failed_ = true;
    if (first == nullptr || id < 0) return;
    std::vector<std::uint8_t> bytes(size);
    std::memcpy(bytes.data(), first, size);
    const btf_type* list = btf__type_by_id(types, static_cast<std::uint32_t>(id));
    const btf_var_secinfo* variables = btf_var_secinfos(list);
    for (int i = 0; i < btf_vlen(list); ++i) {
        const btf_type* variable = btf__type_by_id(types, variables[i].type);
        if (std::string_view(btf__name_by_offset(types, variable->name_off)) != name) continue;
        if (variables[i].size != sizeof value || variables[i].offset + sizeof value > size) return;
        std::memcpy(bytes.data() + variables[i].offset, &value, sizeof value);
        failed_ = before || bpf_map__set_initial_value(section, bytes.data(), size) != 0;
        return;
    }
}

BpfObject& BpfObject::operator=(BpfObject&& other) noexcept {
    links_ = std::move(other.links_);
    object_ = std::move(other.object_);
    return *this;
}
BpfObject::~BpfObject() { links_.clear(); }

Result<BpfObject> BpfObject::load(const char* name, std::span<const std::uint8_t> elf,
                                  const std::function<void(BpfSetup&)>& prepare) {
    capture_bpf_log();
    take_bpf_log();
    bpf_object_open_opts options{};
    options.sz = sizeof options;
    options.object_name = name;
    std::unique_ptr<bpf_object, ObjectClose> object(bpf_object__open_mem(elf.data(), elf.size(), &options));
    if (!object) return unexpected(bpf_error("cannot open eBPF program", name, errno));
    if (prepare) {
        BpfSetup setup(object.get());
        prepare(setup);
        if (setup.failed()) return unexpected(bpf_error("cannot set up eBPF program", name, EINVAL));
    }
    const int error = bpf_object__load(object.get());
    if (error != 0) return unexpected(bpf_error("cannot load eBPF program", name, -error));
    return BpfObject(std::move(object));
}

Status BpfObject::attach(const char* program) {
    if (link(program) != nullptr) return Done{};
    bpf_program* found = bpf_object__find_program_by_name(object_.get(), program);
    if (found == nullptr) return unexpected(bpf_error("cannot find eBPF program", program, ENOENT));
    bpf_link* link = bpf_program__attach(found);
    if (link == nullptr) return unexpected(bpf_error("cannot attach eBPF program", program, errno));
    links_.push_back({program, std::unique_ptr<bpf_link, LinkClose>(link)});
    return Done{};
}

bpf_link* BpfObject::link(const char* program) const {
    for (const Attached& attached : links_)
        if (attached.program == program) return attached.link.get();
    return nullptr;
}

int BpfObject::map_fd(const char* map) const { return bpf_object__find_map_fd_by_name(object_.get(), map); }

std::uint64_t BpfObject::counter(const char* map, std::uint32_t index) const {
    const int processors = libbpf_num_possible_cpus();
    if (processors <= 0) return 0;
    std::vector<std::uint64_t> each(static_cast<std::size_t>(processors));
    if (bpf_map_lookup_elem(map_fd(map), &index, each.data()) != 0) return 0;
    std::uint64_t sum = 0;
    for (const std::uint64_t one : each) sum += one;
    return sum;
}

// libbpf keeps a pointer to it, so it must not move with the ring.
struct BpfRing::Sink {
    const Callback* callback = nullptr;
    static int take(void* context, void* data, std::size_t size) {
        const Callback* callback = static_cast<Sink*>(context)->callback;
        if (callback != nullptr) (*callback)({static_cast<const std::uint8_t*>(data), size});
        return 0;
    }
};

void BpfRing::Close::operator()(ring_buffer* ring) const { ring_buffer__free(ring); }
void BpfRing::SinkDelete::operator()(Sink* sink) const { delete sink; }

Result<BpfRing> BpfRing::open(int map_fd) {
    BpfRing ring;
    ring.sink_.reset(new Sink);
    ring.ring_.reset(ring_buffer__new(map_fd, Sink::take, ring.sink_.get(), nullptr));
    if (!ring.ring_) return unexpected(bpf_error("cannot open ring buffer", "BPF_MAP_TYPE_RINGBUF", errno));
    return ring;
}

Status BpfRing::add(int map_fd) {
    const int error = ring_buffer__add(ring_.get(), map_fd, Sink::take, sink_.get());
    if (error != 0) return unexpected(bpf_error("cannot open ring buffer", "BPF_MAP_TYPE_RINGBUF", -error));
    return Done{};
}

int BpfRing::fd() const { return ring_buffer__epoll_fd(ring_.get()); }

std::size_t BpfRing::drain(const Callback& callback) {
    sink_->callback = &callback;
    const int taken = ring_buffer__consume(ring_.get());
    sink_->callback = nullptr;
    return taken > 0 ? static_cast<std::size_t>(taken) : 0;
}

}  // namespace hopscope::procmap
