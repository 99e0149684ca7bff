// hopscope extract: the bytes of a stream as they were, or an asciicast of a session. Written as they are read: nothing
// is gathered in memory.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

#include "cli/commands.h"
#include "cli/offline.h"
#include "cli/report_error.h"
#include "cli/reveal_options.h"
#include "core/untrusted.h"
#include "export/asciicast.h"
#include "export/json_writer.h"

namespace hopscope::cli {
namespace {

struct Wanted {
    std::uint32_t session = 0;  // 0: the only one
    std::optional<std::uint32_t> stream_id;
    StreamKind kind = StreamKind::out;
    std::optional<std::uint16_t> port;
    std::optional<Direction> direction;
    std::string format;
    std::string file;  // "-": standard output
    bool overwrite = false, force_tty = false;
    chain::Reveal reveal;
};

Unexpected<Error> usage(std::string why, std::string hint) {
    return unexpected(
        Error{.doing = "", .subject = "", .why = std::move(why), .hint = std::move(hint), .code = "USE-01"});
}

Result<Wanted> wanted_of(const Invocation& invocation) {
    Wanted wanted;
    const auto reveal = reveal_of(invocation);
    if (!reveal) return unexpected(reveal.error());
    wanted.reveal = *reveal;
    if (invocation.given("session")) {
        std::string id = invocation.text("session");
        if (id.starts_with("s")) id.erase(0, 1);
        const auto number = parse_number("session", id, UINT32_MAX);
        if (!number || *number == 0)
            return usage("'" + display(invocation.text("session")) + "' is no session",
                         "s1, s2 … as 'hopscope analyze' lists them");
        wanted.session = static_cast<std::uint32_t>(*number);
    }
    const std::string stream = invocation.text("stream");
    for (auto kind :
         {StreamKind::error, StreamKind::in, StreamKind::out, StreamKind::err, StreamKind::resize, StreamKind::data}) {
        if (to_string(kind) == stream) wanted.kind = kind;
    }
    if (invocation.given("stream-id")) {
        const auto id = parse_number("stream-id", invocation.text("stream-id"), UINT32_MAX);
        if (!id) return unexpected(id.error());
        wanted.stream_id = static_cast<std::uint32_t>(*id);
    }
    if (invocation.given("port")) {
        const auto port = parse_number("port", invocation.text("port"), 65535);
        if (!port) return unexpected(port.error());
        wanted.port = static_cast<std::uint16_t>(*port);
        if (!invocation.given("stream")) wanted.kind = StreamKind::data;
    }
    if (invocation.given("direction"))
        wanted.direction = invocation.text("direction") == "in" ? Direction::to_server : Direction::to_client;
    wanted.format = invocation.text("format");
    wanted.file = invocation.text("output-file");
    wanted.overwrite = invocation.on("force");
    wanted.force_tty = invocation.on("force-tty");
    return wanted;
}

// A file created with mode 0600 at the first byte, or standard output.
class Target {
public:
    Target(std::string name, bool overwrite) : name_(std::move(name)), overwrite_(overwrite) {}
    ~Target() {
        out_.reset();
        if (fd_ > STDERR_FILENO) close(fd_);
    }
    exports::Output* open() {
        if (out_ || failed_) return out_.get();
        fd_ = STDOUT_FILENO;
        if (name_ != "-") {
            fd_ = ::open(name_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | (overwrite_ ? O_TRUNC : O_EXCL), 0600);
            if (fd_ < 0) {
                failed_ = Error{.doing = "cannot write",
                                .subject = name_,
                                .why = std::strerror(errno),
                                .errno_value = errno,
                                .hint = errno == EEXIST ? "another name, or --force" : "another place: -O FILE",
                                .code = errno == EEXIST ? "CAP-21" : "CAP-20"};
                return nullptr;
            }
            give_to_sudo_user();
        }
        out_ = std::make_unique<exports::FdOutput>(fd_, name_ == "-" ? "standard output" : name_);
        return out_.get();
    }
    Status finish() {
        if (failed_) return unexpected(*failed_);
        if (!out_) return Done{};
        out_->flush();
        return out_->status();
    }
    [[nodiscard]] const std::string& name() const { return name_; }
    std::uint64_t bytes = 0;

private:
    void give_to_sudo_user() const {
        const char* uid = std::getenv("SUDO_UID");
        const char* gid = std::getenv("SUDO_GID");
        if (geteuid() == 0 && uid && gid &&
            fchown(fd_, static_cast<uid_t>(std::atoi(uid)), static_cast<gid_t>(std::atoi(gid))) != 0)
            report_note("'" + display(name_) + "' stays root's: " + std::strerror(errno), "");
    }

