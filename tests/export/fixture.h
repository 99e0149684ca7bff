// Models and events that have every feature the exports can meet.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "chain/model.h"
#include "export/ndjson.h"

namespace hopscope::exports::test {

// Secrets that are planted in the models and events below. By default none of them, no tail of a token and no piece of
// their base64 may leave in any format.
inline constexpr std::string_view kPassword = "hunter2";
inline constexpr std::string_view kBearer = "eyJhbGciOiJub25lIn0.c2VjcmV0";
inline constexpr std::string_view kToken = "6NLIqZk9";
inline constexpr std::string_view kOtherToken = "Hs1kvD20xW";
std::vector<std::string> planted_secrets();

// A node with a refused WebSocket attempt, an exec, a port-forward with a refused port, and findings: no hostile text.
chain::Model node_model();
// An exec of Docker, seen on its unix socket by a live run: its chain says what is not there.
chain::Model docker_model();
// One session and one chain in which every text is hostile: ESC, \r, bidi, bytes that are no UTF-8, markup.
chain::Model hostile_model();

// Tells `ndjson` a whole run: start, every kind of event, the sessions and findings of `model`, end.
void tell_everything(Ndjson& ndjson, const chain::Model& model);

Timestamp at(double seconds_after_start);  // 2026-11-21T17:01:43Z and so many seconds
Endpoint endpoint(const char* address, std::uint16_t port);

}  // namespace hopscope::exports::test
