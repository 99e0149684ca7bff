// A conversation between containerd and a shim, from its beginning or joined late; see decode_twice.h for the input's
// form.
#include "decode/grpc/grpc.h"
#include "decode_twice.h"

using namespace hopscope;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    for (const bool late : {false, true})
        fuzz::decode_twice({data, size}, [late] { return decode::grpc::make_ttrpc(late); });
    return 0;
}
