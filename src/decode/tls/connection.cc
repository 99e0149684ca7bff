#include "decode/tls/connection.h"

#include <algorithm>
#include <bit>
#include <cstdio>

namespace hopscope::decode {

std::unique_ptr<Decoder> make_tls(const TlsKeys* keys, InnerDecoder inner, bool late) {
    return std::make_unique<tls::Connection>(keys, std::move(inner), late);
}

namespace tls {
namespace {

// Enough for the small records of an interactive session; larger ones give their memory back.
constexpr std::size_t kBufferKeptBytes = 4096;

constexpr std::uint64_t kMessageHeadBytes = 4;  // all that EndOfEarlyData consists of

// RFC 8446 section 5.4: content, its type, then zeros. The type, and the content cut out; 0 if all is zero.
std::uint8_t strip_padding(Bytes& plain) {
    std::size_t size = plain.size();
    while (size > 0 && plain[size - 1] == 0) --size;
    if (size == 0) {
        plain = {};
        return 0;
    }
    const std::uint8_t type = plain[size - 1];
    plain = plain.first(size - 1);
    return type;
}

}  // namespace

Step Connection::decode(Direction direction, std::uint64_t offset, Bytes unread, EventSink& sink) {
    side(direction).waiting = false;
    std::size_t taken = 0;
    while (taken < unread.size() && !broken_) {
        const std::size_t step = advance(direction, offset + taken, unread.subspan(taken), sink);
        if (step == 0) break;
        taken += step;
    }
    trim_buffer();
    if (broken_) return Step::broken(taken);
    return taken > 0 ? Step::took(taken) : Step::more();
}

std::size_t Connection::unread_bytes_max() const {
    const bool waiting = sides_[0].waiting || sides_[1].waiting;
    // A closed side that seeks looks at the header behind the record, too.
    return waiting ? limits::kHeldBytesMax : limits::kTlsRecordBytesMax + 2 * kHeaderBytes;
}

void Connection::end(Direction direction, EventSink& sink) {
    Side& s = side(direction);
    s.over = true;
    if (direction == Direction::to_client) tell_server_hello({}, sink);
    if (!inner_) return;
    estimate_lost(direction);
    tell_lost(direction, sink);
    inner_->end(direction, sink);
}

// Does the next thing with `rest`; returns how many bytes it used up, 0 when it needs more.
std::size_t Connection::advance(Direction direction, std::uint64_t offset, Bytes rest, EventSink& sink) {
    Side& s = side(direction);
    while (!broken_) {
        if (s.skip_left > 0) return skip(direction, rest, sink);
        if (late_ && !begin_late(direction, rest, sink)) return 0;
        if (s.seeking) {
            const bool was_closed = s.closed;
            const std::size_t step =
                was_closed ? seek_closed(direction, rest) : seek_sealed(direction, offset, rest, sink);
            // Nothing was used up, yet the side is another now: found its place, or closed.
            if (step == 0 && (!s.seeking || s.closed != was_closed)) continue;
            return step;
        }
        if (rest.size() < kHeaderBytes) return 0;
        const RecordHeader header = read_header(rest.data());
        if (!is_plausible(header)) {
            const bool first = offset == 0 && direction == Direction::to_client;
            not_tls(direction, offset, "tls.record",
                    first ? "the server does not answer in TLS"
                          : "no TLS record begins here: the bytes are damaged, or another protocol goes on",
                    sink);
            return 0;
        }
        if (s.closed) return start_skip(direction, header, sink);
        s.header = header;
        s.pending_bytes = header.record_bytes();
        if (rest.size() < header.record_bytes()) return 0;
        s.pending_bytes = 0;
        Outcome outcome = record(direction, offset, header, rest.subspan(kHeaderBytes, header.length), sink);
        if (outcome == Outcome::wait) outcome = wait(direction, rest.size(), sink);
        if (outcome == Outcome::done) return header.record_bytes();
        if (outcome == Outcome::wait) return 0;
    }
    return 0;
}

Connection::Outcome Connection::record(Direction direction, std::uint64_t offset, const RecordHeader& header,
                                       Bytes body, EventSink& sink) {
    const Side& s = side(direction);
    if (s.epoch == Epoch::plain) return plain_record(direction, offset, header, body, sink);
    if (!schedule_.is_tls13() || header.type == kApplicationData)
        return sealed_record(direction, offset, header, body, sink);
    // In TLS 1.3 only these stay in the clear: compatibility ChangeCipherSpec, and alerts of a client without keys.
    tell_record(direction, header, false, sink);
    if (header.type == kAlert) on_alert(direction, offset, body, sink);
    return Outcome::done;
}

Connection::Outcome Connection::plain_record(Direction direction, std::uint64_t offset, const RecordHeader& header,
                                             Bytes body, EventSink& sink) {
    if (direction == Direction::to_client && !schedule_.has_client()) return Outcome::wait;
    if (direction == Direction::to_server && !schedule_.has_server()) {
        // After HelloRetryRequest: early data that the server has refused with it.
        const bool refused = retried_ && header.type == kApplicationData;
        if (!refused && header.type == kApplicationData) return Outcome::wait;
        if (!retried_ && header.type == kChangeCipherSpec) return Outcome::wait;
    } else if (header.type == kApplicationData) {
        close_both("TLS-03", "the handshake was not captured from its beginning: it cannot be decrypted", sink);
        return Outcome::again;
    }
    tell_record(direction, header, false, sink);
    if (header.type == kHandshake) messages(direction, offset, body, sink);
    if (header.type == kAlert) on_alert(direction, offset, body, sink);
    if (header.type == kChangeCipherSpec && schedule_.has_server() && !schedule_.is_tls13())
        enter(direction, Epoch::application);
    return Outcome::done;
}

Connection::Outcome Connection::sealed_record(Direction direction, std::uint64_t offset, const RecordHeader& header,
                                              Bytes body, EventSink& sink) {
    Side& s = side(direction);
    if (s.epoch == Epoch::early && waits_for_extensions()) return Outcome::wait;
    prepare(direction);
    if (s.keys.ready()) {
        std::uint8_t* out = buffer(body.size());
        const auto size = s.keys.cipher.open(header, s.sequence, body, out);
        if (!size) {
            close(direction, "TLS-06",
                  "the secret of the key log does not open this connection's records: the log belongs to another run, "
                  "or the bytes are damaged",
                  sink);
            return Outcome::again;
        }
        ++s.sequence;
        opened(direction, offset, header, {out, *size}, sink);
        return Outcome::done;
    }

    // No secret for this part, but one for a later part: the record may be that part's first.
    if (!has_later_secret(direction)) {
        close_without_key(direction, sink);
        return Outcome::again;
    }
    const bool was_early = s.epoch == Epoch::early;
    if (const auto landing = search(direction, offset, header, body, 1)) {
        // The last record that stayed closed was EndOfEarlyData, which is no content.
        if (was_early) s.lost.plain -= std::min(s.lost.plain, kMessageHeadBytes);
        tell_lost(direction, sink);
        opened(direction, offset, header, {buffer_.get(), landing->plain_bytes}, sink);
        return Outcome::done;
    }
    if (++s.tried > limits::kTlsTrialRecordsMax) {
        close(direction, "TLS-06", "none of this connection's secrets in the key log opens its records", sink);
        return Outcome::again;
    }
    tell_record(direction, header, false, sink);
    if (s.epoch == Epoch::early) {
        const std::size_t overhead = schedule_.overhead_bytes();
        if (early_accepted_ && header.length > overhead) s.lost.plain += header.length - overhead;
        if (!early_told_) {
            early_told_ = true;
            sink.on(Problem{"tls.early-data",
                            early_accepted_ ? "0-RTT data stays closed: the key log has no CLIENT_EARLY_TRAFFIC_SECRET"
                                            : "0-RTT data is passed over: the server did not take it",
                            direction, offset, header.record_bytes()});
        }
    }
    return Outcome::done;
}

void Connection::opened(Direction direction, std::uint64_t offset, const RecordHeader& header, Bytes plain,
                        EventSink& sink) {
    tell_record(direction, header, true, sink);
    const std::uint8_t type = schedule_.is_tls13() ? strip_padding(plain) : header.type;
    switch (type) {
        case kApplicationData: pass_on(direction, plain, sink); break;
        case kHandshake: messages(direction, offset, plain, sink); break;
        case kAlert: on_alert(direction, offset, plain, sink); break;
        case kChangeCipherSpec:
            if (!schedule_.is_tls13())
                close_both("TLS-07", "the connection was renegotiated (TLS 1.2): what comes after it is not decrypted",
                           sink);
            break;
        default: break;
    }
}

void Connection::pass_on(Direction direction, Bytes content, EventSink& sink) {
    if (content.empty()) return;
    tell_lost(direction, sink);
    inner().feed(direction, content, sink);
}

Road& Connection::inner() {
    if (!inner_) inner_ = std::make_unique<Road>(make_inner_());
    return *inner_;
}

void Connection::tell_record(Direction direction, const RecordHeader& header, bool decrypted, EventSink& sink) {
    sink.on(TlsRecord{direction, header.type, header.length, decrypted});
}

void Connection::prepare(Direction direction) {
    Side& s = side(direction);
    if (s.keys.ready() || s.epoch == Epoch::plain) return;
    if (s.epoch == Epoch::early && !early_accepted_) return;
    s.keys = schedule_.make(direction, s.epoch);
}

bool Connection::has_later_secret(Direction direction) {
    if (!schedule_.supported() || !schedule_.is_tls13()) return false;
    const Epoch now = side(direction).epoch;
    return (now < Epoch::handshake && schedule_.has_secret(direction, Epoch::handshake)) ||
           (now < Epoch::application && schedule_.has_secret(direction, Epoch::application));
}

std::size_t Connection::start_skip(Direction direction, const RecordHeader& header, EventSink& sink) {
    Side& s = side(direction);
    s.header = header;
    s.skip_left = header.length;
    const std::size_t overhead = schedule_.overhead_bytes();
    if (inner_ && header.type == kApplicationData && header.length > overhead) s.lost.plain += header.length - overhead;
    if (s.skip_left == 0) tell_record(direction, header, false, sink);
    return kHeaderBytes;
}

std::size_t Connection::skip(Direction direction, Bytes rest, EventSink& sink) {
    Side& s = side(direction);
    const std::size_t step = std::min(s.skip_left, rest.size());
    s.skip_left -= step;
    if (s.skip_left == 0) tell_record(direction, s.header, false, sink);
    return step;
}

std::uint8_t* Connection::buffer(std::size_t bytes) {
    if (buffer_bytes_ < bytes) {
        buffer_bytes_ =
            bytes <= kBufferKeptBytes ? std::bit_ceil(std::max<std::size_t>(bytes, 256)) : limits::kTlsRecordBytesMax;
        buffer_ = std::make_unique_for_overwrite<std::uint8_t[]>(buffer_bytes_);
    }
    return buffer_.get();
}

void Connection::trim_buffer() {
    if (buffer_bytes_ <= kBufferKeptBytes) return;
    buffer_.reset();
    buffer_bytes_ = 0;
}

bool Connection::begin_late(Direction direction, Bytes rest, EventSink& sink) {
    constexpr std::size_t kNeeded = kHeaderBytes + 1;  // and the type of the first message
    if (rest.size() < kNeeded) return false;
    const bool client = direction == Direction::to_server;
    const RecordHeader header = read_header(rest.data());
    const bool hello = is_plausible(header) && header.type == kHandshake &&
                       rest[kHeaderBytes] == (client ? kClientHello : kServerHello);
    // A server's hello is of use only after the client's, which may yet come.
    if (hello && !client && wait(direction, rest.size(), sink) == Outcome::wait) return false;
    late_ = false;
    if (hello && client) return true;
    close_both("TLS-03",
               "joined late: the client's hello was not captured, so no key can be found; start the capture before the "
               "connection",
               sink);
    for (Side& each : sides_) each.seeking = true;
    return true;
}

Connection::Outcome Connection::wait(Direction direction, std::size_t unread_bytes, EventSink& sink) {
    if (unread_bytes <= limits::kTlsWaitBytesMax) {
        side(direction).waiting = true;
        return Outcome::wait;
    }
    if (side(direction).epoch == Epoch::early) {
        early_decided_ = true;
    } else {
        close_both("TLS-03", "the other side's hello was not captured: it cannot be decrypted", sink);
    }
    return Outcome::again;
}

void Connection::not_tls(Direction direction, std::uint64_t offset, std::string_view code, std::string_view text,
                         EventSink& sink) {
    sink.on(Problem{code, text, direction, offset, 0});
    broken_ = true;
    for (const Direction each : {Direction::to_server, Direction::to_client})
        if (inner_) inner_->end(each, sink);
}

void Connection::close(Direction direction, std::string_view code, std::string_view why, EventSink& sink) {
    Side& s = side(direction);
    if (direction == Direction::to_client) tell_server_hello({}, sink);
    if (!closed_told_) sink.on(TlsClosed{code, why});
    closed_told_ = true;
    s.closed = true;
    s.keys = {};
    s.handshake.reset();
    s.pending_bytes = 0;
}

void Connection::close_both(std::string_view code, std::string_view why, EventSink& sink) {
    close(Direction::to_server, code, why, sink);
    close(Direction::to_client, code, why, sink);
}

void Connection::close_without_key(Direction direction, EventSink& sink) {
    if (!schedule_.supported()) {
        const bool old = schedule_.version() < kTls12;
        close(direction, "TLS-04",
              (old ? std::string("versions below TLS 1.2 are not decrypted (this is ")
                   : std::string("only AES-GCM and ChaCha20-Poly1305 are decrypted (this is ")) +
                  suite_name(schedule_.suite_id()) + ")",
              sink);
        return;
    }
    if (!schedule_.has_key_log()) {
        close(direction, "TLS-02",
              "encrypted: sizes and times only; give a key log with --tls-keys FILE, or a pcapng file with a "
              "decryption secrets block",
              sink);
        return;
    }
    const Epoch epoch = std::max(side(direction).epoch, Epoch::handshake);
    if (schedule_.has_secret(direction, schedule_.is_tls13() ? epoch : Epoch::application)) {
        close(direction, "TLS-06", "the secret of the key log does not fit the cipher suite: the log is damaged", sink);
        return;
    }
    std::string why = "the key log has no ";
    why += schedule_.label(direction, epoch);
    why += " for this connection (client random ";
    for (const std::uint8_t byte : schedule_.client_random().first(8)) {
        char hex[3];
        std::snprintf(hex, sizeof hex, "%02x", unsigned{byte});
        why += hex;
    }
    why += "…): give the log of the same run with --tls-keys FILE, or a pcapng file with a decryption secrets block";
    close(direction, "TLS-01", why, sink);
}

}  // namespace tls
}  // namespace hopscope::decode
