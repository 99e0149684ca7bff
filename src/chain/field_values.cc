#include "chain/field_values.h"

#include <algorithm>

#include "chain/mask.h"
#include "chain/reveal.h"
#include "chain/verdict.h"
#include "core/node_words.h"

namespace hopscope::chain::field {
namespace {

void tell(ValueSink& sink, std::string_view text) {
    if (!text.empty()) sink.on({.text = text});
}
void tell(ValueSink& sink, const Untrusted& text) { tell(sink, std::string_view(text.raw())); }
void tell_number(ValueSink& sink, std::int64_t number) { sink.on({.number = number}); }
void tell_count(ValueSink& sink, std::uint64_t count) {
    tell_number(sink, static_cast<std::int64_t>(std::min<std::uint64_t>(count, INT64_MAX)));
}
void tell_time(ValueSink& sink, Timestamp at) {
    if (at.ns != 0) tell_number(sink, at.ns);
}
void tell_span(ValueSink& sink, Timestamp from, Timestamp to) {
    if (from.ns != 0 && to.ns != 0) tell_number(sink, (to - from).ns);
}

const ByteCounts* bytes_of(const Row& row) {
    if (row.stream) return &row.stream->bytes;
    return row.session ? &row.session->bytes : nullptr;
}

template <typename Tell>
void for_streams(const Row& row, Tell tell_stream) {
    if (row.stream) {
        tell_stream(*row.stream);
    } else if (row.session) {
        for (const Stream& stream : row.session->streams) tell_stream(stream);
    }
}

std::string_view state_name(Stream::State state) {
    switch (state) {
        case Stream::State::open: return "open";
        case Stream::State::half_closed: return "half_closed";
        case Stream::State::closed: return "closed";
        case Stream::State::reset: return "reset";
    }
    return "";
}

const K8sNames* names_of(const Row& row) {
    if (row.session) return &row.session->k8s;
    if (row.verdict) return row.verdict->owners.empty() ? nullptr : &row.verdict->owners.front().k8s;
    return row.chain ? &row.chain->k8s : nullptr;
}

template <typename Tell>
void for_owners(const Row& row, Tell tell_owner) {
    if (!row.verdict) return;
    for (const Owner& owner : row.verdict->owners) tell_owner(owner);
}

const ContainerRef* container_of(const Row& row) {
    if (row.session) return &row.session->container;
    return row.chain ? &row.chain->container : nullptr;
}

}  // namespace

void op(const Row& row, Timestamp, ValueSink& sink) {
    if (row.session) tell(sink, to_string(row.session->op));
    if (row.chain) tell(sink, to_string(row.chain->op));
}

void proto(const Row& row, Timestamp, ValueSink& sink) {
    if (row.session) tell(sink, to_string(row.session->proto));
    if (!row.chain) return;
    for (const Hop& each : row.chain->hops) tell(sink, each.proto);
}

void state(const Row& row, Timestamp, ValueSink& sink) {
    if (row.session) tell(sink, to_string(row.session->state));
}

void session(const Row& row, Timestamp, ValueSink& sink) {
    const auto tell_id = [&](std::uint32_t number) { tell(sink, "s" + std::to_string(number)); };
    if (row.session) {
        tell_id(row.session->number);
    } else if (row.finding) {
        if (row.finding->session != 0) tell_id(row.finding->session);
    } else if (row.chain) {
        for (const std::uint32_t number : row.chain->sessions) tell_id(number);
    }
}

void chain(const Row& row, Timestamp, ValueSink& sink) {
    if (row.chain) tell(sink, row.chain->id());
}

void hop(const Row& row, Timestamp, ValueSink& sink) {
    if (row.session) tell(sink, to_string(row.session->hop));
    if (!row.chain) return;
    for (const Hop& each : row.chain->hops) tell(sink, to_string(each.kind));
}

void grade(const Row& row, Timestamp, ValueSink& sink) {
    if (row.stream) {
        tell(sink, to_string(row.stream->grade));
    } else if (row.session) {
        tell(sink, to_string(row.session->grade));
    } else if (row.chain) {
        for (const Hop& each : row.chain->hops) tell(sink, to_string(each.grade));
    }
}

void latency(const Row& row, Timestamp, ValueSink& sink) {
    if (row.session) tell_span(sink, row.session->start, row.session->answered);
}

void setup(const Row& row, Timestamp, ValueSink& sink) {
    if (!row.session) return;
    const bool connected = row.session->connected.ns != 0;
    tell_span(sink, connected ? row.session->connected : row.session->start, row.session->answered);
}

void duration(const Row& row, Timestamp, ValueSink& sink) {
    if (row.stream) {
        tell_span(sink, row.stream->start, row.stream->last);
    } else if (row.session) {
        tell_span(sink, row.session->start, row.session->end);
    } else if (row.chain) {
        tell_span(sink, row.chain->start, row.chain->end);
    }
}

void since(const Row& row, Timestamp, ValueSink& sink) {
    if (row.finding) {
        tell_time(sink, row.finding->at);
    } else if (row.stream) {
        tell_time(sink, row.stream->start);
    } else if (row.session) {
        tell_time(sink, row.session->start);
    } else if (row.chain) {
        tell_time(sink, row.chain->start);
    }
}

void age(const Row& row, Timestamp now, ValueSink& sink) {
    struct Age final : ValueSink {
        Age(Timestamp present, ValueSink& next) : now(present), sink(next) {}
        void on(const FieldValue& start) override { tell_number(sink, now.ns - start.number); }
        Timestamp now;
        ValueSink& sink;
    };
    if (now.ns == 0) return;
    Age to_age(now, sink);
    since(row, now, to_age);
}

void end(const Row& row, Timestamp, ValueSink& sink) {
    if (row.stream) {
        tell_time(sink, row.stream->last);
    } else if (row.session) {
        tell_time(sink, row.session->end);
    } else if (row.chain) {
        tell_time(sink, row.chain->end);
    }
}

void exit(const Row& row, Timestamp, ValueSink& sink) {
    const std::optional<int> code = row.session ? row.session->exit_code
                                    : row.chain ? row.chain->exit_code
                                                : std::nullopt;
    if (code) tell_number(sink, *code);
}

void status(const Row& row, Timestamp, ValueSink& sink) {
    if (!row.session) return;
    if (row.session->outcome == Session::Outcome::success) tell(sink, "Success");
    if (row.session->outcome == Session::Outcome::failure) tell(sink, "Failure");
}

void reason(const Row& row, Timestamp, ValueSink& sink) {
    if (row.session) tell(sink, row.session->status_reason);
}

void message(const Row& row, Timestamp, ValueSink& sink) {
    if (row.session && !row.session->status_message.empty())
        tell(sink, shown_status_text(row.session->status_message.raw(), Reveal{}));
}

void bytes(const Row& row, Timestamp, ValueSink& sink) {
    if (const ByteCounts* counts = bytes_of(row)) tell_count(sink, counts->in + counts->out);
}
void bytes_in(const Row& row, Timestamp, ValueSink& sink) {
    if (const ByteCounts* counts = bytes_of(row)) tell_count(sink, counts->in);
}
void bytes_out(const Row& row, Timestamp, ValueSink& sink) {
    if (const ByteCounts* counts = bytes_of(row)) tell_count(sink, counts->out);
}

void stream_type(const Row& row, Timestamp, ValueSink& sink) {
    for_streams(row, [&](const Stream& stream) { tell(sink, to_string(stream.kind)); });
}
void stream_id(const Row& row, Timestamp, ValueSink& sink) {
    for_streams(row, [&](const Stream& stream) { tell_number(sink, stream.id); });
}
void stream_port(const Row& row, Timestamp, ValueSink& sink) {
    for_streams(row, [&](const Stream& stream) {
        if (stream.has_port) tell_number(sink, stream.port);
    });
}
void stream_request_id(const Row& row, Timestamp, ValueSink& sink) {
    for_streams(row, [&](const Stream& stream) {
        if (stream.has_request_id) tell_number(sink, stream.request_id);
    });
}
void stream_state(const Row& row, Timestamp, ValueSink& sink) {
    for_streams(row, [&](const Stream& stream) { tell(sink, state_name(stream.state)); });
}
void stream_frames(const Row& row, Timestamp, ValueSink& sink) {
    for_streams(row, [&](const Stream& stream) { tell_number(sink, stream.frames); });
}
void stream_error(const Row& row, Timestamp, ValueSink& sink) {
    for_streams(row, [&](const Stream& stream) {
        if (stream.error) tell(sink, shown_status_text(stream.error->raw(), Reveal{}));
    });
}
void streams(const Row& row, Timestamp, ValueSink& sink) {
    if (row.session) tell_count(sink, row.session->streams.size() + row.session->streams_dropped);
}
void resizes(const Row& row, Timestamp, ValueSink& sink) {
    if (row.session) tell_count(sink, row.session->resizes.size());
}

void token(const Row& row, Timestamp, ValueSink& sink) {
    if (!row.session || !row.session->token) return;
    if (row.session->token->number != 0) tell(sink, "t" + std::to_string(row.session->token->number));
    tell(sink, token_prefix(row.session->token->value.raw()));
}
void args(const Row& row, Timestamp, ValueSink& sink) {
    const auto* command = row.session ? &row.session->command : row.chain ? &row.chain->command : nullptr;
    if (command && !command->empty()) tell_count(sink, command->size());
}

void severity(const Row& row, Timestamp, ValueSink& sink) {
    if (row.finding) tell(sink, to_string(row.finding->severity));
}
void code(const Row& row, Timestamp, ValueSink& sink) {
    if (row.finding) tell(sink, row.finding->code);
    if (!row.port) return;
    for (const std::string& each : row.port->findings) tell(sink, each);
}
void says(const Row& row, Timestamp, ValueSink& sink) {
    if (row.finding) tell(sink, row.finding->says);
}

void name_space(const Row& row, Timestamp, ValueSink& sink) {
    if (const K8sNames* names = names_of(row)) tell(sink, names->namespace_);
}
void pod(const Row& row, Timestamp, ValueSink& sink) {
    if (const K8sNames* names = names_of(row)) tell(sink, names->pod);
}
void uid(const Row& row, Timestamp, ValueSink& sink) {
    if (const K8sNames* names = names_of(row)) tell(sink, names->uid);
}
void container(const Row& row, Timestamp, ValueSink& sink) {
    const K8sNames* names = names_of(row);
    if (names && !names->container.empty()) {
        tell(sink, names->container);
    } else if (const ContainerRef* reference = container_of(row)) {
        tell(sink, reference->name);
    }
}
void container_id(const Row& row, Timestamp, ValueSink& sink) {
    if (const ContainerRef* reference = container_of(row)) tell(sink, reference->id);
    for_owners(row, [&](const Owner& owner) { tell(sink, owner.container_id); });
}
void runtime(const Row& row, Timestamp, ValueSink& sink) {
    if (const ContainerRef* reference = container_of(row)) tell(sink, reference->runtime);
}

void process_comm(const Row& row, Timestamp, ValueSink& sink) {
    for_owners(row, [&](const Owner& owner) { tell(sink, owner.process.comm); });
    if (!row.chain) return;
    for (const Hop& each : row.chain->hops) {
        if (each.from) tell(sink, each.from->comm);
        if (each.to) tell(sink, each.to->comm);
    }
}
void process_pid(const Row& row, Timestamp, ValueSink& sink) {
    for_owners(row, [&](const Owner& owner) {
        if (owner.process.pid != 0) tell_number(sink, owner.process.pid);
    });
    if (!row.chain) return;
    for (const Hop& each : row.chain->hops) {
        if (each.from) tell_number(sink, each.from->pid);
        if (each.to) tell_number(sink, each.to->pid);
    }
}

void role(const Row& row, Timestamp, ValueSink& sink) {
    if (row.port) tell(sink, row.port->role);
}
void component(const Row& row, Timestamp, ValueSink& sink) {
    if (row.port) tell(sink, row.port->component);
}
void sure(const Row& row, Timestamp, ValueSink& sink) {
    if (row.port) tell(sink, row.port->confidence);
}
void reach(const Row& row, Timestamp, ValueSink& sink) {
    if (row.port) tell(sink, row.port->reach);
}
void seen(const Row& row, Timestamp, ValueSink& sink) {
    if (row.port) tell_count(sink, row.port->seen);
}
void transport(const Row& row, Timestamp, ValueSink& sink) {
    if (row.verdict) tell(sink, is_unix(row.verdict->transport) ? "unix" : to_string(row.verdict->transport));
}
void socket_path(const Row& row, Timestamp, ValueSink& sink) {
    if (row.verdict) tell(sink, row.verdict->unix_path);
}
void exe(const Row& row, Timestamp, ValueSink& sink) {
    for_owners(row, [&](const Owner& owner) { tell(sink, owner.process.exe); });
}
void peer_comm(const Row& row, Timestamp, ValueSink& sink) {
    if (!row.verdict) return;
    for (const Peer& peer : row.verdict->peers) tell(sink, peer.process.comm);
}
void title(const Row& row, Timestamp, ValueSink& sink) {
    if (row.verdict) tell(sink, row.verdict->title);
}
void why(const Row& row, Timestamp, ValueSink& sink) {
    if (row.verdict) tell(sink, row.verdict->short_why);
}

void peer_address(const Row& row, Timestamp, ValueSink& sink) {
    if (row.session && row.session->client.port != 0) sink.on({.address = row.session->client.address});
}
void peer_port(const Row& row, Timestamp, ValueSink& sink) {
    if (row.session && row.session->client.port != 0) tell_number(sink, row.session->client.port);
}
void local_address(const Row& row, Timestamp, ValueSink& sink) {
    if (row.session && row.session->server.port != 0) sink.on({.address = row.session->server.address});
    if (row.port && !(row.verdict && is_unix(row.verdict->transport))) sink.on({.address = row.port->local.address});
}
void local_port(const Row& row, Timestamp, ValueSink& sink) {
    if (row.session && row.session->server.port != 0) tell_number(sink, row.session->server.port);
    if (row.port && row.port->local.port != 0) tell_number(sink, row.port->local.port);
}
void port(const Row& row, Timestamp now, ValueSink& sink) {
    local_port(row, now, sink);
    if (!row.chain) return;
    for (const Hop& each : row.chain->hops) {
        if (each.server.port != 0) tell_number(sink, each.server.port);
    }
}
void frame(const Row& row, Timestamp, ValueSink& sink) {
    const auto tell_frame = [&](std::uint64_t number) {
        if (number != 0) tell_count(sink, number);
    };
    if (row.finding) {
        tell_frame(row.finding->frame);
    } else if (row.session) {
        tell_frame(row.session->first_frame);
        tell_frame(row.session->answer_frame);
        tell_frame(row.session->last_frame);
    }
}

void request_method(const Row& row, Timestamp, ValueSink& sink) {
    if (row.session) tell(sink, row.session->method);
}
void request_path(const Row& row, Timestamp, ValueSink& sink) {
    if (row.session && !row.session->target.empty()) tell(sink, shown_target(row.session->target, Reveal{}));
}
void request_status(const Row& row, Timestamp, ValueSink& sink) {
    if (row.session && row.session->status != 0) tell_number(sink, row.session->status);
}
void refusal(const Row& row, Timestamp, ValueSink& sink) {
    if (row.session && !row.session->refusal.empty())
        tell(sink, shown_status_text(row.session->refusal.raw(), Reveal{}));
}
void subprotocol(const Row& row, Timestamp, ValueSink& sink) {
    if (row.session) tell(sink, row.session->subprotocol);
}

void gaps(const Row& row, Timestamp, ValueSink& sink) {
    if (row.session) tell_number(sink, row.session->gaps);
}
void missing(const Row& row, Timestamp, ValueSink& sink) {
    if (row.session) tell_count(sink, row.session->missing_bytes);
}
void complete(const Row& row, Timestamp, ValueSink& sink) {
    if (row.session) tell_number(sink, row.session->complete ? 1 : 0);
}
void tty(const Row& row, Timestamp, ValueSink& sink) {
    if (row.session && row.session->tty) tell_number(sink, *row.session->tty ? 1 : 0);
}
void tls(const Row& row, Timestamp, ValueSink& sink) {
    if (row.session) tell_number(sink, row.session->tls ? 1 : 0);
}

void user_agent(const Row& row, Timestamp, ValueSink& sink) {
    if (row.session) tell(sink, row.session->user_agent);
    if (row.chain) tell(sink, row.chain->user_agent);
}
void kubectl_session(const Row& row, Timestamp, ValueSink& sink) {
    if (row.session) tell(sink, row.session->kubectl_session);
    if (row.chain) tell(sink, row.chain->kubectl_session);
}
void kubectl_command(const Row& row, Timestamp, ValueSink& sink) {
    if (row.session) tell(sink, row.session->kubectl_command);
    if (row.chain) tell(sink, row.chain->kubectl_command);
}
void forwarded_for(const Row& row, Timestamp, ValueSink& sink) {
    if (!row.session) return;
    for (const Untrusted& each : row.session->forwarded_for) {
        if (const auto address = IpAddress::parse(each.raw())) sink.on({.address = *address});
    }
}

}  // namespace hopscope::chain::field
