// Collects whole HTTP/1.1 answers out of decoder events: status, a few headers, the body up to a bound.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/event.h"

namespace hopscope::procmap {

struct HttpAnswer {
    std::uint16_t status = 0;
    std::string allow, content_type_options;
    std::string body;
    bool cut = false;   // the body was longer than the bound
    bool over = false;  // its end was seen
};

class HttpCollector final : public EventSink {
public:
    explicit HttpCollector(std::size_t body_bytes_max) : body_bytes_max_(body_bytes_max) {}

    void on(const Event& event) override {
        if (const auto* response = std::get_if<HttpResponse>(&event)) {
            HttpAnswer* to = answer(response->exchange);
            if (!to || response->status < 200) return;
            to->status = response->status;
            for (const Header& header : response->headers) {
                if (is(header.name, "allow")) to->allow = header.value.substr(0, kHeaderBytesKept);
                if (is(header.name, "x-content-type-options"))
                    to->content_type_options = header.value.substr(0, kHeaderBytesKept);
            }
        } else if (const auto* body = std::get_if<HttpBody>(&event)) {
            HttpAnswer* to = body->direction == Direction::to_client ? answer(body->exchange) : nullptr;
            if (!to) return;
            const std::string_view piece = as_text(body->piece);
            to->body += piece.substr(0, body_bytes_max_ - to->body.size());
            to->cut |= to->body.size() == body_bytes_max_ && !piece.empty();
        } else if (const auto* end = std::get_if<HttpEnd>(&event)) {
            HttpAnswer* to = end->direction == Direction::to_client ? answer(end->exchange) : nullptr;
            if (to && to->status != 0) to->over = true;
        } else if (std::get_if<Problem>(&event)) {
            problem_ = true;
        }
    }

    // By the order of the requests.
    [[nodiscard]] const std::vector<HttpAnswer>& answers() const { return answers_; }
    [[nodiscard]] bool over(std::size_t exchange) const {
        return exchange < answers_.size() && (answers_[exchange].over || answers_[exchange].cut);
    }
    [[nodiscard]] bool problem() const { return problem_; }

private:
    static constexpr std::size_t kHeaderBytesKept = 256, kAnswersMax = 16;

    static bool is(std::string_view name, std::string_view lower) {
        return name.size() == lower.size() && std::equal(name.begin(), name.end(), lower.begin(), [](char a, char b) {
                   return (a >= 'A' && a <= 'Z' ? static_cast<char>(a + 32) : a) == b;
               });
    }
    HttpAnswer* answer(std::uint32_t exchange) {
        if (exchange >= kAnswersMax) return nullptr;
        if (answers_.size() <= exchange) answers_.resize(exchange + 1);
        return &answers_[exchange];
    }

    std::size_t body_bytes_max_;
    std::vector<HttpAnswer> answers_;
    bool problem_ = false;
};

}  // namespace hopscope::procmap
