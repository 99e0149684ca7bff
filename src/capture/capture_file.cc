#include "capture/capture_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "capture/sniff.h"

namespace hopscope::capture {
namespace {

Unexpected<Error> cannot_read(const std::string& name, std::string why, int errno_value, std::string hint) {
    return unexpected(Error{.doing = "cannot read",
                            .subject = name,
                            .why = std::move(why),
                            .errno_value = errno_value,
                            .hint = std::move(hint),
                            .code = "CAP-10"});
}

Unexpected<Error> failed_call(const std::string& name, int error) {
    const char* hint = "";
    switch (error) {
        case ENOENT: hint = "check the name"; break;
        case EACCES:
        case EPERM: hint = "capture files are often readable by their owner only: try with sudo"; break;
        case EMFILE:
        case ENFILE: hint = "name fewer files, or raise the limit: ulimit -n"; break;
        case EISDIR: hint = "name the capture files in it"; break;
        default: break;
    }
    return cannot_read(name, std::strerror(error), error, hint);
}

Unexpected<Error> not_a_capture(const std::string& name, const std::string& packed, Bytes head) {
    const Looks looks = describe(head);
    const std::string inside = packed.empty() ? "it looks like " : "it holds, packed by" + packed + ", ";
    return unexpected(Error{.doing = "cannot read",
                            .subject = name,
                            .why = "not a capture file: " + inside + looks.like,
                            .hint = looks.hint,
                            .code = "CAP-12"});
}

}  // namespace

Result<CaptureFile::Opened> CaptureFile::open_source(const std::string& name) {
    Opened opened;
    int fd = STDIN_FILENO;
    if (name == "-") {
        if (::isatty(fd) == 1)
            return cannot_read(name, "standard input is a terminal", 0,
                               "pipe a capture into it: tcpdump -i lo -U -w - | hopscope analyze -");
    } else {
        fd = ::open(name.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY);
        if (fd < 0) return failed_call(name, errno);
    }
    opened.source = std::make_unique<FileSource>(fd);
    struct stat status {};
    if (::fstat(fd, &status) != 0) return failed_call(name, errno);
    if (S_ISDIR(status.st_mode)) return failed_call(name, EISDIR);
    if (S_ISREG(status.st_mode)) {
        opened.bytes_total = static_cast<std::uint64_t>(status.st_size);
        ::posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);  // an advice: no harm where it fails
    }
    return opened;
}

Result<std::unique_ptr<CaptureFile>> CaptureFile::begin(Opened opened, const std::string& name, std::uint16_t file,
                                                        RunContext& run, const WindowSize& size) {
    std::unique_ptr<CaptureFile> capture(new CaptureFile(run, file, name));
    capture->bytes_total_ = opened.bytes_total;
    capture->window_ = std::make_unique<Window>(std::move(opened.source), size);
    Status status = capture->unpack(size);
    if (status) status = capture->begin_parser();
    if (!status) {
        Error error = std::move(status.error());
        error.subject = name;
        return unexpected(std::move(error));
    }
    return capture;
}

Result<std::unique_ptr<CaptureFile>> CaptureFile::open(const std::string& name, std::uint16_t file, RunContext& run,
                                                       const WindowSize& size) {
    auto opened = open_source(name);
    if (!opened) return unexpected(std::move(opened.error()));
    return begin(std::move(*opened), name, file, run, size);
}

// Puts a decompressor between source and window where the bytes ask for one.
Status CaptureFile::unpack(const WindowSize& size) {
    window_->need(kSniffBytes);
    const Bytes head(window_->cursor(), window_->available());
    const Container container = sniff(head);
    if (container != Container::gzip && container != Container::zstd) return Done{};
    std::vector<std::uint8_t> read_already(head.begin(), head.end());
    auto inner = window_->release_source();
    if (container == Container::gzip) {
        packed_ = " (gzip)";
        window_ = std::make_unique<Window>(make_gzip_source(std::move(inner), std::move(read_already)), size);
    } else {
        packed_ = " (zstd)";
        window_ = std::make_unique<Window>(make_zstd_source(std::move(inner), std::move(read_already)), size);
    }
    return Done{};
}

Status CaptureFile::begin_parser() {
    window_->need(kSniffBytes);
    const Bytes head(window_->cursor(), window_->available());
    const Container container = sniff(head);
    if (container == Container::pcap || container == Container::pcapng) {
        format_ = container == Container::pcap ? "pcap" : "pcapng";
        auto parser =
            container == Container::pcap ? make_pcap_parser(*window_, log_) : make_pcapng_parser(*window_, log_);
        if (!parser) return unexpected(std::move(parser.error()));
        parser_ = std::move(*parser);
        return Done{};
    }
    const SourceEnd& ending = window_->source().ending();
    if (ending.kind == SourceEnd::Kind::failed) return cannot_read(log_.name(), ending.why, 0, "");
    if (head.empty() && ending.kind != SourceEnd::Kind::clean)
        return unexpected(
            Error{.doing = "cannot read", .why = ending.why, .hint = "copy or pack the file again", .code = "CAP-12"});
    if (container == Container::gzip || container == Container::zstd)
        return unexpected(Error{.doing = "cannot read",
                                .why = "not a capture file: it is packed twice",
                                .hint = "unpack it once",
                                .code = "CAP-12"});
    return not_a_capture(log_.name(), packed_, head);
}

FileSummary CaptureFile::summary() const {
    FileSummary summary;
    summary.name = log_.name();
    summary.format = format_ + packed_;
    summary.interfaces = log_.interfaces();
    summary.packets = parser_->packets();
    summary.bytes_read = window_->source().file_bytes();
    summary.bytes_total = bytes_total_;
    summary.cut_off = log_.cut_off();
    return summary;
}

}  // namespace hopscope::capture
