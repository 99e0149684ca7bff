#include "chain/tls_book.h"

#include <algorithm>

namespace hopscope::chain {
namespace {

constexpr std::uint8_t kApplicationData = 23;
constexpr std::uint16_t kTls13 = 0x0304;
constexpr std::uint32_t kAlertBytes = 2;
constexpr std::uint64_t kFieldBytes =
    2;  // spdystream writes frames field by field; the last one may be cut between them

// RFC 7905 and 8446 B.4: suites whose nonce is not sent.
bool is_chacha(std::uint16_t suite) { return (suite >= 0xcca8 && suite <= 0xccae) || suite == 0x1303; }

}  // namespace

std::uint32_t SealedConnection::overhead_bytes() const {
    if (version >= kTls13 || version == 0) return 17;  // tag and inner type
    return is_chacha(cipher_suite) ? 16 : 24;          // tag, and the explicit nonce of GCM
}

void SealedConnection::record(const TlsRecord& event, Timestamp now) {
    decrypted = decrypted || event.decrypted;
    last = now;
    if (event.type != kApplicationData) return;
    SealedSide& s = side[index_of(event.direction)];
    const std::uint32_t overhead = overhead_bytes();
    const std::uint32_t plain = event.length > overhead ? event.length - overhead : 0;
    if (s.records < kFirstRecords) {
        s.sum_before[s.records] = s.bytes;
        s.at[s.records] = now;
    }
    ++s.records;
    s.bytes += plain;
    s.last_bytes = plain;
    s.last = now;
}

std::optional<SealedConnection::Tail> SealedConnection::tail(Direction direction, std::uint64_t bytes,
                                                             std::uint64_t goodbye_bytes_max) const {
    const SealedSide& s = side[index_of(direction)];
    const std::size_t known = std::min<std::size_t>(s.records, kFirstRecords);
    std::optional<Tail> best;
    for (const std::uint64_t alert : {std::uint64_t{0}, std::uint64_t{kAlertBytes}}) {
        if (alert != 0 && s.last_bytes != kAlertBytes) continue;
        const std::uint64_t all = s.bytes - alert;
        // The head of the HTTP message comes first: something must stand before.
        for (std::size_t i = 1; i <= known; ++i) {
            const std::uint64_t before = i < known ? s.sum_before[i] : all;
            if (before > all || (i == known && s.records > known)) continue;
            const std::uint64_t rest = all - before;
            const std::uint64_t differing = rest > bytes ? rest - bytes : bytes - rest;
            if (differing > goodbye_bytes_max || differing % kFieldBytes != 0) continue;
            if (!best || differing < best->differing_bytes) best = Tail{i, differing};
        }
    }
    return best;
}

void TlsBook::add(std::unique_ptr<SealedConnection> connection) {
    if (connection->decrypted) return;
    kept_.push_back(std::move(connection));
    if (kept_.size() <= kSealedKeptMax) return;
    kept_.pop_front();
    ++forgotten_;
}

}  // namespace hopscope::chain
