// The file beside the packets of a recording, as a source of stream pieces.
#include <utility>

#include "capture/stream_source.h"

namespace hopscope::capture {
namespace {

class UnixRecording final : public StreamSource {
public:
    UnixRecording(std::unique_ptr<Reader> reader, std::uint16_t file, std::function<void(const UnixRecord&)> others)
        : reader_(std::move(reader)), file_(file), others_(std::move(others)) {}

    bool next(StreamChunk& chunk) override {
        Packet packet;
        while (reader_->next(packet)) {
            if (packet.link_type != LinkType::upper_pdu) continue;
            packet.file = file_;
            UnixRecord record = decode_unix_record(packet);
            if (auto* piece = std::get_if<StreamChunk>(&record)) {
                chunk = std::move(*piece);
                return true;
            }
            if (others_) others_(record);
        }
        return false;
    }
    [[nodiscard]] std::string trouble() const override { return {}; }  // told as notes
    [[nodiscard]] std::uint64_t lost_bytes() const override { return reader_->loss()[LossPlace::file]; }

private:
    std::unique_ptr<Reader> reader_;
    std::uint16_t file_;
    std::function<void(const UnixRecord&)> others_;
};

}  // namespace

Result<std::unique_ptr<StreamSource>> open_unix_recording(const std::string& name, std::uint16_t file,
                                                          std::function<void(const UnixRecord&)> others,
                                                          std::function<void(const FileNote&)> note) {
    auto reader = Reader::open({name}, std::move(note));
    if (!reader) return unexpected(std::move(reader.error()));
    return std::unique_ptr<StreamSource>(std::make_unique<UnixRecording>(std::move(*reader), file, std::move(others)));
}

}  // namespace hopscope::capture