    std::string name_;
    bool overwrite_;
    int fd_ = -1;
    std::unique_ptr<exports::FdOutput> out_;
    std::optional<Error> failed_;
};

bool is_printable(Bytes bytes) {
    return std::all_of(bytes.begin(), bytes.end(),
                       [](std::uint8_t b) { return b == '\n' || b == '\t' || (b >= 0x20 && b != 0x7f); });
}

// Finds out which sessions there are, for when none was named.
class Listing final : public chain::Observer {
public:
    void session_ended(const chain::Session& session, const chain::Place&) override {
        if (session.streams.empty()) return;
        ++count;
        only = session.number;
        if (lines.size() < 20) {
            lines.push_back(session.id() + "  " + std::string(chain::to_string(session.op)) + "  " +
                            rfc3339(session.start) + "  in " + std::to_string(session.bytes.in) + " B, out " +
                            std::to_string(session.bytes.out) + " B");
        }
    }
    std::uint64_t count = 0;
    std::uint32_t only = 0;
    std::vector<std::string> lines;
};

class Extractor final : public chain::Observer {
public:
    Extractor(Wanted wanted, Target& main, Target& other) : wanted_(std::move(wanted)), main_(main), other_(other) {}

    void session_opened(const chain::Session& session, const chain::Place&) override {
        if (session.number == wanted_.session) found = true;
    }
    void stream_opened(const chain::Session& session, const chain::Stream& stream, const chain::Place&) override {
        if (session.number != wanted_.session || !selects(stream)) return;
        if (++matching_streams > 1 && open_streams > 0) interleaved = true;
        ++open_streams;
        stream_kind = stream.kind;
    }
    void stream_closed(const chain::Session& session, const chain::Stream& stream, const chain::Place&) override {
        const bool over = stream.state == chain::Stream::State::closed || stream.state == chain::Stream::State::reset;
        if (session.number == wanted_.session && selects(stream) && over && open_streams > 0) --open_streams;
    }
    void stream_data(const chain::Session& session, const chain::Stream& stream, Direction direction, Bytes bytes,
                     const chain::Place& place) override {
        if (session.number != wanted_.session || failed) return;
        if (wanted_.format == "cast") {
            if (cast(session)) cast_->data(stream.kind, bytes, place.at);
            return;
        }
        if (!selects(stream)) return;
        Target* target = target_for(stream, direction);
        if (!target) return;
        if (stream.kind == StreamKind::in && !wanted_.reveal.shows(chain::Secret::in)) {
            fail({.doing = "will not write stdin",
                  .subject = "",
                  .why = "it can hold passwords",
                  .hint = "--reveal stdin",
                  .code = "SEC-02"});
            return;
        }
        if (wanted_.format == "raw" && target->name() == "-" && !wanted_.force_tty && isatty(STDOUT_FILENO) == 1 &&
            !is_printable(bytes)) {
            fail({.doing = "refusing to write raw bytes with control codes to your terminal",
                  .subject = "",
                  .why = "",
                  .hint = "-O FILE, or | less, or --force-tty",
                  .code = "TTY-03"});
            return;
        }
        exports::Output* out = target->open();
        if (!out) return;
        target->bytes += bytes.size();
        if (wanted_.format == "json") {
            exports::JsonWriter json(*out);
            json.begin_object();
            json.time("ts", place.at);
            json.number("frame", place.frame);
            json.number("stream_id", stream.id);
            json.text("stream", to_string(stream.kind));
            json.text("direction",
                      direction == Direction::to_server ? std::string_view{"in"} : std::string_view{"out"});
            json.payload(as_text(bytes));
            json.end_object();
            out->append('\n');
        } else {
            out->append(as_text(bytes));
        }
    }
    void resized(const chain::Session& session, const chain::Stream&, const chain::Resize& size,
                 const chain::Place&) override {
        if (session.number == wanted_.session && wanted_.format == "cast" && cast(session))
            cast_->resize(size.width, size.height, size.at);
    }
    void session_ended(const chain::Session& session, const chain::Place&) override {
        if (session.number != wanted_.session) return;
        missing_bytes = session.missing_bytes;
        complete = session.complete;
        if (wanted_.format == "cast" && cast(session)) {
            cast_->finish(session);
            const exports::CastHeader header = exports::cast_header(session, wanted_.reveal);
            cast_summary = std::to_string(header.width) + "×" + std::to_string(header.height) +
                           (header.size_known ? "" : " (assumed: no size was sent)") + ", " +
                           std::to_string(cast_->output_events()) + " output events" +
                           (cast_->left_out_stdin() ? ", stdin left out (--reveal stdin)" : "");
        }
    }

