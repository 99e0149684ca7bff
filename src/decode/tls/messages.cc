// Handshake messages and alerts of a TLS connection.
#include <algorithm>
#include <cstdio>

#include "decode/tls/certificate.h"
#include "decode/tls/connection.h"

namespace hopscope::decode::tls {
namespace {

constexpr std::uint8_t kCloseNotify = 0, kUserCanceled = 90, kFatal = 2;

struct AlertName {
    std::uint8_t description;
    const char* name;
};
// RFC 8446 section 6 and RFC 5246 section 7.2: those that end a connection.
constexpr AlertName kAlertNames[] = {
    {10, "unexpected_message"},
    {20, "bad_record_mac"},
    {22, "record_overflow"},
    {40, "handshake_failure"},
    {42, "bad_certificate"},
    {43, "unsupported_certificate"},
    {44, "certificate_revoked"},
    {45, "certificate_expired"},
    {46, "certificate_unknown"},
    {47, "illegal_parameter"},
    {48, "unknown_ca"},
    {49, "access_denied"},
    {50, "decode_error"},
    {51, "decrypt_error"},
    {70, "protocol_version"},
    {71, "insufficient_security"},
    {80, "internal_error"},
    {86, "inappropriate_fallback"},
    {109, "missing_extension"},
    {110, "unsupported_extension"},
    {112, "unrecognized_name"},
    {113, "bad_certificate_status_response"},
    {115, "unknown_psk_identity"},
    {116, "certificate_required"},
    {120, "no_application_protocol"},
};

const char* alert_name(std::uint8_t description) {
    for (const AlertName& alert : kAlertNames)
        if (alert.description == description) return alert.name;
    return "unknown";
}

}  // namespace

void Connection::messages(Direction direction, std::uint64_t offset, Bytes content, EventSink& sink) {
    Side& s = side(direction);
    const Epoch epoch = s.epoch;
    while (!broken_ && s.epoch == epoch) {
        const auto message = s.handshake.next(content);
        if (!message) return;
        const bool tls13 = schedule_.is_tls13();
        const bool server = direction == Direction::to_client;
        switch (message->type) {
            case kClientHello:
                if (!server && epoch == Epoch::plain) on_client_hello(offset, *message, sink);
                break;
            case kServerHello:
                if (server && epoch == Epoch::plain) on_server_hello(offset, *message, sink);
                break;
            case kEncryptedExtensions:
                if (server && tls13 && epoch == Epoch::handshake) on_encrypted_extensions(message->body, sink);
                break;
            case kCertificate: on_certificate(direction, message->body, sink); break;
            case kEndOfEarlyData:
                if (epoch == Epoch::early) enter(direction, Epoch::handshake);
                break;
            case kFinished:
                if (tls13 && epoch == Epoch::handshake) enter(direction, Epoch::application);
                break;
            case kKeyUpdate:
                if (tls13 && epoch == Epoch::application) {
                    s.keys = schedule_.updated(s.keys);
                    s.sequence = 0;
                    return;  // it is the last message under its keys
                }
                break;
            default: break;
        }
    }
}

void Connection::enter(Direction direction, Epoch epoch) {
    Side& s = side(direction);
    s.epoch = epoch;
    s.sequence = 0;
    s.tried = 0;
    s.keys = {};  // made when the first record needs them: the secret may come in between
}

void Connection::on_client_hello(std::uint64_t offset, const Message& message, EventSink& sink) {
    if (schedule_.has_server()) return;
    const auto hello = parse_client_hello(message.body);
    if (!hello) {
        not_tls(Direction::to_server, offset, "tls.handshake", "the client's hello makes no sense", sink);
        return;
    }
    early_offered_ = hello->early_data;
    // The answer to HelloRetryRequest repeats the first hello with the same random.
    const bool repeated = schedule_.has_client() &&
                          std::equal(hello->random.begin(), hello->random.end(), schedule_.client_random().begin());
    if (repeated) return;
    schedule_.client_hello(hello->random);
    sink.on(TlsClientHello{hello->version, hello->server_name, std::span(hello->alpn).first(hello->alpn_count),
                           hello->random});
}

void Connection::on_server_hello(std::uint64_t offset, const Message& message, EventSink& sink) {
    if (schedule_.has_server()) return;
    const auto hello = parse_server_hello(message.body);
    if (!hello) {
        not_tls(Direction::to_client, offset, "tls.handshake", "the server's hello makes no sense", sink);
        return;
    }
    if (hello->retry) {
        retried_ = true;
        return;
    }
    schedule_.server_hello(hello->version, hello->suite, hello->random);
    hello_pending_ = true;
    if (!schedule_.is_tls13()) {
        tell_server_hello(hello->alpn, sink);
        return;
    }
    enter(Direction::to_client, Epoch::handshake);
    enter(Direction::to_server, early_offered_ && !retried_ ? Epoch::early : Epoch::handshake);
    // ALPN comes with the first message that is encrypted.
    const bool readable = schedule_.supported() && schedule_.has_secret(Direction::to_client, Epoch::handshake);
    if (!readable) tell_server_hello({}, sink);
}

void Connection::tell_server_hello(std::string_view alpn, EventSink& sink) {
    if (!hello_pending_) return;
    hello_pending_ = false;
    sink.on(TlsServerHello{schedule_.version(), schedule_.suite_id(), alpn});
}

void Connection::on_encrypted_extensions(Bytes body, EventSink& sink) {
    const auto said = parse_encrypted_extensions(body);
    early_decided_ = true;
    early_accepted_ = said && said->early_data;
    tell_server_hello(said ? said->alpn : std::string_view{}, sink);
}

bool Connection::waits_for_extensions() const {
    // Whether early data was accepted stands in EncryptedExtensions; refused data is sent again and must not count.
    const Side& server = sides_[index_of(Direction::to_client)];
    return !early_decided_ && server.epoch == Epoch::handshake && !server.closed && !server.seeking && !server.over &&
           schedule_.supported() && schedule_.has_secret(Direction::to_client, Epoch::handshake);
}

void Connection::on_certificate(Direction direction, Bytes body, EventSink& sink) {
    const auto names = certificate_names(first_certificate(body, schedule_.is_tls13()));
    if (names) sink.on(TlsCertificate{direction, names->subject, names->issuer});
}

void Connection::on_alert(Direction direction, std::uint64_t offset, Bytes content, EventSink& sink) {
    if (content.size() < 2) return;
    const std::uint8_t level = content[0], description = content[1];
    if (description == kUserCanceled) return;
    if (description != kCloseNotify) {
        // TLS 1.3 has no other warnings: whatever the level says, the connection is over.
        if (level != kFatal && !schedule_.is_tls13()) return;
        char text[64];
        std::snprintf(text, sizeof text, "fatal alert %u: %s", unsigned{description}, alert_name(description));
        sink.on(Problem{"tls.alert", text, direction, offset, 0});
    }
    if (inner_) inner_->end(direction, sink);
}

}  // namespace hopscope::decode::tls
