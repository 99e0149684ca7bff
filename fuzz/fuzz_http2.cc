// HTTP/2 connections from their beginning and joined late, with gaps; cut differently they tell the same.
#include "decode/grpc/grpc.h"
#include "decode_twice.h"

using namespace hopscope;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const bool late = (data[0] & 1) != 0;
    fuzz::decode_twice(Bytes(data, size).subspan(1), [late] { return decode::grpc::make_http2(late); });
    return 0;
}
