#include "decode/grpc/inflate.h"

#include <zlib.h>

#include <array>

namespace hopscope::decode::grpc {
namespace {

constexpr int kGzipOrZlib = MAX_WBITS + 32;
constexpr std::size_t kStepBytes = 16 * 1024;

class Inflater {
public:
    Inflater() { ready_ = inflateInit2(&z_, kGzipOrZlib) == Z_OK; }
    ~Inflater() {
        if (ready_) inflateEnd(&z_);
    }
    Inflater(const Inflater&) = delete;
    Inflater& operator=(const Inflater&) = delete;
    [[nodiscard]] bool ready() const { return ready_; }
    z_stream& stream() { return z_; }

private:
    z_stream z_{};
    bool ready_ = false;
};

}  // namespace

bool inflate_message(Bytes in, std::size_t bytes_max, std::vector<std::uint8_t>& out) {
    out.clear();
    Inflater inflater;
    if (!inflater.ready()) return false;
    z_stream& z = inflater.stream();
    // zlib does not write to its input; its interface is older than const. Messages are far below 4 GiB.
    z.next_in = const_cast<Bytef*>(in.data());
    z.avail_in = static_cast<uInt>(in.size());
    std::array<std::uint8_t, kStepBytes> step;
    while (true) {
        z.next_out = step.data();
        z.avail_out = static_cast<uInt>(step.size());
        const int result = inflate(&z, Z_NO_FLUSH);
        const std::size_t made = step.size() - z.avail_out;
        if (made > bytes_max - out.size()) return false;
        out.insert(out.end(), step.begin(), step.begin() + static_cast<std::ptrdiff_t>(made));
        if (result == Z_STREAM_END) return true;
        // No progress: the input is cut off.
        if (result != Z_OK || made == 0) return false;
    }
}

}  // namespace hopscope::decode::grpc
