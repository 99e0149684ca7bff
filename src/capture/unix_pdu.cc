#include <algorithm>

#include "capture/stream_source.h"

namespace hopscope::capture {
namespace {

enum Tag : std::uint16_t {
    kEnd = 0,
    kDissector = 12,
    kConnection = 0x8001,
    kDirection,
    kOffset,
    kServerPath,
    kInodes,
    kPids,
    kHappened,
    kProcess,
    kComm,
    kExecutable,
    kArgument,
    kCgroup,
    kExitCode,
    kPodUid,
    kRole,
    kLife = 0x8010,
    kEndpoints,
    kClientOwner,
    kServerOwner,
    kLived,
    kClientSent,
    kServerSent,
    kContainer,
    kSandbox,
    kRuntime,
    kContainerName,
    kPod,
    kNamespace,
    kLost,
};

enum Life : std::uint8_t { kOpened = 1, kClosed };

enum Happened : std::uint8_t { kStarted = 1, kEnded, kIsThere, kForked };

constexpr std::size_t kTextBytesMax = 4096;  // paths of Linux
constexpr std::size_t kTextsMax = 512;       // arguments of one record; the kernel side cuts them at 512 bytes together

void put_integer(std::string& out, std::uint64_t value, int bytes) {
    for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift & 0xff);
}

void put_tag(std::string& out, Tag tag, std::string_view value) {
    const std::size_t padded = (value.size() + 3) / 4 * 4;
    put_integer(out, tag, 2);
    put_integer(out, padded, 2);
    out += value;
    out.append(padded - value.size(), '\0');
}

std::string integer(std::uint64_t value, int bytes) {
    std::string out;
    put_integer(out, value, bytes);
    return out;
}

void put_text(std::string& out, Tag tag, std::string_view text) {
    text = text.substr(0, std::min(text.find('\0'), kTextBytesMax));
    put_tag(out, tag, std::string(text) + '\0');
}

std::string_view text_of(Bytes value) {
    const std::string_view text = as_text(value);
    return text.substr(0, text.find('\0'));
}

std::string begin_process(Happened happened, const ProcessId& id, std::uint32_t parent_pid) {
    std::string out;
    put_tag(out, kDissector, "data");
    put_tag(out, kHappened, integer(happened, 1));
    put_tag(out, kProcess, integer(id.pid, 4) + integer(parent_pid, 4) + integer(id.start_ticks, 8));
    return out;
}

std::string endpoint(const Endpoint& end) { return std::string(as_text(end.address.bytes)) + integer(end.port, 2); }

Endpoint endpoint_of(const std::uint8_t* at) {
    Endpoint end;
    std::copy_n(at, end.address.bytes.size(), end.address.bytes.begin());
    end.port = read_be16(at + end.address.bytes.size());
    return end;
}

void put_owner(std::string& out, Tag tag, const ProcessId& id, const Untrusted& comm) {
    if (id.pid == 0) return;
    put_tag(out, tag, integer(id.pid, 4) + integer(id.start_ticks, 8) + comm.raw().substr(0, kTextBytesMax) + '\0');
}

// What the tags of one record say, whichever kind it is.
struct Tags {
    StreamChunk chunk;
    ProcessEvent event;
    SocketLife life;
    ContainerNames names;
    Untrusted pod_uid;
    ProcessRole role{};
    std::uint64_t net_namespace = 0;
    bool has_connection = false, has_direction = false, has_offset = false, has_process = false, has_ends = false;
    std::uint8_t happened = 0, lived = 0;
    std::uint64_t lost = 0;

