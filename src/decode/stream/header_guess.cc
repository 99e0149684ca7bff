#include "decode/stream/header_guess.h"

#include <algorithm>
#include <array>
#include <bit>
#include <string>

#include "core/limits.h"
#include "decode/stream/spdy_headers.h"

namespace hopscope::decode::stream::spdy {
namespace {

constexpr std::size_t kPastsMax = 256;     // tried for one block, about a microsecond each
constexpr std::size_t kPastsKeptMax = 64;  // that fit and go on

constexpr std::string_view kWhyGuessed =
    "its header block makes sense only after the header blocks that must have come before it";
constexpr std::string_view kWhyShape =
    "the part of its header block that does not depend on earlier ones fits no other stream type";

// The order in which a client opens the streams of exec and attach (client-go's tools/remotecommand).
constexpr std::array<StreamKind, 5> kExecOrder = {StreamKind::error, StreamKind::in, StreamKind::out, StreamKind::err,
                                                  StreamKind::resize};

int place_in_order(StreamKind kind) {
    const auto at = std::find(kExecOrder.begin(), kExecOrder.end(), kind);
    return at == kExecOrder.end() ? -1 : static_cast<int>(at - kExecOrder.begin());
}

void add_number(std::vector<std::uint8_t>& out, std::size_t value) {
    for (const int shift : {24, 16, 8, 0}) out.push_back(static_cast<std::uint8_t>(value >> shift));
}

void add_text(std::vector<std::uint8_t>& out, std::string_view text) {
    add_number(out, text.size());
    out.insert(out.end(), text.begin(), text.end());
}

void add_exec_block(std::vector<std::uint8_t>& out, StreamKind kind) {
    add_number(out, 1);
    add_text(out, "streamtype");
    add_text(out, to_string(kind));
}

using Order = std::array<std::uint8_t, 3>;
constexpr std::array<Order, 6> kPairOrders = {{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}}};

void add_forward_block(std::vector<std::uint8_t>& out, std::string_view type, std::string_view port,
                       std::string_view request, const Order& order) {
    add_number(out, 3);
    for (const std::uint8_t pair : order) {
        add_text(out, pair == 0 ? "streamtype" : pair == 1 ? "port" : "requestid");
        add_text(out, pair == 0 ? type : pair == 1 ? port : request);
    }
}

// Reads a whole block as Kubernetes writes it; nothing if it could be anything else.
std::optional<Said> sensible(Bytes plain, Purpose purpose) {
    const auto headers = parse_headers(plain);
    if (!headers || headers->irregular) return std::nullopt;
    if (purpose != Purpose::port_forward && headers->pairs == 1 && place_in_order(headers->kind) >= 0)
        return Said{headers->kind, {}, {}};
    const bool forward_kind = headers->kind == StreamKind::error || headers->kind == StreamKind::data;
    if (purpose != Purpose::remote_command && headers->pairs == 3 && forward_kind && headers->port &&
        headers->request_id)
        return Said{headers->kind, headers->port, headers->request_id};
    return std::nullopt;
}

// True if `kind` may follow `last` in its connection.
bool may_follow(const std::optional<Said>& last, const Said& next) {
    if (!last) return true;
    if (next.port) return last->port && next.request_id <= *last->request_id + 1 + limits::kSpdyLostBlocksMax;
    return !last->port && place_in_order(next.kind) > place_in_order(last->kind);
}

bool fits(const HalfKnown& half, const std::vector<std::uint8_t>& text) {
    if (half.plain.size() != text.size()) return false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        // '*' stands for a digit that is not known.
        const bool digit = half.plain[i] >= '0' && half.plain[i] <= '9';
        if (half.known[i] && half.plain[i] != text[i] && !(text[i] == '*' && digit)) return false;
    }
    return true;
}

std::optional<HeaderGuess::Reading> read_by_shape(Bytes block, Purpose purpose) {
    const auto half = inflate_without_history(block);
    // The longest text that Kubernetes sends has 72 bytes; more would only cost time.
    if (!half || half->plain.size() > 128) return std::nullopt;
    std::optional<HeaderGuess::Reading> answer;
    bool several = false;
    const auto consider = [&](StreamKind kind, Purpose meaning) {
        if (answer && (answer->said.kind != kind || answer->purpose != meaning)) several = true;
        answer = HeaderGuess::Reading{Said{kind, {}, {}}, kWhyShape, meaning};
    };
    std::vector<std::uint8_t> text;
    if (purpose != Purpose::port_forward) {
        for (const StreamKind kind : kExecOrder) {
            text.clear();
            add_exec_block(text, kind);
            if (fits(*half, text)) consider(kind, Purpose::remote_command);
        }
    }
    if (purpose != Purpose::remote_command) {
        constexpr std::size_t kWithoutValues = 4 + 3 * 8 + 10 + 4 + 9;
        for (const StreamKind kind : {StreamKind::error, StreamKind::data}) {
            const std::string_view type = to_string(kind);
            for (std::size_t port = 1; port <= 5; ++port) {
                if (half->plain.size() < kWithoutValues + type.size() + port + 1) continue;
                const std::size_t request = half->plain.size() - kWithoutValues - type.size() - port;
                if (request > 10) continue;
                for (const Order& order : kPairOrders) {
                    text.clear();
                    add_forward_block(text, type, std::string(port, '*'), std::string(request, '*'), order);
                    if (fits(*half, text)) consider(kind, Purpose::port_forward);
                }
            }
        }
    }
    if (!answer || !several) return answer;
    return std::nullopt;
}

}  // namespace

