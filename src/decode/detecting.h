// The first decoder of a connection whose beginning is at hand: finds out what it speaks and hands over.
#pragma once

#include <memory>

#include "decode/decoder.h"
#include "decode/stream/detect.h"

namespace hopscope::decode {

class TlsKeys;

struct Protocols {
    const TlsKeys* tls_keys = nullptr;  // borrowed, may be null
};

// The decoder for a protocol that is known; null for Protocol::unknown and undecided.
std::unique_ptr<Decoder> make_decoder(stream::Protocol protocol, bool late, const Protocols& protocols);

// For streams whose client is known and whose first byte is here (TLS plaintext): waits for the client's first bytes.
// Tells nothing and breaks off silently where nothing that hopscope decodes is spoken.
std::unique_ptr<Decoder> make_detecting(const Protocols& protocols);

}  // namespace hopscope::decode