    void read(std::uint16_t tag, Bytes value) {
        const std::size_t length = value.size();
        if (tag == kLost && length >= 8) {
            lost = read_be64(value.data());
        } else if (tag == kConnection && length >= 8) {
            chunk.connection = read_be64(value.data());
            has_connection = true;
        } else if (tag == kDirection && length >= 1) {
            chunk.direction = value[0] & 1 ? Direction::to_client : Direction::to_server;
            chunk.end = (value[0] & 2) != 0;
            has_direction = true;
        } else if (tag == kOffset && length >= 8) {
            chunk.offset = read_be64(value.data());
            has_offset = true;
        } else if (tag == kServerPath) {
            chunk.server.path = std::string(text_of(value));
        } else if (tag == kInodes && length >= 16) {
            chunk.server.inode = read_be64(value.data());
            chunk.client_inode = read_be64(value.data() + 8);
        } else if (tag == kPids && length >= 8) {
            chunk.client_pid = read_be32(value.data());
            chunk.server_pid = read_be32(value.data() + 4);
        } else {
            read_process(tag, value);
        }
    }
    void read_process(std::uint16_t tag, Bytes value) {
        const std::size_t length = value.size();
        if (tag == kHappened && length >= 1) {
            happened = value[0];
        } else if (tag == kProcess && length >= 16) {
            event.process = {read_be32(value.data()), read_be64(value.data() + 8)};
            event.parent_pid = read_be32(value.data() + 4);
            has_process = true;
        } else if (tag == kComm) {
            event.comm = Untrusted(text_of(value));
        } else if (tag == kExecutable) {
            event.filename = Untrusted(text_of(value));
        } else if (tag == kArgument && event.cmdline.size() < kTextsMax) {
            event.cmdline.emplace_back(text_of(value));
        } else if (tag == kCgroup && event.cgroup_names.size() < kTextsMax) {
            event.cgroup_names.emplace_back(text_of(value));
        } else if (tag == kExitCode && length >= 4) {
            event.exit_code = static_cast<int>(read_be32(value.data()));
        } else if (tag == kPodUid) {
            pod_uid = names.pod_uid = Untrusted(text_of(value));
        } else if (tag == kRole && length >= 9) {
            if (value[0] <= static_cast<std::uint8_t>(ProcessRole::in_container))
                role = static_cast<ProcessRole>(value[0]);
            net_namespace = read_be64(value.data() + 1);
        } else if (tag >= kLife && tag <= kServerSent) {
            read_life(tag, value);
        } else {
            read_names(tag, std::string(text_of(value)));
        }
    }
    void read_life(std::uint16_t tag, Bytes value) {
        const std::size_t length = value.size();
        if (tag == kLife && length >= 1) lived = value[0];
        if (tag == kEndpoints && length >= 44) {
            life.client = endpoint_of(value.data());
            life.server = endpoint_of(value.data() + 18);
            life.net_namespace = read_be64(value.data() + 36);
            has_ends = true;
        }
        if ((tag == kClientOwner || tag == kServerOwner) && length >= 13) {
            const ProcessId id{read_be32(value.data()), read_be64(value.data() + 4)};
            (tag == kClientOwner ? life.client_owner : life.server_owner) = id;
            (tag == kClientOwner ? life.client_comm : life.server_comm) = Untrusted(text_of(value.subspan(12)));
        }
        if (tag == kLived && length >= 8) life.lived = {static_cast<std::int64_t>(read_be64(value.data()))};
        if (tag == kClientSent && length >= 8) life.client_sent_bytes = read_be64(value.data());
        if (tag == kServerSent && length >= 8) life.server_sent_bytes = read_be64(value.data());
    }
    void read_names(std::uint16_t tag, const std::string& text) {
        switch (tag) {
            case kContainer: names.id = text; break;
            case kSandbox: names.sandbox_id = text; break;
            case kRuntime: names.runtime = text; break;
            case kContainerName: names.name = Untrusted(text); break;
            case kPod: names.pod = Untrusted(text); break;
            case kNamespace: names.namespace_ = Untrusted(text); break;
            default: break;
        }
    }
    UnixRecord record() {
        if (has_connection && has_direction && has_offset) return std::move(chunk);
        if (has_ends && (lived == kOpened || lived == kClosed)) {
            life.kind = lived == kOpened ? SocketLife::Kind::opened : SocketLife::Kind::closed;
            life.at = event.at;
            return std::move(life);
        }
        if (!names.id.empty()) return std::move(names);
        if (lost > 0) return UnixLoss{event.at, lost};
        if (!has_process) return {};
        if (happened == kIsThere) {
            Process process;
            process.id = event.process;
            process.parent_pid = event.parent_pid;
            process.comm = std::move(event.comm);
            process.exe = std::move(event.filename);
            process.pod_uid = pod_uid;
            process.role = role;
            process.net_namespace = net_namespace;
            if (!event.cgroup_names.empty()) process.container_id = std::move(event.cgroup_names.front());
            return process;
        }
        switch (happened) {
            case kStarted: event.kind = ProcessEvent::Kind::exec; break;
            case kEnded: event.kind = ProcessEvent::Kind::exit; break;
            case kForked: event.kind = ProcessEvent::Kind::fork; break;
            default: return {};
        }
        return std::move(event);
    }
};

}  // namespace

