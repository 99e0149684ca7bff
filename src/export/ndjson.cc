#include "export/ndjson.h"

#include <algorithm>
#include <utility>

#include "export/ndjson_line.h"

namespace hopscope::exports {

using chain::Place;
using chain::Session;
using chain::Stream;

namespace {

void stream_members(JsonWriter& json, const Stream& stream) {
    json.number("stream", stream.id);
    json.text("type", to_string(stream.kind));
    if (stream.grade != Grade::decoded) json.text("grade", to_string(stream.grade));
    if (stream.has_port) json.number("port", stream.port);
    if (stream.has_request_id) json.number("request_id", stream.request_id);
}

}  // namespace

Ndjson::Ndjson(Output& out, NdjsonOptions options) : out_(out), options_(std::move(options)), json_(out) {
    if (options_.filter) wants_unknown_ = options_.filter(nullptr, nullptr);
}

char* Ndjson::write_time(char* out, Timestamp at) {
    // Unsigned, so that times before the second and far from it are large, too.
    const std::uint64_t since = static_cast<std::uint64_t>(at.ns) - second_ns_;
    if (!second_known_ || since >= static_cast<std::uint64_t>(kNanosecondsPerSecond)) {
        char* end = write_rfc3339(out, at);
        std::copy_n(out, sizeof second_text_, second_text_);  // "2026-11-21T17:01:43."
        std::int64_t nanosecond = at.ns % kNanosecondsPerSecond;
        if (nanosecond < 0) nanosecond += kNanosecondsPerSecond;
        second_ns_ = static_cast<std::uint64_t>(at.ns) - static_cast<std::uint64_t>(nanosecond);
        second_known_ = true;
        return end;
    }
    std::memcpy(out, second_text_, sizeof second_text_);
    return put(put_nine_digits(out + sizeof second_text_, static_cast<std::uint32_t>(since)), "Z");
}

char* Ndjson::line_begin(char* out, std::string_view kind, std::optional<Timestamp> at) {
    out = put(out, "{\"schema\":\"hopscope.event/v1\",\"kind\":\"");
    out = put_text(out, kind);
    if (at) {
        out = put(out, "\",\"ts\":\"");
        out = write_time(out, *at);
    }
    return line_number(out);
}

char* Ndjson::line_begin(char* out, Timestamp at) {
    out = put(out, "{\"schema\":\"hopscope.event/v1\",\"kind\":\"frame\",\"ts\":\"");
    return line_number(write_time(out, at));
}

char* Ndjson::line_number(char* out) { return put_number(put(out, "\",\"seq\":"), ++lines_); }

char* Ndjson::line_place(char* out, const Place& place, std::uint32_t session) {
    out = put_number(put(out, ",\"flow\":"), place.flow);
    if (options_.json.several_files) out = put_number(put(out, ",\"file\":"), place.file);
    out = put_number(put(out, ",\"frame\":"), place.frame);
    if (session != 0) out = put(put_number(put(out, ",\"session\":\"s"), session), "\"");
    return out;
}

void Ndjson::line_done(char* out) {
    out_.commit(put(out, "}\n"));
    if (options_.flush_each_line) out_.flush();
}

void Ndjson::begin(std::string_view kind, std::optional<Timestamp> at) {
    out_.commit(line_begin(out_.room(kLineBytesMax), kind, at));
    json_.resume_object();
}

void Ndjson::begin(std::string_view kind, const Place& place) {
    char* out = line_begin(out_.room(kLineBytesMax), kind, place.at);
    out_.commit(line_place(out, place, session_at(place)));
    json_.resume_object();
}

void Ndjson::begin(std::string_view kind, const Session& session, const Place& place) {
    char* out = line_begin(out_.room(kLineBytesMax), kind, place.at);
    out_.commit(line_place(out, place, session.number));
    json_.resume_object();
}

void Ndjson::done() { line_done(out_.room(kLineBytesMax)); }

const Ndjson::Flow* Ndjson::known(const Place& place) const {
    // Slots are used again: the id tells whether this is still the same connection.
    if (place.slot >= flows_.size() || flows_[place.slot].id != place.flow || flows_[place.slot].session == 0)
        return nullptr;
    return &flows_[place.slot];
}

std::uint32_t Ndjson::session_at(const Place& place) const {
    const Flow* flow = known(place);
    return flow ? flow->session : 0;
}

bool Ndjson::wants(const Place& place) const {
    if (!options_.filter) return true;
    const Flow* flow = known(place);
    return flow ? flow->wanted : wants_unknown_;
}

bool Ndjson::wants(const Session& session, const Place& place) {
    if (place.slot >= flows_.size()) flows_.resize(place.slot + std::size_t{1});
    Flow& flow = flows_[place.slot];
    flow = {
        .id = place.flow, .session = session.number, .wanted = !options_.filter || options_.filter(&session, nullptr)};
    return flow.wanted;
}

void Ndjson::start(const CaptureStart& start) {
    begin("capture.start", start.at);
    json_.text("version", HOPSCOPE_VERSION);
    json_.text_if("node", start.node);
    if (!start.files.empty()) {
        json_.begin_array("files");
        for (const chain::FileFact& file : start.files) {
            json_.begin_object();
            json_.text("name", file.name);
            json_.text_if("format", file.format);
            json_.text_if("link_types", file.link_types);
            json_.end_object();
        }
        json_.end_array();
    }
    if (!start.interfaces.empty()) json_.texts("interfaces", std::span<const std::string>(start.interfaces));
    json_.text_if("filter", start.filter);
    if (!start.partial.empty()) json_.texts("partial", std::span<const std::string>(start.partial));
    done();
}

void Ndjson::loss(const LossCounters& now, Timestamp at) {
    if (told_loss_at_ && at >= *told_loss_at_ && (at - *told_loss_at_).ns < kNanosecondsPerSecond) return;
    if (now.count == told_loss_.count) return;
    begin("loss", at);
    json_.begin_object("lost");
    for (std::size_t i = 0; i < kLossPlaces; ++i)
        json_.number_if(to_string(static_cast<LossPlace>(i)), now.count[i] - told_loss_.count[i]);
    json_.end_object();
    done();
    told_loss_ = now;
    told_loss_at_ = at;
}

void Ndjson::chain(const chain::Chain& chain, std::span<const Session* const> sessions) {
    const auto wanted = [&](const Session* session) { return options_.filter(session, nullptr); };
    if (options_.filter && std::none_of(sessions.begin(), sessions.end(), wanted)) return;
    begin("chain", chain.end.ns != 0 ? std::optional(chain.end) : std::nullopt);
    chain_members(json_, chain, options_.json);
    done();
}

void Ndjson::process(const Session& session, const chain::ProcessStep& step) {
    if (options_.filter && !options_.filter(&session, nullptr)) return;
    begin("process", step.at);
    json_.text("session", session.id());
    json_.text("step", step.exit ? "exit" : step.already ? "running" : "exec");
    ran_process_members(json_, *step.process, options_.json.reveal);
    json_.number_if("parent_pid", step.parent_pid);
    json_.number("depth", step.depth);
    if (step.exit && step.process->exit_code) json_.number("exit_code", *step.process->exit_code);
    if (step.exit) json_.seconds("duration_s", step.at - step.process->start);
    done();
}

void Ndjson::end(const chain::Model& model) {
    if (model.capture.last) {
        told_loss_at_.reset();  // the last second's losses are told, however soon after the others
        loss(model.loss, *model.capture.last);
    }
    begin("capture.end", model.capture.last);
    capture_members(json_, model);
    json_.number("lines", lines_);
    loss_member(json_, "loss", model.loss);
    done();
    out_.flush();
}

void Ndjson::session_opened(const Session& session, const Place& place) {
    if (!wants(session, place)) return;
    begin("session.open", session, place);
    json_.text_if("op", to_string(session.op));
    json_.text_if("hop", to_string(session.hop));
    json_.text_if("proto", to_string(session.proto));
    json_.text_if("subprotocol", session.subprotocol);
    connection_members(json_, session);
    if (session.token) token_member(json_, *session.token, options_.json.reveal);
    done();
}

void Ndjson::stream_opened(const Session& session, const Stream& stream, const Place& place) {
    if (!wants(session, place)) return;
    begin("stream.open", session, place);
    stream_members(json_, stream);
    done();
}

void Ndjson::stream_data(const Session& session, const Stream& stream, Direction direction, Bytes piece,
                         const Place& place) {
    if (!options_.json.reveal.shows(stream.kind) || !wants(place)) return;
    begin("data", session, place);
    json_.text("direction", direction_name(direction));
    stream_members(json_, stream);
    json_.number("length", piece.size());
    json_.payload(as_text(piece));
    done();
}

void Ndjson::stream_closed(const Session& session, const Stream& stream, const Place& place) {
    if (!wants(place)) return;
    begin("stream.close", session, place);
    stream_members(json_, stream);
    json_.text("state", stream_state_name(stream.state));
    if (stream.start.ns != 0) json_.seconds("duration_s", place.at - stream.start);
    bytes_member(json_, stream.bytes);
    json_.number("frames", stream.frames);
    done();
}

void Ndjson::resized(const Session& session, const Stream& stream, const chain::Resize& resize, const Place& place) {
    if (!wants(place)) return;
    begin("resize", session, place);
    json_.number("stream", stream.id);
    json_.number("width", resize.width);
    json_.number("height", resize.height);
    done();
}

void Ndjson::session_ended(const Session& session, const Place& place) {
    const bool wanted = wants(session, place);
    flows_[place.slot].session = 0;  // a connection that is kept alive may carry another one
    if (!wanted) return;
    begin("session", place.at);
    session_members(json_, session, options_.json);
    done();
}

void Ndjson::finding(const chain::Finding& finding) {
    if (options_.filter && !options_.filter(nullptr, &finding)) return;
    begin("finding", finding.at.ns != 0 ? std::optional(finding.at) : std::nullopt);
    finding_members(json_, finding, options_.json);
    done();
}

}  // namespace hopscope::exports
