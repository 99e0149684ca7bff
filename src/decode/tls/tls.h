// TLS 1.2 and 1.3 records (RFC 5246, RFC 8446), decrypted with a key log where it has the connection's secrets.
//
// Plaintext goes down an inner Road, so that what is inside is decoded like any other byte stream; without keys the
// record sizes and handshake facts are told. AES-GCM and ChaCha20-Poly1305 through libcrypto's EVP; CBC and CCM suites
// are not decrypted and say so. Keys stay in memory only and are wiped.
//
// What is told, and when:
// - TlsClientHello once (a second one after HelloRetryRequest is not told), TlsServerHello once: in TLS 1.3, if the
//   server's handshake secret is known, together with the ALPN choice of EncryptedExtensions. TlsCertificate: the
//   sender's own, common names and organisations; in TLS 1.3 only when it could be decrypted.
// - TlsRecord for every record whose header was seen, when its last byte was seen and before what it carried.
//   `type` is the outer type as on the wire: 23 for everything encrypted in TLS 1.3. `decrypted` means opened with a
//   key; hellos, alerts and ChangeCipherSpec in the clear have it false.
// - TlsClosed once, at the first record that stays closed for good. Each direction goes on by itself:
//     TLS-01 the key log has no secret for this connection      TLS-02 no key log: sizes and times only
//     TLS-03 joined late: the client's hello was not seen        TLS-04 cipher suite or version not supported
//     TLS-05 bytes are missing, and no later record opened       TLS-06 the secret does not open the records
//     TLS-07 TLS 1.2 renegotiated: the keys after it are not followed
// - Problem: "tls.record" (this is no TLS), "tls.handshake" (a hello that makes no sense), "tls.alert" (fatal alert),
//   "tls.gap" (decryption goes on after missing records), "tls.early-data" (0-RTT records that stay closed).
//
// After missing bytes the next record that opens under one of the following sequence numbers (or under the keys that
// follow) is searched, within limits. The inner Road is told a gap: exact when all missing records were application
// data without padding; a missing session ticket, key update or padding makes it too large by its size.
// 0-RTT data is decrypted when its secret is known and the server accepted it; refused early data is never passed on.
// Not followed: renegotiation, encrypted client hello, heartbeat, DTLS.
#pragma once

#include <functional>
#include <memory>

#include "core/result.h"
#include "decode/decoder.h"

namespace hopscope::decode {

// The secrets of an NSS key log (draft-ietf-tls-keylogfile). Later lines for the same client random and label win.
// Lines with labels that open no records (EXPORTER_SECRET, RSA …) are passed over. Wiped on destruction.
class TlsKeys {
public:
    TlsKeys();
    ~TlsKeys();
    TlsKeys(TlsKeys&&) noexcept;
    TlsKeys& operator=(TlsKeys&&) noexcept;

    // Adds the lines of `text`; returns how many secrets were added. Lines that are no key-log lines are skipped and
    // counted in bad_lines().
    std::size_t add(std::string_view text);
    [[nodiscard]] std::size_t size() const;
    [[nodiscard]] std::size_t bad_lines() const;
    // Good lines beyond limits::kTlsKeyedConnectionsMax connections.
    [[nodiscard]] std::size_t not_kept() const;
    // The secret of `label` for `client_random` (32 bytes), or empty. Borrowed until the next add().
    [[nodiscard]] Bytes find(std::string_view label, Bytes client_random) const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

// `keys` is borrowed and may be null; it may grow while the connection lives (pcapng secrets blocks), but a secret must
// be there when the first record that needs it comes.
// `inner` makes the decoder for the plaintext (it detects what it is). It must not make TLS again.
// `late`: the connection's beginning was not captured; a ClientHello as the client's first bytes is taken all the same.
using InnerDecoder = std::function<std::unique_ptr<Decoder>()>;
std::unique_ptr<Decoder> make_tls(const TlsKeys* keys, InnerDecoder inner, bool late);

}  // namespace hopscope::decode
