// `hopscope ports -o json` and `hopscope why -o json`: one document hopscope.ports/v1 with the port objects of the JSON
// contract (docs/ARCHITECTURE.md), everything that a verdict holds. Schema: `hopscope schema ports`.
#pragma once

#include "chain/verdict.h"
#include "export/json_writer.h"

namespace hopscope::exports {

// What the document says about how it was made.
struct NodeFacts {
    Timestamp at;
    Timestamp booted;                 // the node; 0: unknown
    std::string method;               // SocketTable::method
    std::vector<std::string> limits;  // what could not be seen
    std::size_t listening = 0;        // listeners there are, shown or not
    std::uint64_t owners_unknown = 0;
    std::size_t findings_hidden = 0;  // of listeners that are not shown
};

void write_ports_json(Output& out, const chain::Judgement& shown, const NodeFacts& facts);
// The object of one port, as an item of an array or as a member.
void port_item(JsonWriter& json, const chain::Verdict& verdict);
void port_member(JsonWriter& json, std::string_view key, const chain::Verdict& verdict);
// "process": pid, comm, exe; nothing for pid 0. Arguments are never told: they may hold secrets.
void process_member(JsonWriter& json, std::string_view key, const chain::Process& process);

}  // namespace hopscope::exports
