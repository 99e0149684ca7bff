#include <iterator>
#include <nlohmann/json.hpp>

#include "core/limits.h"
#include "procmap/config/readers.h"

namespace hopscope::procmap {
namespace {

// Walks the text and counts its lines on the way: the parser does not tell where it is.
class CountingIterator {
public:
    using iterator_category = std::input_iterator_tag;
    using value_type = char;
    using difference_type = std::ptrdiff_t;
    using pointer = const char*;
    using reference = const char&;

    CountingIterator(const char* at, std::uint32_t* line) : at_(at), line_(line) {}
    reference operator*() const { return *at_; }
    CountingIterator& operator++() {
        if (line_ && *at_ == '\n') ++*line_;
        ++at_;
        return *this;
    }
    CountingIterator operator++(int) {
        CountingIterator old = *this;
        ++*this;
        return old;
    }
    bool operator==(const CountingIterator& other) const { return at_ == other.at_; }
    bool operator!=(const CountingIterator& other) const { return at_ != other.at_; }

private:
    const char* at_;
    std::uint32_t* line_;
};

class Settings final : public nlohmann::json_sax<nlohmann::json> {
public:
    Settings(Draft& draft, const std::string& path, std::span<const FileKey> keys, const std::uint32_t& line)
        : draft_(draft), path_(path), keys_(keys), line_(line) {}

    bool null() override { return true; }
    bool boolean(bool value) override { return scalar(value ? "true" : "false"); }
    bool number_integer(number_integer_t value) override { return scalar(std::to_string(value)); }
    bool number_unsigned(number_unsigned_t value) override { return scalar(std::to_string(value)); }
    bool number_float(number_float_t, const string_t& written) override { return scalar(written); }
    bool string(string_t& value) override { return scalar(value); }
    bool binary(binary_t&) override { return true; }
    bool start_object(std::size_t) override { return deeper(); }
    bool end_object() override { return --depth_, true; }
    bool start_array(std::size_t) override {
        if (depth_ == 1) list_.clear();
        return deeper();
    }
    bool end_array() override {
        if (--depth_ == 1 && wanted_) draft_.set(wanted_->key, list_, {path_, at_});
        return true;
    }
    bool key(string_t& name) override {
        if (depth_ != 1) return true;
        wanted_ = nullptr;
        at_ = line_;
        for (const FileKey& candidate : keys_)
            if (candidate.place.size() == 1 && candidate.place[0] == name) wanted_ = &candidate;
        return true;
    }
    bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) override {
        draft_.trouble(display(path_) + ":" + std::to_string(line_) + " is not JSON");
        return false;
    }

private:
    bool deeper() {
        if (++depth_ <= limits::kSettingDepthMax) return true;
        draft_.trouble(display(path_) + ":" + std::to_string(line_) + " goes deeper than " +
                       std::to_string(limits::kSettingDepthMax) + " levels: nothing after it is read");
        return false;
    }
    bool scalar(const std::string& value) {
        if (!wanted_) return true;
        if (depth_ == 1) draft_.set(wanted_->key, value, {path_, at_});
        if (depth_ == 2 && list_.size() <= limits::kSettingBytesMax) list_ += (list_.empty() ? "" : ",") + value;
        return true;
    }

    Draft& draft_;
    const std::string& path_;
    std::span<const FileKey> keys_;
    const std::uint32_t& line_;
    const FileKey* wanted_ = nullptr;
    std::uint32_t at_ = 0;
    std::size_t depth_ = 0;
    std::string list_;
};

}  // namespace

void read_json(Draft& draft, const std::string& text, const std::string& path, std::span<const FileKey> keys) {
    std::uint32_t line = 1;
    Settings settings(draft, path, keys, line);
    nlohmann::json::sax_parse(CountingIterator(text.data(), &line),
                              CountingIterator(text.data() + text.size(), nullptr), &settings);
}

}  // namespace hopscope::procmap
