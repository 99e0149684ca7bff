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
    kPids
};

void put_integer(std::string& out, std::uint64_t value, int bytes) {
    for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift & 0xff);
}

// Values are padded with zeros to four bytes, and the length counts the padding: Wireshark's rule for exported PDUs.
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

}  // namespace

std::string encode_unix_pdu(const StreamChunk& chunk, std::string_view dissector, bool with_ends) {
    std::string out;
    put_tag(out, kDissector, dissector);
    put_tag(out, kConnection, integer(chunk.connection, 8));
    const unsigned flags = (chunk.direction == Direction::to_client ? 1U : 0U) | (chunk.end ? 2U : 0U);
    put_tag(out, kDirection, integer(flags, 1));
    put_tag(out, kOffset, integer(chunk.offset, 8));
    if (with_ends) {
        put_tag(out, kServerPath, std::string_view(chunk.server.path).substr(0, 4096));
        put_tag(out, kInodes, integer(chunk.server.inode, 8) + integer(chunk.client_inode, 8));
        put_tag(out, kPids, integer(chunk.client_pid, 4) + integer(chunk.server_pid, 4));
    }
    put_tag(out, kEnd, {});
    out += as_text(chunk.bytes);
    return out;
}

bool decode_unix_pdu(const Packet& packet, StreamChunk& chunk) {
    chunk = StreamChunk{.at = packet.at, .frame = packet.frame, .file = packet.file};
    Bytes rest = packet.bytes;
    bool has_connection = false, has_direction = false, has_offset = false;
    while (rest.size() >= 4) {
        const std::uint16_t tag = read_be16(rest.data());
        const std::size_t length = read_be16(rest.data() + 2);
        rest = rest.subspan(4);
        if (length > rest.size()) return false;
        const Bytes value = rest.first(length);
        rest = rest.subspan(length);
        if (tag == kEnd) {
            chunk.bytes = rest;
            return has_connection && has_direction && has_offset;
        }
        if (tag == kConnection && length >= 8) {
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
            std::string_view path = as_text(value);
            while (!path.empty() && path.back() == '\0') path.remove_suffix(1);
            chunk.server.path = std::string(path);
        } else if (tag == kInodes && length >= 16) {
            chunk.server.inode = read_be64(value.data());
            chunk.client_inode = read_be64(value.data() + 8);
        } else if (tag == kPids && length >= 8) {
            chunk.client_pid = read_be32(value.data());
            chunk.server_pid = read_be32(value.data() + 4);
        }
    }
    return false;
}

}  // namespace hopscope::capture
