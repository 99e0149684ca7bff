#include "record/status_masker.h"

#include <algorithm>
#include <utility>

#include "core/limits.h"
#include "core/untrusted.h"

namespace hopscope::record {
namespace {

constexpr std::size_t kGroupChars = 4;  // of base64

// Where the JSON object that the text begins with ends, by its brackets; npos: not in this text, or it is none.
std::size_t end_of_object(std::string_view text) {
    int depth = 0;
    bool in_string = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (in_string) {
            if (c == '\\') ++i;
            if (c == '"') in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{') {
            ++depth;
        } else if (c == '}' && --depth == 0) {
            return i + 1;
        }
        if (depth == 0) break;
    }
    return std::string_view::npos;
}

std::string decode_base64(std::string_view text) {
    std::string bytes;
    std::uint32_t group = 0;
    int bits = 0;
    for (const char c : text) {
        const std::size_t value =
            std::string_view("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/").find(c);
        if (value == std::string_view::npos) break;
        group = group << 6 | static_cast<std::uint32_t>(value);
        bits += 6;
        if (bits < 8) continue;
        bits -= 8;
        bytes += static_cast<char>(group >> bits & 0xff);
    }
    return bytes;
}

}  // namespace

void StatusMasker::add(std::uint32_t stream, std::uint64_t at, std::string_view bytes) {
    auto found = std::find_if(texts_.begin(), texts_.end(), [&](const Text& e) { return e.stream == stream; });
    if (found == texts_.end()) {
        if (texts_.size() >= limits::kErrorTextsMax) texts_.erase(texts_.begin());  // and stays overwritten
        found = texts_.insert(texts_.end(), Text{.stream = stream, .text = {}, .offsets = {}});
    }
    if (found->settled) return;
    for (std::size_t i = 0; i < bytes.size() && found->text.size() < limits::kStatusBytesMax; ++i) {
        found->text += bytes[i];
        found->offsets.push_back(at + i);
    }
    // As early as can be: live, the packets are written soon. Short ones only, as this is done for every piece.
    if (found->text.size() <= limits::kEarlyStatusBytesMax && (!base64_ || found->text.size() % kGroupChars == 0) &&
        end_of_object(plain(*found)) != std::string::npos)
        settle(*found);
}

std::string StatusMasker::plain(const Text& error) const { return base64_ ? decode_base64(error.text) : error.text; }

// The Status stays but for its message, which can quote the command; what follows it does not.
void StatusMasker::settle(Text& error) {
    if (std::exchange(error.settled, true)) return;
    // Base64 text keeps its length when the text inside does.
    std::string shown = plain(error);
    if (const std::size_t end = end_of_object(shown); end != std::string::npos) shown.resize(end);
    const bool status = shown.starts_with("{") && shown.find("\"status\"") != std::string::npos;
    const std::size_t causes = std::min(shown.find("\"causes\""), shown.size());
    if (!status) {
        for (char& c : shown) c = 'x';
    } else if (const std::size_t message = shown.find("\"message\":\""); message < causes) {
        for (std::size_t i = message + 11; i < shown.size() && shown[i] != '"'; ++i) {
            if (shown[i] == '\\' && i + 1 < shown.size()) shown[i++] = 'x';
            shown[i] = 'x';
        }
    }
    if (base64_) {
        std::string encoded;
        append_base64(encoded, shown);
        shown = encoded;
    }
    const std::size_t size = std::min(shown.size(), error.offsets.size());
    for (std::size_t begin = 0, end = 0; begin < size; begin = end) {
        for (end = begin + 1; end < size && error.offsets[end] == error.offsets[end - 1] + 1;) ++end;
        plan_.edit(error.offsets[begin], shown.substr(begin, end - begin));
    }
}

void StatusMasker::settle() {
    for (Text& each : texts_) settle(each);
    texts_.clear();
}

}  // namespace hopscope::record
