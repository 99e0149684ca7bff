// Lines of `hopscope ports --watch`: for people, and as hopscope.watch/v1 objects (`hopscope schema watch`).
//
// Objects begin with schema, kind, ts, seq. Kinds: watch.start (first: how it is done, and what is therefore missed),
// port (there at the beginning), port.open, port.close, connection.open, connection.close, watch.end (last).
#pragma once

#include <string>
#include <vector>

#include "chain/verdict.h"
#include "core/node_event.h"
#include "export/json_writer.h"
#include "export/output.h"
#include "export/style.h"

namespace hopscope::exports {

class WatchLines {
public:
    // What is begun with: how listeners and connections are seen.
    struct Start {
        Timestamp at;
        std::string method;               // "eBPF", "polling"
        Duration interval;                // between two looks
        std::vector<std::string> limits;  // what is missed, what cannot be seen
    };
    enum class Port : std::uint8_t { there, opened, closed };

    WatchLines(Output& out, const Style& style, bool ndjson) : out_(out), style_(style), ndjson_(ndjson) {}

    void start(const Start& start);
    void port(Port what, const chain::Verdict& verdict, Timestamp at);
    // opened or closed; other kinds write nothing. `path`: of the unix socket, else empty.
    void connection(const SocketLife& life, std::string_view path);
    void end(Timestamp at, std::uint64_t lost);

private:
    void begin(JsonWriter& json, std::string_view kind, Timestamp at);
    void line(const std::string& text);

    Output& out_;
    Style style_;
    bool ndjson_;
    std::uint64_t sequence_ = 0;
};

}  // namespace hopscope::exports
