#include "decode/grpc/hpack_reader.h"

#include <array>

#include "core/limits.h"
#include "decode/grpc/huffman.h"

namespace hopscope::decode::grpc {
namespace {

// RFC 7541 appendix A.
constexpr std::array<Header, 61> kStatic = {{
    {":authority", ""},
    {":method", "GET"},
    {":method", "POST"},
    {":path", "/"},
    {":path", "/index.html"},
    {":scheme", "http"},
    {":scheme", "https"},
    {":status", "200"},
    {":status", "204"},
    {":status", "206"},
    {":status", "304"},
    {":status", "400"},
    {":status", "404"},
    {":status", "500"},
    {"accept-charset", ""},
    {"accept-encoding", "gzip, deflate"},
    {"accept-language", ""},
    {"accept-ranges", ""},
    {"accept", ""},
    {"access-control-allow-origin", ""},
    {"age", ""},
    {"allow", ""},
    {"authorization", ""},
    {"cache-control", ""},
    {"content-disposition", ""},
    {"content-encoding", ""},
    {"content-language", ""},
    {"content-length", ""},
    {"content-location", ""},
    {"content-range", ""},
    {"content-type", ""},
    {"cookie", ""},
    {"date", ""},
    {"etag", ""},
    {"expect", ""},
    {"expires", ""},
    {"from", ""},
    {"host", ""},
    {"if-match", ""},
    {"if-modified-since", ""},
    {"if-none-match", ""},
    {"if-range", ""},
    {"if-unmodified-since", ""},
    {"last-modified", ""},
    {"link", ""},
    {"location", ""},
    {"max-forwards", ""},
    {"proxy-authenticate", ""},
    {"proxy-authorization", ""},
    {"range", ""},
    {"referer", ""},
    {"refresh", ""},
    {"retry-after", ""},
    {"server", ""},
    {"set-cookie", ""},
    {"strict-transport-security", ""},
    {"transfer-encoding", ""},
    {"user-agent", ""},
    {"vary", ""},
    {"via", ""},
    {"www-authenticate", ""},
}};

// An encoder never inserts what does not fit its table, and a table that was not negotiated has 4096 bytes. A larger
// entry may have been kept or may have emptied the table (RFC 7541 section 4.4): nothing is known afterwards.
constexpr std::size_t kSurelyFitsBytes = 4096;

}  // namespace

struct HpackReader::Cursor {
    Bytes left;
    const std::uint8_t* begin = nullptr;
    std::size_t text_bytes = 0;  // as coded, of the text read last

    [[nodiscard]] std::size_t at() const { return static_cast<std::size_t>(left.data() - begin); }

    // RFC 7541 section 5.1. False: cut off, or larger than any length here can be.
    bool integer(unsigned prefix_bits, std::size_t& value) {
        if (left.empty()) return false;
        const std::size_t prefix = (std::size_t{1} << prefix_bits) - 1;
        value = left[0] & prefix;
        left = left.subspan(1);
        if (value < prefix) return true;
        for (unsigned shift = 0; shift <= 21; shift += 7) {
            if (left.empty()) return false;
            const std::uint8_t byte = left[0];
            left = left.subspan(1);
            value += std::size_t{byte & 0x7fU} << shift;
            if ((byte & 0x80) == 0) return true;
        }
        return false;
    }

    bool text(std::string& out) {
        if (left.empty()) return false;
        const bool huffman = (left[0] & 0x80) != 0;
        std::size_t size = 0;
        if (!integer(7, size) || size > left.size()) return false;
        const Bytes raw = left.first(size);
        left = left.subspan(size);
        text_bytes = size;
        if (huffman) return huffman_decode(raw, out);
        out = as_text(raw);
        return true;
    }
};

void HpackReader::forget() {
    table_.clear();
    table_bytes_ = 0;
}

void HpackReader::shrink_to(std::size_t bytes) {
    while (table_bytes_ > bytes) {
        table_bytes_ -= table_.back().bytes();
        table_.pop_back();
    }
}

void HpackReader::insert(Entry entry) {
    const std::size_t bytes = entry.bytes();
    if (bytes > kSurelyFitsBytes) {
        forget();
        return;
    }
    // Entries that the encoder has evicted are never referred to; only memory asks for a limit here.
    shrink_to(limits::kHpackTableBytesMax - bytes);
    table_bytes_ += bytes;
    table_.push_front(std::move(entry));
}

bool HpackReader::read_literal(Cursor& in, unsigned index_bits, bool insert_it, HeaderList& out) {
    std::size_t index = 0;
    if (!in.integer(index_bits, index)) return false;
    bool name_known = true;
    if (index == 0) {
        if (!in.text(name_)) return false;
    } else if (index <= kStatic.size()) {
        name_ = kStatic[index - 1].name;
    } else if (const std::size_t place = index - kStatic.size() - 1; place < table_.size()) {
        name_ = table_[place].name;
        name_known = table_[place].name_known;
    } else {
        name_.clear();
        name_known = false;
    }
    const std::size_t text_at = in.at();
    if (!in.text(value_)) return false;
    if (literals_) literals_->push_back({name_, value_, name_known, text_at, in.at() - in.text_bytes, in.text_bytes});
    if (name_known) {
        out.add(name_, value_);
    } else {
        out.add_unknown();
    }
    if (insert_it) insert({name_, value_, name_known, name_known});
    return true;
}

bool HpackReader::read_field(Cursor& in, HeaderList& out) {
    const std::uint8_t first = in.left[0];
    if ((first & 0x80) != 0) {  // indexed
        std::size_t index = 0;
        if (!in.integer(7, index) || index == 0) return false;
        if (index <= kStatic.size()) {
            out.add(kStatic[index - 1].name, kStatic[index - 1].value);
        } else if (const std::size_t place = index - kStatic.size() - 1; place < table_.size() && table_[place].known) {
            out.add(table_[place].name, table_[place].value);
        } else {
            out.add_unknown();
        }
        return true;
    }
    if ((first & 0x40) != 0) return read_literal(in, 6, true, out);
    if ((first & 0x20) != 0) {  // the table's size changes
        std::size_t bytes = 0;
        if (!in.integer(5, bytes)) return false;
        shrink_to(bytes);
        return true;
    }
    return read_literal(in, 4, false, out);  // not indexed, or never to be
}

bool HpackReader::read(Bytes block, HeaderList& out, std::vector<HpackLiteral>* literals) {
    literals_ = literals;
    Cursor in{block, block.data()};
    while (!in.left.empty()) {
        if (!read_field(in, out)) {
            forget();
            return false;
        }
    }
    return true;
}

}  // namespace hopscope::decode::grpc