std::string encode_unix_pdu(const StreamChunk& chunk, std::string_view dissector, bool with_ends) {
    std::string out;
    put_tag(out, kDissector, dissector);
    put_tag(out, kConnection, integer(chunk.connection, 8));
    const unsigned flags = (chunk.direction == Direction::to_client ? 1U : 0U) | (chunk.end ? 2U : 0U);
    put_tag(out, kDirection, integer(flags, 1));
    put_tag(out, kOffset, integer(chunk.offset, 8));
    if (with_ends) {
        put_text(out, kServerPath, chunk.server.path);
        put_tag(out, kInodes, integer(chunk.server.inode, 8) + integer(chunk.client_inode, 8));
        put_tag(out, kPids, integer(chunk.client_pid, 4) + integer(chunk.server_pid, 4));
    }
    put_tag(out, kEnd, {});
    out += as_text(chunk.bytes);
    return out;
}

std::string encode_unix_pdu(const ProcessEvent& event) {
    const bool started = event.kind == ProcessEvent::Kind::exec, ended = event.kind == ProcessEvent::Kind::exit;
    std::string out = begin_process(started ? kStarted : ended ? kEnded : kForked, event.process, event.parent_pid);
    put_text(out, kComm, event.comm.raw());
    if (started) put_text(out, kExecutable, event.filename.raw());
    for (const Untrusted& argument : event.cmdline) put_text(out, kArgument, argument.raw());
    for (const Untrusted& name : event.cgroup_names) put_text(out, kCgroup, name.raw());
    if (ended) put_tag(out, kExitCode, integer(static_cast<std::uint32_t>(event.exit_code), 4));
    put_tag(out, kEnd, {});
    return out;
}

std::string encode_unix_pdu(const Process& process) {
    std::string out = begin_process(kIsThere, process.id, process.parent_pid);
    put_text(out, kComm, process.comm.raw());
    put_text(out, kExecutable, process.exe.raw());
    if (!process.container_id.empty()) put_text(out, kCgroup, process.container_id.raw());
    if (!process.pod_uid.empty()) put_text(out, kPodUid, process.pod_uid.raw());
    put_tag(out, kRole, integer(static_cast<std::uint8_t>(process.role), 1) + integer(process.net_namespace, 8));
    put_tag(out, kEnd, {});
    return out;
}

std::string encode_unix_pdu(const SocketLife& life) {
    std::string out;
    put_tag(out, kDissector, "data");
    put_tag(out, kLife, integer(life.kind == SocketLife::Kind::closed ? kClosed : kOpened, 1));
    put_tag(out, kEndpoints, endpoint(life.client) + endpoint(life.server) + integer(life.net_namespace, 8));
    put_owner(out, kClientOwner, life.client_owner, life.client_comm);
    put_owner(out, kServerOwner, life.server_owner, life.server_comm);
    put_tag(out, kLived, integer(static_cast<std::uint64_t>(life.lived.ns), 8));
    if (life.client_sent_bytes) put_tag(out, kClientSent, integer(*life.client_sent_bytes, 8));
    if (life.server_sent_bytes) put_tag(out, kServerSent, integer(*life.server_sent_bytes, 8));
    put_tag(out, kEnd, {});
    return out;
}

std::string encode_unix_pdu(const ContainerNames& names) {
    std::string out;
    put_tag(out, kDissector, "data");
    put_text(out, kContainer, names.id);
    put_text(out, kSandbox, names.sandbox_id);
    put_text(out, kRuntime, names.runtime);
    put_text(out, kContainerName, names.name.raw());
    put_text(out, kPod, names.pod.raw());
    put_text(out, kNamespace, names.namespace_.raw());
    put_text(out, kPodUid, names.pod_uid.raw());
    put_tag(out, kEnd, {});
    return out;
}

std::string encode_unix_pdu(const UnixLoss& loss) {
    std::string out;
    put_tag(out, kDissector, "data");
    put_tag(out, kLost, integer(loss.records, 8));
    put_tag(out, kEnd, {});
    return out;
}

UnixRecord decode_unix_record(const Packet& packet) {
    Tags tags;
    tags.chunk = StreamChunk{.at = packet.at, .frame = packet.frame, .file = packet.file};
    tags.event.at = packet.at;
    Bytes rest = packet.bytes;
    while (rest.size() >= 4) {
        const std::uint16_t tag = read_be16(rest.data());
        const std::size_t length = read_be16(rest.data() + 2);
        rest = rest.subspan(4);
        if (length > rest.size()) return {};
        if (tag == kEnd) {
            tags.chunk.bytes = rest.subspan(length);
            return tags.record();
        }
        tags.read(tag, rest.first(length));
        rest = rest.subspan(length);
    }
    return {};
}

}  // namespace hopscope::capture
