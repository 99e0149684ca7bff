// One chain, hop by hop: for people as a table with a waterfall and its evidence, for documents as a Mermaid diagram.
#pragma once

#include "export/output.h"
#include "export/report_tables.h"

namespace hopscope::exports {

// The chain that session `number` belongs to; null: none.
const chain::Chain* find_chain(const chain::Model& model, std::uint32_t session);

// What the hop table, the waterfall and the evidence say. Pointers into `model` are not kept.
void write_chain_text(Output& out, const chain::Model& model, const chain::Chain& chain, const ReportOptions& options);

// A Mermaid sequence diagram (mermaid.js.org/syntax/sequenceDiagram.html). All text is masked and made harmless:
// nothing from the wire can end a line, open a directive or a tag.
void write_chain_mermaid(Output& out, const chain::Model& model, const chain::Chain& chain,
                         const ReportOptions& options);

// Pieces that both share.
std::string hop_name(const chain::Hop& hop);                      // "runtime", "?" where unknown
std::string hop_link(const chain::Hop& hop, const Style& style);  // "127.0.0.1:54766 → :33821", "unix containerd.sock"
const chain::Session* find_session(const chain::Model& model, std::uint32_t number);

}  // namespace hopscope::exports
