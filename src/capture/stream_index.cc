// The raw form of unix-socket bytes: an index of reads and a file per direction.
#include <cerrno>
#include <cstring>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <vector>

#include "capture/stream_source.h"
#include "core/untrusted.h"

namespace hopscope::capture {
namespace {

constexpr std::string_view kSuffix = ".index.jsonl";
constexpr std::size_t kLineBytesMax = 64 * 1024;
constexpr std::size_t kPieceBytesMax = 256 * 1024;  // a longer read is handed over in pieces
constexpr std::size_t kConnectionsMax = 4096;

class IndexedStreams final : public StreamSource {
public:
    IndexedStreams(std::string name, std::uint16_t file) : name_(std::move(name)), index_(name_), file_(file) {}
    [[nodiscard]] bool is_open() const { return index_.is_open(); }

    bool next(StreamChunk& chunk) override {
        do {
            if (rest_ == 0 && !next_line()) return false;
        } while (!next_piece(chunk));
        return true;
    }
    [[nodiscard]] std::string trouble() const override { return trouble_; }

private:
    struct Ends {
        std::uint32_t client_pid = 0;
    };

    // Reads lines until one promises bytes or an end; false at the end of the index.
    bool next_line() {
        std::string line;
        while (std::getline(index_, line)) {
            ++number_;
            const auto json =
                line.size() <= kLineBytesMax ? nlohmann::json::parse(line, nullptr, false) : nlohmann::json();
            if (!json.is_object()) {
                complain("is no JSON object");
                continue;
            }
            const auto number = [&](const char* key) {
                const auto found = json.find(key);
                return found != json.end() && found->is_number() ? std::max(0.0, found->get<double>()) : 0.0;
            };
            const auto connection = static_cast<std::uint64_t>(number("conn"));
            if (json.contains("open")) {
                if (ends_.size() < kConnectionsMax)
                    ends_[connection].client_pid = static_cast<std::uint32_t>(number("peer_pid"));
                continue;
            }
            const std::string direction = json.value("dir", "");
            if (direction != "c2s" && direction != "s2c") continue;  // a remark of the proxy
            present_ = StreamChunk{.connection = connection,
                                   .direction = direction == "c2s" ? Direction::to_server : Direction::to_client,
                                   .at = {static_cast<std::int64_t>(number("t") * 1e9)},
                                   .frame = number_,
                                   .file = file_};
            present_.client_pid = ends_[connection].client_pid;
            end_ = json.contains("eof");
            if (end_) {
                present_.offset = static_cast<std::uint64_t>(number("total"));
                rest_ = 1;  // one chunk without bytes
                length_ = 0;
                return true;
            }
            present_.offset = static_cast<std::uint64_t>(number("off"));
            length_ = static_cast<std::uint64_t>(number("len"));
            rest_ = length_;
            if (rest_ > 0) return true;
        }
        return false;
    }

    bool next_piece(StreamChunk& chunk) {
        chunk = present_;
        if (end_) {
            chunk.end = true;
            rest_ = 0;
            return true;
        }
        std::ifstream& data = file_of(present_.connection, present_.direction);
        const std::size_t want = std::min<std::uint64_t>(rest_, kPieceBytesMax);
        buffer_.resize(want);
        data.clear();
        data.seekg(static_cast<std::streamoff>(present_.offset));
        data.read(reinterpret_cast<char*>(buffer_.data()), static_cast<std::streamsize>(want));
        const auto got = static_cast<std::size_t>(std::max<std::streamsize>(0, data.gcount()));
        if (got < want) {
            complain("promises bytes that its file does not hold");
            rest_ = 0;
            if (got == 0) return false;
        } else {
            rest_ -= want;
        }
        chunk.bytes = Bytes(buffer_).first(got);
        present_.offset += got;
        return true;
    }

    std::ifstream& file_of(std::uint64_t connection, Direction direction) {
        const auto key = std::pair(connection, direction);
        const auto found = files_.find(key);
        if (found != files_.end()) return found->second;
        if (files_.size() >= 64) files_.clear();  // few are in use at once; descriptors are not ours alone
        // STEM.EXT.index.jsonl → STEM.cN.EXT.c2s
        const std::string base = name_.substr(0, name_.size() - kSuffix.size());
        const std::size_t slash = base.rfind('/');
        const std::size_t dot = base.rfind('.');
        const bool has_extension = dot != std::string::npos && (slash == std::string::npos || dot > slash);
        const std::string stem = has_extension ? base.substr(0, dot) : base;
        const std::string extension = has_extension ? base.substr(dot) : "";
        const std::string name = stem + ".c" + std::to_string(connection) + extension +
                                 (direction == Direction::to_server ? ".c2s" : ".s2c");
        return files_.emplace(key, std::ifstream(name, std::ios::binary)).first->second;
    }

    void complain(std::string_view what) {
        if (trouble_.empty()) trouble_ = display(name_) + ": line " + std::to_string(number_) + " " + std::string(what);
    }

    std::string name_;
    std::ifstream index_;
    std::uint16_t file_;
    std::uint64_t number_ = 0;
    std::map<std::uint64_t, Ends> ends_;
    std::map<std::pair<std::uint64_t, Direction>, std::ifstream> files_;
    StreamChunk present_;
    std::uint64_t rest_ = 0, length_ = 0;
    bool end_ = false;
    std::vector<std::uint8_t> buffer_;
    std::string trouble_;
};

}  // namespace

bool is_stream_index(const std::string& name) { return name.ends_with(kSuffix); }

Result<std::unique_ptr<StreamSource>> open_stream_index(const std::string& name, std::uint16_t file) {
    auto source = std::make_unique<IndexedStreams>(name, file);
    if (!source->is_open())
        return unexpected(Error{.doing = "cannot read",
                                .subject = name,
                                .why = std::strerror(errno),
                                .errno_value = errno,
                                .hint = "name the index of a recorded socket: NAME.index.jsonl",
                                .code = "CAP-10"});
    return std::unique_ptr<StreamSource>(std::move(source));
}

}  // namespace hopscope::capture
