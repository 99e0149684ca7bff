#include "capture/reader.h"

#include <algorithm>
#include <utility>

#include "capture/capture_file.h"
#include "capture/merged_reader.h"
#include "core/limits.h"

namespace hopscope::capture {
namespace {

// One file: no merging, nothing between the caller and the parser.
class SingleReader final : public Reader {
public:
    explicit SingleReader(std::function<void(const FileNote&)> note) { run_.note = std::move(note); }
    Status begin(CaptureFile::Opened opened, const std::string& name, const WindowSize& size) {
        auto file = CaptureFile::begin(std::move(opened), name, 0, run_, size);
        if (!file) return unexpected(std::move(file.error()));
        file_ = std::move(*file);
        parser_ = &file_->parser();
        return Done{};
    }

    bool next(Packet& packet) override { return parser_->next(packet); }
    [[nodiscard]] std::vector<FileSummary> files() const override { return {file_->summary()}; }
    [[nodiscard]] const LossCounters& loss() const override { return run_.loss; }
    [[nodiscard]] bool may_hold_copies() const override { return run_.may_hold_copies; }
    [[nodiscard]] Bytes recent(std::uint64_t position, std::size_t size) const override {
        return file_->recent(position, size);
    }

private:
    RunContext run_;
    std::unique_ptr<CaptureFile> file_;
    RecordParser* parser_ = nullptr;
};

}  // namespace

Result<std::unique_ptr<Reader>> open_source(std::unique_ptr<ByteSource> source, const std::string& name,
                                            std::function<void(const FileNote&)> note, const WindowSize& size) {
    auto reader = std::make_unique<SingleReader>(std::move(note));
    const Status status = reader->begin({std::move(source), std::nullopt}, name, size);
    if (!status) return unexpected(status.error());
    return std::unique_ptr<Reader>(std::move(reader));
}

Result<std::unique_ptr<Reader>> Reader::open(const std::vector<std::string>& names,
                                             std::function<void(const FileNote&)> note) {
    if (names.empty() || names.size() > limits::kFilesMax) {
        return unexpected(Error{.doing = "cannot read captures",
                                .why = names.empty() ? "no file is named"
                                                     : std::to_string(names.size()) + " files are named, at most " +
                                                           std::to_string(limits::kFilesMax) + " can be read at once",
                                .hint = "name one or more capture files",
                                .code = "CAP-10"});
    }
    if (std::count(names.begin(), names.end(), "-") > 1) {
        return unexpected(Error{.doing = "cannot read",
                                .subject = "-",
                                .why = "standard input can be read only once",
                                .hint = "name '-' once",
                                .code = "CAP-10"});
    }
    if (names.size() > 1) return open_merged(names, std::move(note));
    auto opened = CaptureFile::open_source(names.front());
    if (!opened) return unexpected(std::move(opened.error()));
    auto reader = std::make_unique<SingleReader>(std::move(note));
    const Status status = reader->begin(std::move(*opened), names.front(), {});
    if (!status) return unexpected(status.error());
    return std::unique_ptr<Reader>(std::move(reader));
}

}  // namespace hopscope::capture
