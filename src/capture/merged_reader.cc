#include "capture/merged_reader.h"

#include <algorithm>
#include <utility>

#include "capture/capture_file.h"
#include "core/limits.h"

namespace hopscope::capture {
namespace {

constexpr WindowSize kSize{limits::kHistoryBytesMerged, limits::kMergedReadBlockBytes};

class MergedReader final : public Reader {
public:
    explicit MergedReader(std::function<void(const FileNote&)> note) {
        run_.note = std::move(note);
        run_.may_hold_copies = true;
    }
    Status begin(const std::vector<std::string>& names);

    bool next(Packet& packet) override;
    [[nodiscard]] std::vector<FileSummary> files() const override;
    [[nodiscard]] const LossCounters& loss() const override { return run_.loss; }
    [[nodiscard]] bool may_hold_copies() const override { return run_.may_hold_copies; }
    [[nodiscard]] Bytes recent(std::uint64_t position, std::size_t size) const override;

private:
    struct Entry {
        std::unique_ptr<CaptureFile> file;  // open: its time has come
        FileSummary summary;                // while it is not open
        Packet packet;                      // its next one, while it is open
        bool waiting = false;               // known by its first packet only
    };
    // A file by the time of its next packet; the order of naming decides between equal times.
    struct Turn {
        Timestamp at;
        std::uint16_t file = 0;
        bool operator<(const Turn& other) const {
            return at != other.at ? at > other.at : file > other.file;
        }  // heap: least on top
    };

    Status look_at(std::uint16_t number, const std::string& name);
    void wake(std::uint16_t number);
    void advance(std::uint16_t number);
    void push(Turn turn) {
        turns_.push_back(turn);
        std::push_heap(turns_.begin(), turns_.end());
    }

    RunContext run_;
    std::vector<Entry> entries_;
    std::vector<Turn> turns_;             // heap
    std::vector<std::uint16_t> at_once_;  // to be opened before all others: pipes, and files without any packet
    std::optional<std::uint16_t> given_;  // whose packet the caller has
    // The file that ended last stays for History: where a ring capture goes from one file to the next.
    std::unique_ptr<CaptureFile> finished_;
    std::uint16_t finished_number_ = 0;
};

Status MergedReader::begin(const std::vector<std::string>& names) {
    entries_.resize(names.size());
    for (std::size_t i = 0; i < names.size(); ++i) {
        const Status status = look_at(static_cast<std::uint16_t>(i), names[i]);
        if (!status) return unexpected(status.error());
    }
    return Done{};
}

Status MergedReader::look_at(std::uint16_t number, const std::string& name) {
    Entry& entry = entries_[number];
    auto opened = CaptureFile::open_source(name);
    if (!opened) return unexpected(std::move(opened.error()));
    if (!opened->bytes_total) {
        // What was read from a pipe is gone: it stays open.
        auto file = CaptureFile::begin(std::move(*opened), name, number, run_, kSize);
        if (!file) return unexpected(std::move(file.error()));
        entry.file = std::move(*file);
        at_once_.push_back(number);
        return Done{};
    }
    RunContext nobody;
    auto file = CaptureFile::begin(std::move(*opened), name, number, nobody, kSize);
    if (!file) return unexpected(std::move(file.error()));
    Packet first;
    entry.waiting = true;
    const bool any = (*file)->parser().next(first);
    entry.summary = (*file)->summary();
    entry.summary.packets = entry.summary.bytes_read = 0;
    entry.summary.cut_off = false;
    entry.summary.interfaces.clear();  // they have no number yet
    if (any)
        push({first.at, number});
    else
        at_once_.push_back(number);
    return Done{};
}

// Opens a file again, now for good. It was readable a while ago: if it no longer is, that is trouble, not an error.
void MergedReader::wake(std::uint16_t number) {
    Entry& entry = entries_[number];
    entry.waiting = false;
    auto file = CaptureFile::open(entry.summary.name, number, run_, kSize);
    if (file) {
        entry.file = std::move(*file);
        return;
    }
    FileLog log(run_, number, entry.summary.name);
    log.trouble(1, file.error().code, "cannot be read any more (" + file.error().why + ")");
    log.lost(entry.summary.bytes_total.value_or(0));
    entry.summary.cut_off = true;
}

// Reads the file's next packet, and lets the file go when there is none.
void MergedReader::advance(std::uint16_t number) {
    Entry& entry = entries_[number];
    if (entry.file == nullptr) return;
    if (entry.file->parser().next(entry.packet)) {
        push({entry.packet.at, number});
    } else {
        entry.summary = entry.file->summary();
        finished_ = std::move(entry.file);
        finished_number_ = number;
    }
}

bool MergedReader::next(Packet& packet) {
    for (const std::uint16_t number : at_once_) {
        if (entries_[number].waiting) wake(number);
        advance(number);
    }
    at_once_.clear();
    if (given_) advance(*given_);
    given_.reset();
    while (!turns_.empty()) {
        std::pop_heap(turns_.begin(), turns_.end());
        const std::uint16_t number = turns_.back().file;
        turns_.pop_back();
        if (entries_[number].waiting) {
            wake(number);
            advance(number);  // its first packet may have another time by now
            continue;
        }
        packet = entries_[number].packet;
        given_ = number;
        return true;
    }
    return false;
}

std::vector<FileSummary> MergedReader::files() const {
    std::vector<FileSummary> files;
    files.reserve(entries_.size());
    for (const Entry& entry : entries_) files.push_back(entry.file ? entry.file->summary() : entry.summary);
    return files;
}

Bytes MergedReader::recent(std::uint64_t position, std::size_t size) const {
    const std::uint64_t number = position >> 48;
    if (number >= entries_.size()) return {};
    if (entries_[number].file != nullptr) return entries_[number].file->recent(position, size);
    return finished_ != nullptr && number == finished_number_ ? finished_->recent(position, size) : Bytes{};
}

}  // namespace

Result<std::unique_ptr<Reader>> open_merged(const std::vector<std::string>& names,
                                            std::function<void(const FileNote&)> note) {
    auto reader = std::make_unique<MergedReader>(std::move(note));
    const Status status = reader->begin(names);
    if (!status) return unexpected(status.error());
    return std::unique_ptr<Reader>(std::move(reader));
}

}  // namespace hopscope::capture
