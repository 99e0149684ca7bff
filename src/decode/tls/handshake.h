// Handshake messages (RFC 8446 section 4, RFC 5246 section 7.4): put together from records, and the few that matter
// taken apart. Nothing is checked that only the two ends can check (signatures, Finished).
#pragma once

#include <array>
#include <optional>
#include <string_view>
#include <vector>

#include "core/bytes.h"
#include "core/limits.h"

namespace hopscope::decode::tls {

enum MessageType : std::uint8_t {
    kHelloRequest = 0,
    kClientHello = 1,
    kServerHello = 2,
    kNewSessionTicket = 4,
    kEndOfEarlyData = 5,
    kEncryptedExtensions = 8,
    kCertificate = 11,
    kFinished = 20,
    kKeyUpdate = 24,
};

struct Message {
    std::uint8_t type = 0;
    Bytes body;         // borrowed: valid until the next call of HandshakeReader
    bool whole = true;  // false: longer than limits::kTlsHandshakeBytesMax; `body` is empty
};

// Puts the messages of one direction together. Keeps bytes only while a message that matters goes over several
// records; the others are counted past.
class HandshakeReader {
public:
    // Takes bytes from the front of `rest` until a message is complete; nothing when `rest` is used up before.
    std::optional<Message> next(Bytes& rest);
    void reset();

private:
    std::array<std::uint8_t, 4> head_{};  // type and length
    std::uint8_t head_bytes_ = 0;
    bool keep_ = false;
    std::uint32_t left_ = 0;  // bytes of the body still to come
    std::vector<std::uint8_t> held_;
};

struct ClientHello {
    std::uint16_t version = 0;  // highest that is offered
    Bytes random;
    std::string_view server_name;
    std::array<std::string_view, limits::kTlsAlpnMax> alpn;
    std::size_t alpn_count = 0;
    bool early_data = false;
};
struct ServerHello {
    std::uint16_t version = 0;
    std::uint16_t suite = 0;
    Bytes random;
    std::string_view alpn;
    bool retry = false;  // HelloRetryRequest
};
struct EncryptedExtensions {
    std::string_view alpn;
    bool early_data = false;  // the server takes the early data
};

// Views point into `body`. Nothing when the lengths inside contradict each other.
std::optional<ClientHello> parse_client_hello(Bytes body);
std::optional<ServerHello> parse_server_hello(Bytes body);
std::optional<EncryptedExtensions> parse_encrypted_extensions(Bytes body);
// The sender's own certificate (DER); empty when there is none or the message makes no sense.
Bytes first_certificate(Bytes body, bool tls13);

}  // namespace hopscope::decode::tls
