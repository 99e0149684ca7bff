// Missing bytes in a TLS connection: finding the next record that opens, and saying how much plaintext is gone.
#include <algorithm>
#include <cstdio>

#include "decode/tls/connection.h"

namespace hopscope::decode::tls {
namespace {

constexpr std::size_t kSealedBytesMax = 16384 + 256;  // RFC 8446 section 5.2; TLS 1.2 AEAD suites need less
constexpr std::uint64_t kKeyUpdateBytes = 5;
constexpr std::uint64_t kAlertBytes = 2;

Epoch epoch_after(Epoch epoch, bool tls13) {
    switch (epoch) {
        case Epoch::plain: return tls13 ? Epoch::handshake : Epoch::application;
        case Epoch::early: return Epoch::handshake;
        case Epoch::handshake:
        case Epoch::application: return Epoch::application;
    }
    return Epoch::application;
}

std::uint64_t less(std::uint64_t a, std::uint64_t b) { return a > b ? a - b : 0; }

}  // namespace

bool Connection::gap(Direction direction, std::uint64_t, std::uint64_t missing, std::size_t unread_lost,
                     EventSink& sink) {
    Side& s = side(direction);
    s.waiting = false;
    s.missing += missing;
    if (direction == Direction::to_client) tell_server_hello({}, sink);
    if (s.skip_left > 0) {
        // Inside a record that is stepped over: its end is known.
        const std::uint64_t inside = std::min<std::uint64_t>(missing, s.skip_left);
        s.skip_left -= inside;
        if (s.skip_left == 0) tell_record(direction, s.header, false, sink);
        if (missing == inside) return true;
        if (!s.closed) s.lost.wire += missing - inside;
        s.seeking = true;
        return true;
    }

    std::uint64_t extent = missing + unread_lost;
    std::uint64_t captured = unread_lost;
    if (s.pending_bytes > extent) {
        // The record's header was seen and its end comes behind the hole.
        s.skip_left = s.pending_bytes - extent;
        extent += s.skip_left;
        captured += s.skip_left;
    } else if (s.pending_bytes > 0) {
        tell_record(direction, s.header, false, sink);
    }
    s.pending_bytes = 0;
    s.handshake.reset();
    s.seeking = true;
    if (s.closed) return true;
    s.lost.wire += extent;
    s.lost.captured += captured;

    const bool client = direction == Direction::to_server;
    const bool both_unknown = late_;
    if (late_ || (client ? !schedule_.has_client() : !schedule_.has_server())) {
        late_ = false;
        close_both(client ? "TLS-03" : "TLS-05",
                   client ? "the client's hello was not captured: no key can be found"
                          : "the server's hello was not captured: it cannot be decrypted",
                   sink);
        if (both_unknown) side(opposite(direction)).seeking = true;
    } else if (schedule_.has_server()) {
        prepare(direction);
        const Epoch next = epoch_after(s.epoch, schedule_.is_tls13());
        const bool secret = schedule_.supported() && schedule_.has_secret(direction, next);
        if (!s.keys.ready() && !secret && !has_later_secret(direction)) close_without_key(direction, sink);
    }
    if (s.closed && s.skip_left > 0) s.seeking = false;  // the next record begins behind this one
    return true;
}

bool Connection::may_be_sealed(Bytes start) const {
    const std::uint8_t lowest = schedule_.is_tls13() ? kApplicationData : kAlert;
    if (start[0] < lowest || start[0] > kApplicationData) return false;
    if (start.size() > 1 && start[1] != 3) return false;
    if (start.size() > 2 && start[2] != 3) return false;
    if (start.size() < kHeaderBytes) return true;
    const std::size_t length = read_be16(&start[3]);
    return length >= schedule_.overhead_bytes() && length <= kSealedBytesMax;
}

// At a place where a record may begin: takes what cannot be one, or the record that opens.
std::size_t Connection::seek_sealed(Direction direction, std::uint64_t offset, Bytes rest, EventSink& sink) {
    Side& s = side(direction);
    if (!schedule_.has_server() || (s.epoch == Epoch::early && waits_for_extensions())) {
        wait(direction, rest.size(), sink);
        return 0;
    }
    std::size_t at = 0;
    while (at < rest.size() && !may_be_sealed(rest.subspan(at, std::min(kHeaderBytes, rest.size() - at)))) ++at;
    if (at > 0) {
        s.lost.wire += at;
        s.lost.captured += at;
        return at;
    }
    s.pending_bytes = 0;
    if (rest.size() < kHeaderBytes) return 0;
    const RecordHeader header = read_header(rest.data());
    s.header = header;
    s.pending_bytes = header.record_bytes();
    if (rest.size() < header.record_bytes()) return 0;
    s.pending_bytes = 0;

    prepare(direction);
    const std::uint64_t record_bytes_min = kHeaderBytes + schedule_.overhead_bytes();
    const std::uint64_t range = std::min(s.lost.wire / record_bytes_min + 1, limits::kTlsSequenceSearchMax);
    const Epoch before = s.epoch;
    const auto landing = search(direction, offset, header, rest.subspan(kHeaderBytes, header.length), range);
    if (landing) {
        resume(direction, offset, before, *landing, sink);
        opened(direction, offset, header, {buffer_.get(), landing->plain_bytes}, sink);
        return header.record_bytes();
    }
    if (++s.tried < limits::kTlsResyncRecordsMax) {
        ++s.lost.wire;
        ++s.lost.captured;
        return 1;
    }
    s.lost.plain += less(s.lost.wire, record_bytes_min);
    s.lost.wire = 0;
    close(direction, "TLS-05", "bytes are missing, and none of the records after them could be decrypted", sink);
    return 0;
}

// Without keys: a record begins where its header and the one of the next record make sense.
std::size_t Connection::seek_closed(Direction direction, Bytes rest) {
    const auto makes_sense = [](const std::uint8_t* at) {
        const RecordHeader header = read_header(at);
        return is_plausible(header) && header.type <= kApplicationData && header.version >= 0x0301 &&
               header.version <= kTls12 && header.length > 0;
    };
    std::size_t at = 0;
    for (; at + kHeaderBytes <= rest.size(); ++at) {
        if (!makes_sense(&rest[at])) continue;
        const std::size_t next = at + read_header(&rest[at]).record_bytes();
        if (next + kHeaderBytes > rest.size()) break;  // more is needed to know
        if (!makes_sense(&rest[next])) continue;
        side(direction).seeking = false;
        break;
    }
    return at;
}

std::optional<Connection::Landing> Connection::try_keys(Side& s, TrafficKeys& keys, std::uint64_t from,
                                                        std::uint64_t range, std::uint64_t trial_bytes_max,
                                                        const RecordHeader& header, Bytes body) {
    std::uint8_t* out = buffer(body.size());
    for (std::uint64_t step = 0; step < range && s.trial_bytes <= trial_bytes_max; ++step) {
        s.trial_bytes += body.size() + limits::kTlsTrialBytesFixed;
        if (const auto size = keys.cipher.open(header, from + step, body, out)) {
            s.sequence = from + step + 1;
            s.tried = 0;
            return Landing{*size, step, &keys != &s.keys};
        }
    }
    return std::nullopt;
}

// Tries `range` sequence numbers under the keys of this epoch, then under those of the epochs that follow.
std::optional<Connection::Landing> Connection::search(Direction direction, std::uint64_t offset,
                                                      const RecordHeader& header, Bytes body, std::uint64_t range) {
    Side& s = side(direction);
    const std::uint64_t captured = less(offset, s.missing);
    const std::uint64_t most = limits::kTlsTrialBytesFree + limits::kTlsTrialBytesPerByte * captured;
    if (s.keys.ready()) {
        if (const auto landing = try_keys(s, s.keys, s.sequence, range, most, header, body)) return landing;
    }
    const bool tls13 = schedule_.is_tls13();
    const auto try_next = [&](TrafficKeys next, Epoch epoch) -> std::optional<Landing> {
        if (!next.ready()) return std::nullopt;
        const auto landing = try_keys(s, next, 0, range, most, header, body);
        if (landing) {
            s.keys = std::move(next);
            s.epoch = epoch;
        }
        return landing;
    };
    if (s.epoch == Epoch::application)
        return tls13 ? try_next(schedule_.updated(s.keys), Epoch::application) : std::nullopt;
    for (Epoch epoch = s.epoch; epoch != Epoch::application;) {
        epoch = epoch_after(epoch, tls13);
        if (const auto landing = try_next(schedule_.make(direction, epoch), epoch)) return landing;
    }
    return std::nullopt;
}

// The hole is behind: says how large it was, in plaintext.
void Connection::resume(Direction direction, std::uint64_t offset, Epoch before, const Landing& landing,
                        EventSink& sink) {
    Side& s = side(direction);
    const std::uint64_t per_record = kHeaderBytes + schedule_.overhead_bytes();
    const std::uint64_t wire = s.lost.wire;
    std::uint64_t plain = 0;
    if (before == Epoch::application || (before == Epoch::early && early_accepted_)) {
        // Under new keys the last record of the old ones is missing, too: KeyUpdate or EndOfEarlyData.
        const std::uint64_t records = landing.steps + (landing.other_keys ? 1 : 0);
        const std::uint64_t message = landing.other_keys ? kKeyUpdateBytes : 0;
        if (records > 0) plain = less(wire, records * per_record + message);
    } else if (s.epoch == Epoch::application && landing.steps > 0) {
        plain = less(wire, landing.steps * per_record);
    }
    char text[96];
    if (landing.other_keys)
        std::snprintf(text, sizeof text,
                      "records are missing, a change of keys among them; decryption goes on behind them");
    else
        std::snprintf(text, sizeof text, "missing records: %llu; decryption goes on behind them",
                      static_cast<unsigned long long>(landing.steps));
    sink.on(Problem{"tls.gap", text, direction, offset, s.lost.captured});
    s.lost.plain += plain;
    s.lost.wire = 0;
    s.lost.captured = 0;
    s.seeking = false;
    tell_lost(direction, sink);
}

void Connection::tell_lost(Direction direction, EventSink& sink) {
    Lost& lost = side(direction).lost;
    if (lost.plain > 0) inner().gap(direction, lost.plain, sink);
    lost.plain = 0;
}

// The direction ended before the hole could be measured.
void Connection::estimate_lost(Direction direction) {
    Side& s = side(direction);
    const std::uint64_t per_record = kHeaderBytes + schedule_.overhead_bytes();
    // An alert alone (close_notify) is what most often goes missing at the end.
    if (s.seeking && !s.closed && s.lost.wire > per_record + kAlertBytes) s.lost.plain += s.lost.wire - per_record;
    s.lost.wire = 0;
}

}  // namespace hopscope::decode::tls