HeaderGuess::HeaderGuess(std::vector<std::uint8_t> history, std::optional<Said> last, Purpose purpose)
    : purpose_(purpose) {
    pasts_.push_back({std::move(history), last});
}

void HeaderGuess::add_exec_pasts(const Past& past, std::uint32_t missed, std::vector<Past>& out) const {
    const int after = past.last ? place_in_order(past.last->kind) : -1;
    for (unsigned choice = 0; choice < 1U << kExecOrder.size(); ++choice) {
        if (static_cast<std::uint32_t>(std::popcount(choice)) != missed) continue;
        if (after >= 0 && (choice & ((2U << after) - 1)) != 0) continue;
        // The error stream is always the first one.
        if (after < 0 && (choice & 1U) == 0) continue;
        Past next = past;
        for (std::size_t i = 0; i < kExecOrder.size(); ++i) {
            if ((choice >> i & 1U) == 0) continue;
            add_exec_block(next.history, kExecOrder[i]);
            next.last = Said{kExecOrder[i], {}, {}};
        }
        out.push_back(std::move(next));
    }
}

void HeaderGuess::add_forward_pasts(const Past& past, std::uint32_t missed, std::vector<Past>& out) const {
    if (missed > limits::kSpdyLostBlocksMax || !past.last || !past.last->port) return;
    // What one more stream may have been: the other half of the last connection, or an error stream of a new one.
    std::vector<Past> now = {past};
    for (std::uint32_t i = 0; i < missed; ++i) {
        std::vector<Past> further;
        for (const Past& each : now) {
            const Said last = *each.last;
            std::vector<Said> options = {{StreamKind::error, last.port, *last.request_id + 1}};
            if (last.kind == StreamKind::error) options.push_back({StreamKind::data, last.port, last.request_id});
            for (const Said& option : options) {
                for (const Order& order : kPairOrders) {
                    Past next = each;
                    add_forward_block(next.history, to_string(option.kind), std::to_string(*option.port),
                                      std::to_string(*option.request_id), order);
                    next.last = option;
                    further.push_back(std::move(next));
                }
            }
        }
        now = std::move(further);
    }
    for (Past& each : now) out.push_back(std::move(each));
}

std::vector<HeaderGuess::Past> HeaderGuess::with_missed(const Past& past, std::uint32_t missed) const {
    std::vector<Past> out;
    if (missed == 0) {
        out.push_back(past);
        return out;
    }
    if (purpose_ != Purpose::port_forward && missed < kExecOrder.size()) add_exec_pasts(past, missed, out);
    if (purpose_ != Purpose::remote_command) add_forward_pasts(past, missed, out);
    return out;
}

std::optional<HeaderGuess::Reading> HeaderGuess::read_by_guessing(std::uint32_t missed, Bytes block) {
    std::vector<Past> fitting;
    std::size_t tried = 0;
    for (const Past& past : pasts_) {
        for (Past& each : with_missed(past, missed)) {
            if (++tried > kPastsMax || fitting.size() >= kPastsKeptMax) {
                pasts_.clear();
                return std::nullopt;
            }
            const auto plain = inflate_after(each.history, block);
            if (!plain) continue;
            const auto said = sensible(*plain, purpose_);
            if (!said || !may_follow(each.last, *said)) continue;
            each.history.insert(each.history.end(), plain->begin(), plain->end());
            each.last = *said;
            fitting.push_back(std::move(each));
        }
    }
    pasts_ = std::move(fitting);
    if (pasts_.empty()) return std::nullopt;
    Reading answer{*pasts_.front().last, kWhyGuessed, Purpose::unknown};
    for (const Past& past : pasts_) {
        if (past.last->kind != answer.said.kind) return std::nullopt;
        if (past.last->port != answer.said.port) answer.said.port.reset();
        if (past.last->request_id != answer.said.request_id) answer.said.request_id.reset();
    }
    const auto forwards = [](const Past& past) { return past.last->port.has_value(); };
    if (std::all_of(pasts_.begin(), pasts_.end(), forwards)) answer.purpose = Purpose::port_forward;
    if (std::none_of(pasts_.begin(), pasts_.end(), forwards)) answer.purpose = Purpose::remote_command;
    return answer;
}

std::optional<HeaderGuess::Reading> HeaderGuess::read(std::uint32_t missed, Bytes block) {
    std::optional<Reading> answer = read_by_guessing(missed, block);
    if (!answer) answer = read_by_shape(block, purpose_);
    if (answer && purpose_ == Purpose::unknown) purpose_ = answer->purpose;
    return answer;
}

}  // namespace hopscope::decode::stream::spdy
