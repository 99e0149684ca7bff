// HTTP/1.1 connections with what their upgrades lead to, from their beginning and joined late, with gaps; cut
// differently they tell the same.
#include "decode/stream/http1.h"
#include "decode_cut.h"

using namespace hopscope;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const bool late = (data[0] & 1) != 0;
    fuzz::decode_cut(Bytes(data, size),
                     [late] { return late ? decode::stream::make_http1_late() : decode::stream::make_http1(); });
    return 0;
}