    bool found = false, failed = false, interleaved = false, complete = true;
    std::uint64_t matching_streams = 0, open_streams = 0, missing_bytes = 0;
    StreamKind stream_kind = StreamKind::unknown;
    std::optional<Error> error;
    std::string cast_summary;

private:
    [[nodiscard]] bool selects(const chain::Stream& stream) const {
        if (wanted_.stream_id) return stream.id == *wanted_.stream_id;
        return stream.kind == wanted_.kind && (!wanted_.port || (stream.has_port && stream.port == *wanted_.port));
    }
    // Forwarded connections have two directions: the answer goes to FILE, what was sent to FILE.in.
    Target* target_for(const chain::Stream& stream, Direction direction) {
        if (wanted_.direction) return direction == *wanted_.direction ? &main_ : nullptr;
        const bool toward = stream.kind == StreamKind::in || stream.kind == StreamKind::resize;
        if (toward) return direction == Direction::to_server ? &main_ : nullptr;
        if (direction == Direction::to_client) return &main_;
        return stream.kind == StreamKind::data && main_.name() != "-" ? &other_ : nullptr;
    }
    exports::CastWriter* cast(const chain::Session& session) {
        if (cast_ || failed) return cast_.get();
        exports::Output* out = main_.open();
        if (!out) return nullptr;
        cast_ =
            std::make_unique<exports::CastWriter>(*out, exports::cast_header(session, wanted_.reveal), wanted_.reveal);
        return cast_.get();
    }
    void fail(Error because) {
        failed = true;
        error = std::move(because);
    }

    Wanted wanted_;
    Target& main_;
    Target& other_;
    std::unique_ptr<exports::CastWriter> cast_;
};

// Which session, when none was named: the only one that has streams.
Result<std::uint32_t> only_session(const Invocation& invocation) {
    if (std::find(invocation.arguments.begin(), invocation.arguments.end(), "-") != invocation.arguments.end())
        return usage("standard input can be read only once", "name the session: --session s1");
    Listing listing;
    OfflineOptions options = offline_options(invocation);
    options.observer = &listing;
    options.announce_trouble = false;
    options.retention.sessions_max = 0;
    auto offline = Offline::open(options);
    if (!offline) return unexpected(offline.error());
    (*offline)->run();
    if (listing.count == 1) return listing.only;
    if (listing.count == 0) {
        return unexpected(Error{.doing = "nothing to extract",
                                .subject = "",
                                .why = "the capture holds no session with streams",
                                .hint = "hopscope analyze shows what it holds",
                                .code = "EXT-01"});
    }
    std::string list;
    for (const std::string& line : listing.lines) list += "\n" + line;
    if (listing.count > listing.lines.size())
        list += "\n… " + std::to_string(listing.count - listing.lines.size()) + " more";
    return usage("the capture holds " + std::to_string(listing.count) + " sessions with streams",
                 "--session ID, one of:" + list);
}

int failed_with(const Error& error) {
    report_error(error);
    return error.code == "EXT-01" || error.code == "EXT-02" ? kNothingMatched : exit_code(error);
}

}  // namespace

int run_extract(const Invocation& invocation) {
    auto wanted = wanted_of(invocation);
    if (!wanted) return failed_with(wanted.error());
    if (wanted->session == 0) {
        const auto only = only_session(invocation);
        if (!only) return failed_with(only.error());
        wanted->session = *only;
    }
    Target main(wanted->file, wanted->overwrite), other(wanted->file + ".in", wanted->overwrite);
    Extractor extractor(*wanted, main, other);
    OfflineOptions options = offline_options(invocation);
    options.observer = &extractor;
    options.retention.sessions_max = 0;
    options.output_failed = [&] { return extractor.failed; };
    auto offline = Offline::open(options);
    if (!offline) return failed_with(offline.error());
    (*offline)->run();
    if (extractor.error) return failed_with(*extractor.error);
    if (!extractor.found)
        return failed_with({.doing = "no session",
                            .subject = "s" + std::to_string(wanted->session),
                            .why = "the capture does not hold it",
                            .hint = "hopscope analyze lists the sessions",
                            .code = "EXT-02"});
    if (wanted->format != "cast" && extractor.matching_streams == 0)
        return failed_with({.doing = "no such stream in",
                            .subject = "s" + std::to_string(wanted->session),
                            .why = "",
                            .hint = "hopscope analyze --section streams lists them",
                            .code = "EXT-02"});
    // A stream without a byte is an empty file, not a missing one.
    main.open();
    for (Target* target : {&main, &other}) {
        if (const Status written = target->finish(); !written) {
            if (written.error().code == "OUT-01") return kDone;
            return failed_with(written.error());
        }
    }
    if (extractor.missing_bytes > 0)
        report_note(std::to_string(extractor.missing_bytes) +
                        " bytes of the session are missing in the capture: the result has holes",
                    "NET-01");
    if (extractor.interleaved) report_note("several streams at once are mixed here: --stream-id N takes one", "");
    if (wanted->file != "-") {
        std::string line = display(wanted->file) + ": ";
        if (wanted->format == "cast") {
            line += extractor.cast_summary;
        } else {
            line += std::to_string(main.bytes) + " B of " + std::string(to_string(extractor.stream_kind));
            if (other.bytes > 0)
                line += "; " + display(other.name()) + ": " + std::to_string(other.bytes) + " B toward the container";
            if (extractor.matching_streams > 1) line += ", " + std::to_string(extractor.matching_streams) + " streams";
        }
        report_note(line, "");
    }
    return kDone;
}

}  // namespace hopscope::cli
