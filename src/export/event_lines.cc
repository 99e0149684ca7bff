#include "export/event_lines.h"

#include <algorithm>
#include <utility>

#include "core/limits.h"
#include "export/human.h"

namespace hopscope::exports {

using chain::Place;
using chain::Session;
using chain::Severity;
using chain::Stream;

namespace {

constexpr std::size_t kPreviewBytes = 60;
constexpr std::uint32_t kDepthShown = 10;  // beyond it, lines stand no further to the right
constexpr std::size_t kSessionWidth = 3, kHopWidth = 9, kEventWidth = 13;

std::string_view letter(Severity severity) {
    switch (severity) {
        case Severity::info: return "i";
        case Severity::notice: return "n";
        case Severity::warning: return "w";
        case Severity::error: return "e";
    }
    return "?";
}

Tone tone_of(Severity severity) {
    return severity == Severity::warning || severity == Severity::error ? severity_tone(severity) : Tone::plain;
}

void pad(std::string& text, std::size_t to) {
    const std::size_t width = display_width(text);
    if (width < to) text.append(to - width, ' ');
}

std::string in_out(const chain::ByteCounts& bytes) {
    return "in " + short_count(bytes.in) + " out " + short_count(bytes.out);
}

}  // namespace

EventLines::EventLines(Output& out, EventLineOptions options) : out_(out), options_(std::move(options)) {}

void EventLines::line(Timestamp at, Severity severity, std::string_view session, std::string_view hop,
                      std::string_view event, std::string_view detail) {
    const Style& style = options_.style;
    std::string text = at.ns != 0 ? clock_time(at) : std::string(15, ' ');
    text += ' ';
    text += letter(severity);
    text += ' ';
    std::size_t column = display_width(text);
    const auto field = [&](std::string_view value, std::size_t width) {
        text += value;
        column += width;
        pad(text, column);
        text += ' ';
        column = display_width(text);
    };
    field(session.empty() ? "-" : session, kSessionWidth);
    field(hop.empty() ? "-" : hop, kHopWidth);
    field(event, kEventWidth);
    text += detail;
    if (style.columns > 0) text = elide_end(text, style.columns, style.glyphs);
    out_.append(style.paint(std::move(text), tone_of(severity)));
    out_.append('\n');
    ++lines_;
}

std::string EventLines::end_name(const std::optional<chain::Process>& process, const Endpoint& endpoint) const {
    if (!process || process->pid == 0) return to_string(endpoint);
    return (process->comm.empty() ? std::string("pid") : shown(process->comm)) + "[" + std::to_string(process->pid) +
           "]";
}

void EventLines::event(const Event& event, const Place& place) {
    if (const auto* message = std::get_if<CriMessage>(&event)) return on(*message, place);
    if (const auto* gap = std::get_if<Gap>(&event)) return on(*gap, place);
    if (const auto* problem = std::get_if<Problem>(&event)) return on(*problem, place);
}

void EventLines::on(const CriMessage& message, const Place& place) {
    if (!message.response || message.url.empty()) return;
    if (options_.filter && !options_.filter(nullptr, nullptr)) return;
    line(place.at, Severity::info, {}, "cri", "token.issued",
         display(message.method, options_.style.glyphs) + " " +
             chain::shown_target(Untrusted(message.url), options_.reveal, options_.style.glyphs));
}

void EventLines::on(const Gap& gap, const Place& place) {
    const auto session = session_of_slot_.find(place.slot);
    if (session == session_of_slot_.end()) return;  // not a session, or one that is not wanted
    line(place.at, Severity::warning, session->second, {}, "gap",
         grouped(gap.missing_bytes) + " B were not captured, " +
             (gap.direction == Direction::to_server ? "in" : "out") + " after " + grouped(gap.offset) + " B");
}

void EventLines::on(const Problem& problem, const Place& place) {
    const auto session = session_of_slot_.find(place.slot);
    if (session == session_of_slot_.end()) return;
    line(place.at, Severity::warning, session->second, {}, "problem",
         display(problem.code, options_.style.glyphs) + " " + display(problem.text, options_.style.glyphs));
}

void EventLines::loss(const LossCounters& now, Timestamp at, bool last) {
    if (!last && told_loss_at_ && at >= *told_loss_at_ && (at - *told_loss_at_).ns < kNanosecondsPerSecond) return;
    if (now.count == told_loss_.count) return;
    std::string detail;
    for (std::size_t i = 0; i < kLossPlaces; ++i) {
        if (now.count[i] == told_loss_.count[i]) continue;
        detail += (detail.empty() ? "" : ", ") + std::string(to_string(static_cast<LossPlace>(i))) + " " +
                  grouped(now.count[i] - told_loss_.count[i]);
    }
    line(at, Severity::warning, {}, {}, "loss", detail);
    told_loss_ = now;
    told_loss_at_ = at;
}

void EventLines::chain(const chain::Chain& chain, std::span<const Session* const> sessions) {
    if (options_.filter && std::none_of(sessions.begin(), sessions.end(), [&](const Session* s) { return wants(*s); }))
        return;
    std::string detail = chain.id() + " " + op_name(chain.op);
    if (const std::string pod = pod_name(chain.k8s, options_.style.glyphs); !pod.empty()) detail += " " + pod;
    for (const chain::Hop& hop : chain.hops) {
        detail += std::string(&hop == chain.hops.data() ? "  " : " ") + std::string(to_string(hop.kind)) + " " +
                  std::string(grade_glyph(hop.grade, options_.style.glyphs));
    }
    if (chain.exit_code) detail += "  exit " + std::to_string(*chain.exit_code);
    std::vector<chain::HopKind> named;
    for (const chain::MissingPart& part : chain.missing) {
        if (std::find(named.begin(), named.end(), part.hop) != named.end()) continue;
        detail += (named.empty() ? "  missing: " : ", ") + std::string(to_string(part.hop));
        named.push_back(part.hop);
    }
    line(chain.end, Severity::info, sessions.empty() ? std::string() : sessions.front()->id(), {}, "chain", detail);
}

void EventLines::process(const Session& session, const chain::ProcessStep& step) {
    if (!wants(session)) return;
    const chain::RanProcess& ran = *step.process;
    std::string detail(std::size_t{2} * std::min(step.depth, kDepthShown), ' ');
    detail += shown(ran.process.comm) + "[" + std::to_string(ran.process.pid) + "]";
    if (step.exit) {
        if (ran.exit_code) detail += "  exit " + std::to_string(*ran.exit_code);
        detail += ", " + short_duration(step.at - ran.start);
    } else if (!ran.command.empty()) {
        detail += "  " + chain::shown_command(ran.command, options_.reveal, options_.style.glyphs);
    }
    line(step.at, Severity::info, session.id(), "process",
         step.exit      ? "process.exit"
         : step.already ? "process.runs"
                        : "process.exec",
         detail);
}

void EventLines::session_opened(const Session& session, const Place& place) {
    if (!wants(session)) {
        session_of_slot_.erase(place.slot);
        return;
    }
    const Style& style = options_.style;
    session_of_slot_[place.slot] = session.id();
    std::string detail = op_name(session.op);
    if (const std::string pod = pod_name(session.k8s, style.glyphs); !pod.empty()) {
        detail += " " + pod;
    } else if (!session.target.empty()) {
        detail += " " + chain::shown_target(session.target, options_.reveal, style.glyphs);
    }
    detail += " " + proto_name(session.proto);
    if (!session.subprotocol.empty()) detail += " " + shown(session.subprotocol);
    detail += "  " + end_name(session.ends ? session.ends->from : std::nullopt, session.client) + " " +
              std::string(style.arrow()) + " " +
              end_name(session.ends ? session.ends->to : std::nullopt, session.server);
    if (session.state == chain::SessionState::cut) detail += "  joined late";
    line(place.at, Severity::info, session.id(), to_string(session.hop), "session.open", detail);
}

void EventLines::stream_opened(const Session& session, const Stream& stream, const Place& place) {
    if (!stream.has_port || stream.kind != StreamKind::data || !wants(session)) return;
    line(place.at, Severity::info, session.id(), to_string(session.hop), "stream.open",
         "port " + std::to_string(stream.port) +
             (stream.has_request_id ? "  connection " + std::to_string(stream.request_id) : ""));
}

void EventLines::stream_data(const Session& session, const Stream& stream, Direction direction, Bytes piece,
                             const Place& place) {
    if (stream.kind == StreamKind::error || stream.kind == StreamKind::resize) return;
    const SumKey key{session.number, stream.id, direction};
    auto known = sums_.find(key);
    if (known == sums_.end()) {
        if (!wants(session)) return;
        if (sums_.size() >= limits::kLiveSumsMax) tell_data(place.at, true);
        known = sums_.emplace(key, Sum{}).first;
        known->second.session = session.id();
        known->second.hop = to_string(session.hop);
        known->second.port = stream.has_port ? stream.port : std::uint16_t{0};
    }
    Sum& sum = known->second;
    sum.kind = stream.kind;
    sum.bytes += piece.size();
    ++sum.pieces;
    sum.last = place.at;
    if (sum.text.size() < kPreviewBytes && options_.reveal.shows(stream.kind))
        sum.text.append(as_text(piece).substr(0, kPreviewBytes - sum.text.size()));
}

void EventLines::tell(const SumKey& key, Sum& sum) {
    std::string detail(to_string(sum.kind));
    if (sum.port != 0) detail += " port " + std::to_string(sum.port);
    detail += std::get<Direction>(key) == Direction::to_server ? " in " : " out ";
    detail += sum.bytes < 1000 ? std::to_string(sum.bytes) + " B" : short_count(sum.bytes) + "B";
    if (sum.pieces > 1) detail += " in " + grouped(sum.pieces) + " pieces";
    if (!sum.text.empty()) detail += "  " + display(sum.text, options_.style.glyphs);
    line(sum.last, Severity::info, sum.session, sum.hop, "data", detail);
    sum.bytes = sum.pieces = 0;
    sum.text.clear();
    sum.told_at = sum.last;
}

void EventLines::tell_data(Timestamp now, bool all) {
    for (auto at = sums_.begin(); at != sums_.end();) {
        Sum& sum = at->second;
        const bool due = !sum.told_at || (now - *sum.told_at).ns >= kNanosecondsPerSecond || now < *sum.told_at;
        // A stream that is silent for a second begins anew: the table holds what is busy only.
        const bool silent = sum.pieces == 0 && due;
        if (sum.pieces > 0 && (due || all)) tell(at->first, sum);
        if (all || silent)
            at = sums_.erase(at);
        else
            ++at;
    }
}

void EventLines::end_data(std::uint32_t session, std::optional<std::uint32_t> stream) {
    auto at = sums_.lower_bound({session, stream.value_or(0), Direction::to_server});
    while (at != sums_.end() && std::get<0>(at->first) == session && (!stream || std::get<1>(at->first) == *stream)) {
        if (at->second.pieces > 0) tell(at->first, at->second);
        at = sums_.erase(at);
    }
}

void EventLines::stream_closed(const Session& session, const Stream& stream, const Place& place) {
    end_data(session.number, stream.id);
    if (!stream.has_port || stream.kind != StreamKind::data || !wants(session)) return;
    line(place.at, Severity::info, session.id(), to_string(session.hop), "stream.close",
         "port " + std::to_string(stream.port) + "  " + in_out(stream.bytes));
}

void EventLines::resized(const Session& session, const Stream&, const chain::Resize& resize, const Place& place) {
    if (!wants(session)) return;
    line(place.at, Severity::info, session.id(), to_string(session.hop), "resize",
         std::to_string(resize.width) + std::string(options_.style.times()) + std::to_string(resize.height));
}

void EventLines::session_ended(const Session& session, const Place& place) {
    end_data(session.number, std::nullopt);
    session_of_slot_.erase(place.slot);
    if (!wants(session)) return;
    std::string detail = outcome(session);
    if (session.start.ns != 0) detail += ", " + short_duration(session.end - session.start);
    detail += ", " + in_out(session.bytes);
    if (session.gaps > 0)
        detail += ", " + counted(session.gaps, "gap") + " of " + grouped(session.missing_bytes) + " B";
    else if (!session.complete)
        detail += ", incomplete";
    const bool bad = session.gaps > 0 || session.state == chain::SessionState::refused;
    line(place.at, bad ? Severity::warning : Severity::info, session.id(), to_string(session.hop), "session.close",
         detail);
}

void EventLines::finding(const chain::Finding& finding) {
    if (options_.filter && !options_.filter(nullptr, &finding)) return;
    std::string detail = finding.code + " " + finding.says;
    if (!finding.remedy.empty()) detail += "; " + finding.remedy;
    line(finding.at, finding.severity, finding.session != 0 ? "s" + std::to_string(finding.session) : std::string(), {},
         "finding", detail);
}

}  // namespace hopscope::exports
