// `hopscope ports --watch`: the listeners as they come and go, and the connections to those that were asked for.
//
// With the eBPF watcher every connection is told, also one of a millisecond, with the owners of both ends; of a unix
// socket when it is accepted, and its end at the next look. Without it the node is looked at again and again, and what
// is shorter than the interval is missed: the first line says so.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "chain/model.h"
#include "cli/node_reader.h"
#include "cli/ports.h"
#include "cli/ports_match.h"
#include "core/result.h"
#include "export/style.h"

namespace hopscope::cli {

struct WatchRequest {
    NodeReader& reader;
    PortChoice choice;
    std::vector<PortQuery> queries;  // empty: listeners only, no connections
    const chain::Model* traffic = nullptr;
    exports::Style style;
    bool ndjson = false;
    std::int64_t interval_ms = 1000;
    std::string ebpf;  // auto, off, require
};

// "" → 1 s; "0.5", "2" → milliseconds; at least 50 ms, at most an hour.
Result<std::int64_t> watch_interval(const std::string& text);
// Until ^C (exit 0) or until nobody reads any more.
int watch_ports(WatchRequest request);

}  // namespace hopscope::cli
