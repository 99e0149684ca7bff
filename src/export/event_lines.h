// Events as lines for people, as they happen: "TIME SEV SESSION HOP EVENT detail" (`hopscope observe`).
//
// Times are UTC. Payload is summed up, at most one line per second, stream and direction; frames and HTTP heads have no
// line of their own (-o json has them). Lines about losses pass every filter. Everything from the wire goes through
// display() and the masks of chain/reveal.h. With Style::columns lines are cut to the terminal.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <tuple>

#include "chain/observer.h"
#include "chain/reveal.h"
#include "core/event.h"
#include "core/loss.h"
#include "export/ndjson.h"
#include "export/output.h"
#include "export/style.h"

namespace hopscope::exports {

struct EventLineOptions {
    Style style;
    chain::Reveal reveal;
    RowFilter filter;  // empty: everything is wanted
};

class EventLines final : public chain::Observer {
public:
    EventLines(Output& out, EventLineOptions options);

    void event(const Event& event, const chain::Place& place);
    // What was added since the last such line, at most once per second, unless it is the `last` one.
    void loss(const LossCounters& now, Timestamp at, bool last = false);
    void chain(const chain::Chain& chain, std::span<const chain::Session* const> sessions);
    // A process of a session started a program or ended.
    void process(const chain::Session& session, const chain::ProcessStep& step);
    // Sums that are due are told; call it every turn, and with everything at the end.
    void tell_data(Timestamp now, bool all);

    void session_opened(const chain::Session&, const chain::Place&) override;
    void stream_opened(const chain::Session&, const chain::Stream&, const chain::Place&) override;
    void stream_data(const chain::Session&, const chain::Stream&, Direction, Bytes, const chain::Place&) override;
    void stream_closed(const chain::Session&, const chain::Stream&, const chain::Place&) override;
    void resized(const chain::Session&, const chain::Stream&, const chain::Resize&, const chain::Place&) override;
    void session_ended(const chain::Session&, const chain::Place&) override;
    void finding(const chain::Finding&) override;

    [[nodiscard]] std::uint64_t lines() const { return lines_; }

private:
    struct Sum {
        StreamKind kind{};
        std::string session, hop, text;
        std::uint16_t port = 0;
        std::uint64_t bytes = 0, pieces = 0;
        Timestamp last;
        std::optional<Timestamp> told_at;
    };
    using SumKey = std::tuple<std::uint32_t, std::uint32_t, Direction>;  // session, stream, direction

    [[nodiscard]] bool wants(const chain::Session& session) const {
        return !options_.filter || options_.filter(&session, nullptr);
    }
    [[nodiscard]] std::string shown(const Untrusted& text) const { return display(text, options_.style.glyphs); }
    [[nodiscard]] std::string end_name(const std::optional<chain::Process>& process, const Endpoint& endpoint) const;
    void on(const CriMessage& message, const chain::Place& place);
    void on(const Gap& gap, const chain::Place& place);
    void on(const Problem& problem, const chain::Place& place);
    void line(Timestamp at, chain::Severity severity, std::string_view session, std::string_view hop,
              std::string_view event, std::string_view detail);
    void tell(const SumKey& key, Sum& sum);
    void end_data(std::uint32_t session, std::optional<std::uint32_t> stream);

    Output& out_;
    EventLineOptions options_;
    std::map<SumKey, Sum> sums_;
    std::map<std::uint32_t, std::string> session_of_slot_;  // sessions that are open, for gaps
    LossCounters told_loss_;
    std::optional<Timestamp> told_loss_at_;
    std::uint64_t lines_ = 0;
};

}  // namespace hopscope::exports
