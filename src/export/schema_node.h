// Descriptions of the documents about the node: hopscope.ports/v1, hopscope.watch/v1, hopscope.graph/v1,
// hopscope.doctor/v1, hopscope.codes/v1.
#pragma once

#include "export/schema_tables.h"

namespace hopscope::exports {

// A document and the objects it refers to; objects that it shares with the report are named and taken from there.
struct Document {
    Definition root;
    std::span<const Definition> objects;
    std::span<const std::string_view> shared;
};
const Document& ports_document();
const Document& watch_document();
const Document& graph_document();
const Document& doctor_document();
const Document& codes_document();

}  // namespace hopscope::exports
