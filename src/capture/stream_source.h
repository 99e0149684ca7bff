// Sources of unix-socket bytes: the raw form of a forwarding proxy, and hopscope's own records in pcapng.
#pragma once

#include <memory>
#include <string>

#include "core/packet.h"
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
};

// The raw form: NAME.index.jsonl has a line per read ({"t": Unix time, "conn": N, "dir": "c2s"|"s2c", "off": …, "len":
// …},
// {"open": true, "peer_pid": …}, {"eof": true}); the bytes lie beside it in NAME without ".index.jsonl", as
// STEM.cN.EXT.c2s and .s2c where the index is STEM.EXT.index.jsonl.
bool is_stream_index(const std::string& name);
Result<std::unique_ptr<StreamSource>> open_stream_index(const std::string& name, std::uint16_t file);

// --- hopscope's pcapng form: link type 252 (Wireshark Upper PDU, "exported PDU"): tags of 16-bit number and length,
// big-endian, then the bytes. Tag 12 is Wireshark's dissector name, so that it shows the content; tags from 0x8001 on
// are ours and skipped by others: 0x8001 connection (u64), 0x8002 direction and flags (u8: bit 0 to client, bit 1 end),
// 0x8003 offset (u64), 0x8004 server path, 0x8005 server and client inode (2 × u64), 0x8006 client and server pid
// (2 × u32). Tag 0 ends the list. Path, inodes and pids are told once per connection.

// The record's bytes (to be written as a packet of LinkType::upper_pdu). `dissector`: "http2", "http", "data".
std::string encode_unix_pdu(const StreamChunk& chunk, std::string_view dissector, bool with_ends);
// Fills `chunk` from a packet of LinkType::upper_pdu; false: no record of ours.
bool decode_unix_pdu(const Packet& packet, StreamChunk& chunk);

}  // namespace hopscope::capture
