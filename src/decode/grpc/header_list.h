// The fields of one HTTP/2 header block, kept until the next block of the connection.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/event.h"
#include "core/limits.h"

namespace hopscope::decode::grpc {

// Keeps at most limits::kHttpHeadersMax fields and limits::kHttpHeadBytesMax bytes; the rest is dropped and known to
// be.
class HeaderList {
public:
    void clear() {
        text_.clear();
        places_.clear();
        unknown_ = 0;
        dropped_ = 0;
    }

    void add(std::string_view name, std::string_view value) {
        if (places_.size() >= limits::kHttpHeadersMax ||
            text_.size() + name.size() + value.size() > limits::kHttpHeadBytesMax) {
            ++dropped_;
            return;
        }
        places_.push_back({text_.size(), name.size(), value.size()});
        text_ += name;
        text_ += value;
    }
    // A field whose name or value stands in the part of the dynamic table that was never seen.
    void add_unknown() { ++unknown_; }

    [[nodiscard]] std::size_t size() const { return places_.size(); }
    [[nodiscard]] Header operator[](std::size_t i) const {
        const Place& place = places_[i];
        const std::string_view text(text_);
        return {text.substr(place.at, place.name), text.substr(place.at + place.name, place.value)};
    }
    // The first field of this name.
    [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const {
        for (std::size_t i = 0; i < size(); ++i)
            if ((*this)[i].name == name) return (*this)[i].value;
        return std::nullopt;
    }
    // Fields that were there but are not known.
    [[nodiscard]] std::size_t unknown() const { return unknown_; }
    [[nodiscard]] std::size_t dropped() const { return dropped_; }

private:
    struct Place {
        std::size_t at, name, value;
    };
    std::string text_;
    std::vector<Place> places_;
    std::size_t unknown_ = 0;
    std::size_t dropped_ = 0;
};

}  // namespace hopscope::decode::grpc
