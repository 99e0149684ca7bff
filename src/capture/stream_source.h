// Sources of unix-socket bytes: the raw form of a forwarding proxy, and hopscope's own records in pcapng.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <variant>

#include "capture/reader.h"
#include "core/node.h"
#include "core/node_event.h"
#include "core/packet.h"
#include "core/process.h"
#include "core/result.h"
#include "core/stream_chunk.h"

namespace hopscope::capture {

class StreamSource {
public:
    virtual ~StreamSource() = default;
    // The next chunk by time, or nothing at the end.
    virtual bool next(StreamChunk& chunk) = 0;
    // What was wrong with the files so far, in words; empty: nothing. Printable.
    [[nodiscard]] virtual std::string trouble() const = 0;
    // Bytes that could not be read as records.
    [[nodiscard]] virtual std::uint64_t lost_bytes() const { return 0; }
};

// The raw form: NAME.index.jsonl has a line per read ({"t": Unix time, "conn": N, "dir": "c2s"|"s2c", "off": …, "len":
// …},
// {"open": true, "peer_pid": …}, {"eof": true}); the bytes lie beside it in NAME without ".index.jsonl", as
// STEM.cN.EXT.c2s and .s2c where the index is STEM.EXT.index.jsonl.
bool is_stream_index(const std::string& name);
Result<std::unique_ptr<StreamSource>> open_stream_index(const std::string& name, std::uint16_t file);

// --- hopscope's pcapng form: link type 252 (Wireshark Upper PDU, "exported PDU"): tags of 16-bit number and length,
// big-endian, then the bytes. Values are padded with zeros to four bytes, and the length counts the padding. Tag 12 is
// Wireshark's dissector name, so that it shows the content; tags from 0x8001 on are ours and skipped by others. Tag 0
// ends the list.
//
// A piece of a unix socket's stream: 0x8001 connection (u64), 0x8002 direction and flags (u8: bit 0 to client, bit 1
// end), 0x8003 offset (u64; the first one seen is not 0: joined late; a jump: bytes are missing); told once per
// connection and file, and again when it turns out otherwise: 0x8004 server path, 0x8005 server and client inode (2 ×
// u64), 0x8006 client and server pid (2 × u32). A process: 0x8007 what happened (u8: 1 a program was started, 2 it
// ended, 3 it is there, 4 it was made by its parent), 0x8008 pid, parent's pid, start time in ticks (u32, u32, u64),
// 0x8009 name, 0x800a executable, 0x800b an argument (one tag each), 0x800c a name of its control group, leaf first
// (one tag each; where it is there: the container's id), 0x800d exit code (u32), 0x800e uid of its pod, 0x800f role
// (u8, core/process.h), network namespace (u64). Texts end with a zero byte. A connection that was made or is over, as
// the kernel told it: 0x8010 what happened (u8: 1 opened, 2 closed), 0x8011 client and server (2 × 16 bytes of address
// and u16), network namespace (u64), 0x8012 and 0x8013 pid, start time and name of client and server (u32, u64, text),
// 0x8014 how long it was (u64, ns), 0x8015 and 0x8016 payload bytes that client and server sent (u64). A container's
// names: 0x8017 its id, 0x8018 its sandbox, 0x8019 runtime, 0x801a name, 0x801b pod, 0x801c namespace. Lost records:
// 0x801d how many (u64).

// What a record of LinkType::upper_pdu holds: nothing of ours, bytes, a process event, a process that is there, a
// connection's life, a container's names or a number of lost records. StreamChunk::bytes is borrowed from the packet.
using UnixRecord =
    std::variant<std::monostate, StreamChunk, ProcessEvent, Process, SocketLife, ContainerNames, UnixLoss>;

// The record's bytes (to be written as a packet of LinkType::upper_pdu). `dissector`: "http2", "http", "data".
std::string encode_unix_pdu(const StreamChunk& chunk, std::string_view dissector, bool with_ends);
// Of what is there, only what a recording needs is kept: of a process no arguments, of a connection no inodes, of a
// container not who told its names.
std::string encode_unix_pdu(const ProcessEvent& event);
std::string encode_unix_pdu(const Process& process);
std::string encode_unix_pdu(const SocketLife& life);
std::string encode_unix_pdu(const ContainerNames& names);
std::string encode_unix_pdu(const UnixLoss& loss);
UnixRecord decode_unix_record(const Packet& packet);

// A capture file of such records, beside the packets of a recording. Processes and process events are told to `others`
// before the piece that follows them, what the file's reader has to say to `note`; packets of other kinds are passed
// over. CAP-10, CAP-12.
Result<std::unique_ptr<StreamSource>> open_unix_recording(const std::string& name, std::uint16_t file,
                                                          std::function<void(const UnixRecord&)> others,
                                                          std::function<void(const FileNote&)> note);

}  // namespace hopscope::capture
