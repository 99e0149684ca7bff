// Numbers for people: short, the same width of meaning everywhere. JSON never uses these.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "chain/model.h"
#include "core/time.h"

namespace hopscope::exports {

std::string grouped(std::uint64_t count);      // "5,119"
std::string short_count(std::uint64_t bytes);  // "512" "9.0k" "88k" "1.2M": decimal, at most four characters
std::string file_size(std::uint64_t bytes);    // "96 B" "1.2 MiB"
std::string short_duration(Duration span);     // "0.3ms" "41.2ms" "420ms" "2.1s" "102s" "12m03s" "4h02m"
// "1 session", "3 sessions" (words that take an s).
std::string counted(std::uint64_t count, const char* word);
std::string date_time(Timestamp at);  // "2022-05-07 09:06:30"
std::string clock_ms(Timestamp at);   // "09:06:32.185"

// Names of the model as people write them.
std::string proto_name(chain::Proto proto);  // "SPDY/3.1"; "-" for unknown
std::string op_name(chain::Op op);           // "exec"; "-" for unknown
// How a session came out, in a word or two: "exit 0", "HTTP 404", "open", "reset", "failed", "closed".
std::string outcome(const chain::Session& session);
// "default/web-0 nginx", sanitised; empty when nothing is known.
std::string pod_name(const chain::K8sNames& names, Glyphs glyphs);
// Role of a port in words: "CRI streaming server"; roles that are not in the table come back as they are.
std::string role_name(const std::string& role);
bool has_role_name(std::string_view role);  // is in the table

}  // namespace hopscope::exports
