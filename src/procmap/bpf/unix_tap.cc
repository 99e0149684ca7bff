#include "procmap/bpf/unix_tap.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <unordered_map>

#include "events.h"
#include "procmap/bpf/clock.h"
#include "procmap/bpf/convert.h"
#include "procmap/bpf/embedded.h"
#include "procmap/bpf/object.h"

namespace hopscope::procmap {
namespace {

struct Record {
    hs_tap_record head;
    std::vector<std::uint8_t> bytes;
};

// What is known of one end.
struct End {
    std::uint64_t next_offset = 0;
    std::uint64_t last_used = 0;  // number of the record: the one longest silent goes first
    std::uint32_t pid = 0;
    Untrusted comm;
};

}  // namespace

struct UnixTap::State {
    BpfObject object;
    BpfRing ring;
    std::multimap<std::uint64_t, Record> held;  // by time of entering; equal times in order of the ring
    std::size_t held_bytes = 0;
    std::unordered_map<std::uint64_t, End> ends;  // by inode
    std::uint64_t told = 0;

    void take();
    std::size_t tell(std::uint64_t until_boot_ns, const std::function<void(const UnixWrite&)>& callback);
    End& end_of(std::uint64_t inode);
};

UnixTap::UnixTap(std::unique_ptr<State> state) : state_(std::move(state)) {}
UnixTap::~UnixTap() = default;

Result<std::unique_ptr<UnixTap>> UnixTap::open(const std::vector<std::string>& paths, std::uint32_t ring_bytes) {
    auto object = BpfObject::load("hopscope_tap", bpf_object_unix_tap(), [&](BpfSetup& setup) {
        setup.ring_bytes("ring", ring_bytes);
        setup.constant("nr_write", std::int64_t{SYS_write});
        setup.constant("nr_writev", std::int64_t{SYS_writev});
        setup.constant("nr_sendto", std::int64_t{SYS_sendto});
        setup.constant("nr_sendmsg", std::int64_t{SYS_sendmsg});
    });
    if (!object) return unexpected(std::move(object.error()));
    auto ring = BpfRing::open(object->map_fd("ring"));
    if (!ring) return unexpected(std::move(ring.error()));
    std::unique_ptr<UnixTap> tap(new UnixTap(std::make_unique<State>(
        State{.object = std::move(*object), .ring = std::move(*ring), .held = {}, .ends = {}})));
    for (const std::string& path : paths)
        if (Status watched = tap->watch(path); !watched) return unexpected(std::move(watched.error()));
    // First the end of calls: none that was entered under our eyes then goes untold.
    for (const char* program : {"on_exit", "on_enter"})
        if (Status attached = tap->state_->object.attach(program); !attached)
            return unexpected(std::move(attached.error()));
    return tap;
}

Status UnixTap::watch(const std::string& path) {
    if (path.empty() || path.size() >= HS_UNIX_PATH_BYTES)
        return unexpected(
            Error{.doing = "cannot watch",
                  .subject = path,
                  .why = path.empty() ? "the path is empty" : "no unix socket has a path of more than 108 bytes",
                  .code = "BPF-01"});
    // As the kernel keeps it: a path with its zero byte, an abstract name without. No path ends with '/': such a one is
    // a folder.
    char key[HS_TAP_PATH_BYTES] = {};
    std::memcpy(key, path.data(), path.size());
    if (path.front() == '@') key[0] = '\0';
    const std::uint32_t yes = 1, zero = 0;
    if (bpf_map_update_elem(state_->object.map_fd("paths"), key, &yes, BPF_ANY) != 0)
        return unexpected(bpf_error("cannot watch", path, errno));
    std::uint64_t generation = 0;
    const int generations = state_->object.map_fd("generation");
    bpf_map_lookup_elem(generations, &zero, &generation);
    ++generation;
    if (bpf_map_update_elem(generations, &zero, &generation, BPF_ANY) != 0)
        return unexpected(bpf_error("cannot watch", path, errno));
    return Done{};
}

int UnixTap::fd() const { return state_->ring.fd(); }
bool UnixTap::waits() const { return !state_->held.empty(); }

void UnixTap::State::take() {
    ring.drain([&](std::span<const std::uint8_t> raw) {
        Record record;
        if (raw.size() < sizeof record.head) return;
        std::memcpy(&record.head, raw.data(), sizeof record.head);
        raw = raw.subspan(sizeof record.head);
        raw = raw.first(std::min<std::size_t>(raw.size(), record.head.bytes));
        record.bytes.assign(raw.begin(), raw.end());
        held_bytes += record.bytes.size();
        held.emplace(record.head.at_boot_ns, std::move(record));
    });
}

End& UnixTap::State::end_of(std::uint64_t inode) {
    if (ends.size() >= limits::kTapStreamsMax && !ends.contains(inode)) {
        const auto oldest = std::min_element(ends.begin(), ends.end(), [](const auto& left, const auto& right) {
            return left.second.last_used < right.second.last_used;
        });
        ends.erase(oldest);
    }
    End& end = ends[inode];
    end.last_used = told;
    return end;
}

std::size_t UnixTap::State::tell(std::uint64_t until_boot_ns, const std::function<void(const UnixWrite&)>& callback) {
    const BootClock clock;
    std::size_t count = 0;
    while (!held.empty() && (held.begin()->first <= until_boot_ns || held_bytes > limits::kTapHeldBytesMax)) {
        const auto node = held.extract(held.begin());
        const Record& record = node.mapped();
        const hs_tap_record& head = record.head;
        held_bytes -= record.bytes.size();
        ++told;
        ++count;
        End& end = end_of(head.inode);
        UnixWrite write;
        write.at = clock.wall(head.at_boot_ns);
        write.inode = head.inode;
        write.peer_inode = head.peer_inode;
        write.by_server = head.by_server != 0;
        write.writer = {.pid = head.writer.pid, .start_ticks = start_ticks(head.writer.start_boot_ns)};
        write.writer_comm = Untrusted(field_text(head.writer.comm, sizeof head.writer.comm));
        end.pid = write.writer.pid;
        end.comm = write.writer_comm;
        write.peer_pid = head.peer_pid;
        if (const auto peer = ends.find(head.peer_inode); head.peer_inode != 0 && peer != ends.end()) {
            if (peer->second.pid != 0) write.peer_pid = peer->second.pid;
            write.peer_comm = peer->second.comm;
        }
        write.offset = head.offset;
        write.missing_before = head.offset > end.next_offset ? head.offset - end.next_offset : 0;
        end.next_offset = head.offset + record.bytes.size();
        write.bytes = record.bytes;
        callback(write);
    }
    return count;
}

std::size_t UnixTap::drain(const std::function<void(const UnixWrite&)>& callback) {
    state_->take();
    const std::int64_t now = clock_ns(CLOCK_BOOTTIME);
    return state_->tell(static_cast<std::uint64_t>(now - std::int64_t{limits::kTapHoldMs} * 1'000'000), callback);
}

std::size_t UnixTap::flush(const std::function<void(const UnixWrite&)>& callback) {
    state_->take();
    return state_->tell(UINT64_MAX, callback);
}

std::uint64_t UnixTap::written(std::uint64_t inode) const {
    struct Stream {  // as bpf/unix_tap.bpf.c has it
        std::uint64_t inode, offset, by_server;
    };
    const int streams = state_->object.map_fd("streams");
    std::uint64_t key = 0, next = 0, offset = 0;
    Stream stream{};
    for (std::uint32_t i = 0; i < limits::kTapStreamsMax; ++i, key = next) {
        if (bpf_map_get_next_key(streams, i == 0 ? nullptr : &key, &next) != 0) break;
        if (bpf_map_lookup_elem(streams, &next, &stream) == 0 && stream.inode == inode)
            offset = std::max(offset, stream.offset);
    }
    return offset;
}

std::uint64_t UnixTap::lost() const { return state_->object.counter("counters", HS_COUNTER_LOST); }
std::uint64_t UnixTap::lost_bytes() const { return state_->object.counter("counters", HS_COUNTER_LOST_BYTES); }
std::uint64_t UnixTap::bytes() const { return state_->object.counter("counters", HS_COUNTER_BYTES); }

}  // namespace hopscope::procmap
