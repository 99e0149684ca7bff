// HPACK (RFC 7541) for a connection joined in the middle: the dynamic table's old part is unknown and stays so.
//
// Literals and static entries are read; entries inserted from here on are remembered and found again by their index,
// because new entries come first; an index beyond them gives an unknown field. nghttp2's inflater, which serves
// connections seen from their beginning, would fail at the first such index.
#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "core/bytes.h"
#include "decode/grpc/header_list.h"

namespace hopscope::decode::grpc {

// Where the value of a literal field stands in its block, for who overwrites it there.
struct HpackLiteral {
    std::string name, value;
    bool name_known = false;
    std::size_t text_at = 0;              // of the byte that says whether the value is Huffman-coded (its top bit)
    std::size_t bytes_at = 0, bytes = 0;  // the value as it is coded
};

class HpackReader {
public:
    // Appends the fields of a whole header block. False: malformed; what came before the fault is in `out`, and the
    // table is forgotten. `literals`, where given, gets the literal fields of the block in order.
    bool read(Bytes block, HeaderList& out, std::vector<HpackLiteral>* literals = nullptr);
    // The table cannot be followed any more (bytes were lost): everything in it is unknown from now on.
    void forget();

private:
    struct Entry {
        std::string name, value;
        bool known = false;  // both
        bool name_known = false;
        [[nodiscard]] std::size_t bytes() const { return name.size() + value.size() + 32; }  // RFC 7541 section 4.1
    };
    struct Cursor;

    bool read_field(Cursor& in, HeaderList& out);
    bool read_literal(Cursor& in, unsigned index_bits, bool insert, HeaderList& out);
    void insert(Entry entry);
    void shrink_to(std::size_t bytes);

    std::deque<Entry> table_;  // newest first
    std::size_t table_bytes_ = 0;
    std::vector<HpackLiteral>* literals_ = nullptr;  // during read()
    std::string name_, value_;                       // scratch
};

}  // namespace hopscope::decode::grpc
