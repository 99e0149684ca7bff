// One eBPF object in the kernel: opened from the bytes in the program, loaded, attached, and gone with this object.
//
// Nothing is pinned: when the last descriptor closes, also by SIGKILL, the kernel drops programs and maps.
// Errors have code BPF-01 or BPF-02 and the line that tells why; take_bpf_log() has the end of the whole log.
// Needs CAP_BPF and CAP_PERFMON (or CAP_SYS_ADMIN).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/result.h"

struct bpf_link;
struct bpf_object;
struct ring_buffer;

namespace hopscope::procmap {

// Between opening and loading: what may still be changed.
class BpfSetup {
public:
    explicit BpfSetup(bpf_object* object) : object_(object) {}
    void ring_bytes(const char* map, std::uint32_t bytes);
    // Sets a `volatile const long` of the program. The names are ours: a wrong one is a defect, and shows as an error
    // of load().
    void constant(const char* name, std::int64_t value);
    [[nodiscard]] bool failed() const { return failed_; }

private:
    bpf_object* object_;
    bool failed_ = false;
};

class BpfObject {
public:
    static Result<BpfObject> load(const char* name, std::span<const std::uint8_t> elf,
                                  const std::function<void(BpfSetup&)>& prepare = nullptr);
    BpfObject(BpfObject&&) noexcept = default;
    BpfObject& operator=(BpfObject&&) noexcept;
    ~BpfObject();

    // Attaches the program with this name, once however often it is asked for: attached twice it would tell each event
    // twice.
    Status attach(const char* program);
    [[nodiscard]] bpf_link* link(const char* program) const;  // nullptr: not attached
    [[nodiscard]] int map_fd(const char* map) const;          // -1: no such map
    // Sum over all processors of the 64-bit counter at `index` of a per-CPU array.
    [[nodiscard]] std::uint64_t counter(const char* map, std::uint32_t index) const;

private:
    struct ObjectClose {
        void operator()(bpf_object* object) const;
    };
    struct LinkClose {
        void operator()(bpf_link* link) const;
    };
    struct Attached {
        std::string program;
        std::unique_ptr<bpf_link, LinkClose> link;
    };
    explicit BpfObject(std::unique_ptr<bpf_object, ObjectClose> object) : object_(std::move(object)) {}

    std::unique_ptr<bpf_object, ObjectClose> object_;
    std::vector<Attached> links_;  // go before the object
};

// The user side of a BPF ring buffer.
class BpfRing {
public:
    using Callback = std::function<void(std::span<const std::uint8_t>)>;
    static Result<BpfRing> open(int map_fd);
    Status add(int map_fd);  // another ring, drained with the first
    BpfRing(BpfRing&&) noexcept = default;
    BpfRing& operator=(BpfRing&&) noexcept = default;

    [[nodiscard]] int fd() const;  // readable when there is something to drain
    // Calls for every record that is there now; the bytes are valid until the call returns. Returns how many.
    std::size_t drain(const Callback& callback);

private:
    struct Close {
        void operator()(ring_buffer* ring) const;
    };
    struct Sink;
    struct SinkDelete {
        void operator()(Sink* sink) const;
    };
    BpfRing() = default;

    std::unique_ptr<Sink, SinkDelete> sink_;
    std::unique_ptr<ring_buffer, Close> ring_;
};

// What libbpf said last on this thread, at most kBpfLogBytesKept bytes, and forgets it.
std::string take_bpf_log();
// From now on libbpf says nothing on stderr; its words are kept per thread.
void capture_bpf_log();

// An error of a bpf call: `errno_value` positive.
Error bpf_error(std::string doing, std::string subject, int errno_value);

}  // namespace hopscope::procmap
