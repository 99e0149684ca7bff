#include "cli/live_watch.h"

#include <algorithm>

#include "chain/joins_missing.h"
#include "export/otlp.h"

namespace hopscope::cli {

using chain::Place;
using chain::Session;
using chain::Stream;

LossCounters losses_of(const chain::Model& model) {
    LossCounters loss = model.loss;
    loss.count[static_cast<std::size_t>(LossPlace::uncompared)] = 0;
    return loss;
}

LiveWatch::LiveWatch(exports::Output& out, const LiveWatchOptions& options) : out_(out), options_(options) {
    exports::RowFilter wanted;
    if (chain::Filter* filter = options.filter) {
        wanted = [filter](const Session* session, const chain::Finding* finding) {
            if (finding && filter->matches(chain::row_of(*finding))) return true;
            return session && filter->matches(chain::row_of(*session));
        };
    }
    if (options.format == LiveFormat::json)
        json_ = std::make_unique<exports::Ndjson>(
            out, exports::NdjsonOptions{.json = {.reveal = options.reveal}, .filter = wanted});
    if (options.format == LiveFormat::text)
        text_ = std::make_unique<exports::EventLines>(
            out, exports::EventLineOptions{.style = options.style, .reveal = options.reveal, .filter = wanted});
}

void LiveWatch::start(const exports::CaptureStart& start) {
    if (json_) json_->start(start);
    out_.flush();
}

std::uint64_t LiveWatch::lines() const {
    if (json_) return json_->lines();
    return text_ ? text_->lines() : otlp_lines_;
}

void LiveWatch::tell(const chain::Chain& joined, std::span<const Session* const> sessions) {
    chain::Chain chain = joined;
    if (options_.kernel) {
        options_.kernel->complete(chain, pipeline_->model());
        chain::tell_missing(chain, pipeline_->model().sessions, options_.kernel->sight());
    }
    if (json_) json_->chain(chain, sessions);
    if (text_) text_->chain(chain, sessions);
    if (options_.format != LiveFormat::otlp) return;
    const auto wanted = [&](const Session* session) { return options_.filter->matches(chain::row_of(*session)); };
    if (options_.filter && std::none_of(sessions.begin(), sessions.end(), wanted)) return;
    exports::write_chain_otlp(out_, pipeline_->model(), chain);
    ++otlp_lines_;
}

void LiveWatch::tell_processes(Timestamp now) {
    if (!options_.kernel) return;
    options_.kernel->tell_processes(pipeline_->builder(), now,
                                    [this](const Session& session, const chain::ProcessStep& step) {
                                        if (json_) json_->process(session, step);
                                        if (text_) text_->process(session, step);
                                    });
}

void LiveWatch::tick(Timestamp now) {
    tell_processes(now);
    if (text_) text_->tell_data(now, false);
    if (json_) json_->loss(pipeline_->model().loss, now);
    if (text_) text_->loss(losses_of(pipeline_->model()), now);
    chains_.look(pipeline_->builder(), now,
                 [&](const chain::Chain& chain, std::span<const Session* const> sessions) { tell(chain, sessions); });
    out_.flush();
}

void LiveWatch::turn(Timestamp last_packet) {
    tell_processes(last_packet);
    if (text_) text_->tell_data(last_packet, false);
    out_.flush();
}

void LiveWatch::finish() {
    const chain::Model& model = pipeline_->model();
    tell_processes(model.capture.last.value_or(Timestamp{}));
    if (text_) {
        text_->tell_data(model.capture.last.value_or(Timestamp{}), true);
        text_->loss(losses_of(model), model.capture.last.value_or(Timestamp{}), true);
    }
    chains_.finish(pipeline_->model(),
                   [&](const chain::Chain& chain, std::span<const Session* const> sessions) { tell(chain, sessions); });
    if (json_) json_->end(model);
    out_.flush();
}

void LiveWatch::on(const Event& event, const Place& place) {
    if (json_) json_->event(event, place);
    if (text_) text_->event(event, place);
}

void LiveWatch::session_opened(const Session& session, const Place& place) {
    if (options_.owners && options_.kernel && options_.kernel->without_processes()) options_.owners->look_soon();
    if (options_.kernel && session.unix_socket) {
        options_.kernel->name_ends(session, pipeline_->builder());
    } else if (options_.owners && !session.ends) {
        chain::Ends ends = options_.owners->ends_of(session);
        if (ends.from || ends.to) pipeline_->builder().name_ends(session.number, std::move(ends));
    }
    if (options_.kernel) options_.kernel->session_opened(session, pipeline_->builder());
    if (json_) json_->session_opened(session, place);
    if (text_) text_->session_opened(session, place);
}

void LiveWatch::stream_opened(const Session& session, const Stream& stream, const Place& place) {
    if (json_) json_->stream_opened(session, stream, place);
    if (text_) text_->stream_opened(session, stream, place);
}

void LiveWatch::stream_data(const Session& session, const Stream& stream, Direction direction, Bytes piece,
                            const Place& place) {
    if (json_) json_->stream_data(session, stream, direction, piece, place);
    if (text_) text_->stream_data(session, stream, direction, piece, place);
}

void LiveWatch::stream_closed(const Session& session, const Stream& stream, const Place& place) {
    if (json_) json_->stream_closed(session, stream, place);
    if (text_) text_->stream_closed(session, stream, place);
}

void LiveWatch::resized(const Session& session, const Stream& stream, const chain::Resize& resize, const Place& place) {
    if (json_) json_->resized(session, stream, resize, place);
    if (text_) text_->resized(session, stream, resize, place);
}

void LiveWatch::session_ended(const Session& session, const Place& place) {
    ++sessions_over_;
    chains_.session_ended();
    if (options_.kernel) options_.kernel->session_ended(session, pipeline_->builder());
    if (options_.owners) options_.owners->forget(session.number);
    if (json_) json_->session_ended(session, place);
    if (text_) text_->session_ended(session, place);
}

void LiveWatch::finding(const chain::Finding& finding) {
    if (json_) json_->finding(finding);
    if (text_) text_->finding(finding);
}

}  // namespace hopscope::cli
