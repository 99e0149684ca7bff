// gzip and zstd around a capture, by streaming: one input block, the library's window, no whole file in memory.
#define ZLIB_CONST  // next_in points to const bytes
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "capture/byte_source.h"
#include "core/limits.h"

namespace hopscope::capture {
namespace {

// The compressed bytes that are at hand.
class Input {
public:
    Input(std::unique_ptr<ByteSource> inner, std::vector<std::uint8_t> head)
        : inner_(std::move(inner)), block_(std::move(head)) {
        end_ = block_.size();
    }
    [[nodiscard]] const std::uint8_t* data() const { return block_.data() + at_; }
    [[nodiscard]] std::size_t size() const { return end_ - at_; }
    void take(std::size_t n) { at_ += n; }
    // Reads more when all is taken; false at the end.
    bool more() {
        if (at_ < end_) return true;
        if (block_.size() != limits::kCompressedBlockBytes) block_.assign(limits::kCompressedBlockBytes, 0);
        at_ = 0;
        end_ = inner_->read(block_.data(), block_.size());
        return end_ > 0;
    }
    // How the compressed bytes ended; what ends early is cut off unless a system call failed.
    [[nodiscard]] SourceEnd early_end(const char* format) const {
        if (inner_->ending().kind == SourceEnd::Kind::failed) return inner_->ending();
        return {SourceEnd::Kind::cut, std::string("the ") + format + " data stops before its end"};
    }
    [[nodiscard]] const SourceEnd& inner_ending() const { return inner_->ending(); }
    [[nodiscard]] std::uint64_t file_bytes() const { return inner_->file_bytes(); }

private:
    std::unique_ptr<ByteSource> inner_;
    std::vector<std::uint8_t> block_;
    std::size_t at_ = 0, end_ = 0;
};

class GzipSource final : public ByteSource {
public:
    GzipSource(std::unique_ptr<ByteSource> inner, std::vector<std::uint8_t> head)
        : input_(std::move(inner), std::move(head)) {
        // 15: any window; +16: gzip only. Fails for lack of memory only.
        if (inflateInit2(&stream_, 15 + 16) != Z_OK) end({SourceEnd::Kind::failed, "Cannot allocate memory"});
    }
    ~GzipSource() override { inflateEnd(&stream_); }
    GzipSource(const GzipSource&) = delete;
    GzipSource& operator=(const GzipSource&) = delete;

    std::size_t read(std::uint8_t* out, std::size_t size) override {
        while (!ended_) {
            // inflate may hold output back although its input is used up: then it is asked again without input.
            if (!held_back_ && !input_.more())
                return end(between_members_ ? input_.inner_ending() : input_.early_end("gzip"));
            if (between_members_ && !begin_member()) continue;
            stream_.next_in = input_.data();
            stream_.avail_in = static_cast<uInt>(input_.size());
            stream_.next_out = out;
            stream_.avail_out = static_cast<uInt>(std::min<std::size_t>(size, std::numeric_limits<uInt>::max()));
            const uInt room = stream_.avail_out;
            const int result = inflate(&stream_, Z_NO_FLUSH);
            input_.take(input_.size() - stream_.avail_in);
            const std::size_t made = room - stream_.avail_out;
            held_back_ = result == Z_OK && stream_.avail_out == 0;
            if (result == Z_STREAM_END) {
                between_members_ = true;
            } else if (result != Z_OK && result != Z_BUF_ERROR) {
                end({SourceEnd::Kind::damaged, std::string("the gzip data is damaged (") +
                                                   (stream_.msg != nullptr ? stream_.msg : "no reason given") + ")"});
            }
            if (made > 0) return made;
        }
        return 0;
    }
    [[nodiscard]] const SourceEnd& ending() const override { return ending_; }
    [[nodiscard]] std::uint64_t file_bytes() const override { return input_.file_bytes(); }

private:
    std::size_t end(SourceEnd ending) {
        ended_ = true;
        ending_ = std::move(ending);
        return 0;
    }
    // At the first byte after a member: another one follows, or the padding that tapes and disks leave, or rubbish.
    bool begin_member() {
        if (*input_.data() == 0) {
            input_.take(1);
            return false;
        }
        if (*input_.data() != 0x1f) {
            end({SourceEnd::Kind::damaged, "something that is not gzip follows the gzip data"});
            return false;
        }
        between_members_ = false;
        inflateReset(&stream_);
        return true;
    }

    Input input_;
    z_stream stream_{};
    bool between_members_ = false, held_back_ = false, ended_ = false;
    SourceEnd ending_;
};

class ZstdSource final : public ByteSource {
public:
    ZstdSource(std::unique_ptr<ByteSource> inner, std::vector<std::uint8_t> head)
        : input_(std::move(inner), std::move(head)), stream_(ZSTD_createDCtx()) {
        if (stream_ == nullptr ||
            ZSTD_isError(ZSTD_DCtx_setParameter(stream_, ZSTD_d_windowLogMax, limits::kZstdWindowLogMax)) != 0)
            end({SourceEnd::Kind::failed, "Cannot allocate memory"});
    }
    ~ZstdSource() override { ZSTD_freeDCtx(stream_); }
    ZstdSource(const ZstdSource&) = delete;
    ZstdSource& operator=(const ZstdSource&) = delete;

    std::size_t read(std::uint8_t* out, std::size_t size) override {
        while (!ended_) {
            // As above.
            if (!held_back_ && !input_.more())
                return end(between_frames_ ? input_.inner_ending() : input_.early_end("zstd"));
            ZSTD_inBuffer in{input_.data(), input_.size(), 0};
            ZSTD_outBuffer made{out, size, 0};
            const std::size_t result = ZSTD_decompressStream(stream_, &made, &in);
            input_.take(in.pos);
            if (ZSTD_isError(result) != 0) {
                end(explain(result));
            } else {
                between_frames_ = result == 0;
                held_back_ = !between_frames_ && made.pos == made.size;
            }
            if (made.pos > 0) return made.pos;
        }
        return 0;
    }
    [[nodiscard]] const SourceEnd& ending() const override { return ending_; }
    [[nodiscard]] std::uint64_t file_bytes() const override { return input_.file_bytes(); }

private:
    std::size_t end(SourceEnd ending) {
        ended_ = true;
        ending_ = std::move(ending);
        return 0;
    }
    static SourceEnd explain(std::size_t result) {
        if (ZSTD_getErrorCode(result) == ZSTD_error_frameParameter_windowTooLarge) {
            return {SourceEnd::Kind::damaged, "the zstd data needs a window of more than " +
                                                  std::to_string(1 << (limits::kZstdWindowLogMax - 20)) +
                                                  " MiB: unpack it first with 'zstd -d --long=31'"};
        }
        return {SourceEnd::Kind::damaged, std::string("the zstd data is damaged (") + ZSTD_getErrorName(result) + ")"};
    }

    Input input_;
    ZSTD_DCtx* stream_;
    bool between_frames_ = false, held_back_ = false, ended_ = false;
    SourceEnd ending_;
};

}  // namespace

std::unique_ptr<ByteSource> make_gzip_source(std::unique_ptr<ByteSource> inner, std::vector<std::uint8_t> head) {
    return std::make_unique<GzipSource>(std::move(inner), std::move(head));
}

std::unique_ptr<ByteSource> make_zstd_source(std::unique_ptr<ByteSource> inner, std::vector<std::uint8_t> head) {
    return std::make_unique<ZstdSource>(std::move(inner), std::move(head));
}

}  // namespace hopscope::capture
