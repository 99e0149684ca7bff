// The objects of the JSON contract (docs/ARCHITECTURE.md), one function each. A report, an NDJSON line and an HTTP
// answer carry the same object because they call the same function.
//
// The ..._members functions write members into the object that the caller has opened. Secrets pass through
// chain/reveal.h; what `reveal` does not show does not leave this file.
#pragma once

#include "chain/model.h"
#include "chain/reveal.h"
#include "export/json_writer.h"

namespace hopscope::exports {

struct JsonOptions {
    chain::Reveal reveal;
    bool several_files = false;  // then objects say which file (counted from 0) a frame number belongs to
};

void session_members(JsonWriter& json, const chain::Session& session, const JsonOptions& options);
void stream_object(JsonWriter& json, const chain::Stream& stream, const JsonOptions& options);
void finding_members(JsonWriter& json, const chain::Finding& finding, const JsonOptions& options);
void port_object(JsonWriter& json, const chain::PortFact& port);
void chain_object(JsonWriter& json, const chain::Chain& chain, const JsonOptions& options);
void chain_members(JsonWriter& json, const chain::Chain& chain, const JsonOptions& options);
// pid, comm, exe, its command as `reveal` allows, of a process that a session's process ran.
void ran_process_members(JsonWriter& json, const chain::RanProcess& ran, const chain::Reveal& reveal);
// "from" and "to": the processes at both ends, where known.
void ends_members(JsonWriter& json, const chain::Session& session);
// "client" and "server", or "unix"; and the processes.
void connection_members(JsonWriter& json, const chain::Session& session);
void file_object(JsonWriter& json, const chain::FileFact& file);
void capture_members(JsonWriter& json, const chain::Model& model);

// Nothing for an empty list, or names of which none is known.
void evidence_array(JsonWriter& json, std::string_view key, const std::vector<chain::Evidence>& list);
void k8s_member(JsonWriter& json, const chain::K8sNames& names);
// "container", by its id alone, and "k8s".
void container_and_pod(JsonWriter& json, const std::string& container_id, const chain::K8sNames& names);
void endpoint_member(JsonWriter& json, std::string_view key, const Endpoint& endpoint);
void bytes_member(JsonWriter& json, const chain::ByteCounts& bytes);
void token_member(JsonWriter& json, const chain::Token& token, const chain::Reveal& reveal);
void loss_member(JsonWriter& json, std::string_view key, const LossCounters& loss);
std::string_view stream_state_name(chain::Stream::State state);  // "half_closed"
// "in" (toward the container) or "out".
std::string_view direction_name(Direction direction);

// Writes `raw` as it came when nothing of it had to be hidden, else `shown` (the masked, printable form of it).
void masked_text(JsonWriter& json, std::string_view key, std::string_view raw, const std::string& shown);

}  // namespace hopscope::exports
