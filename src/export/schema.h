// The JSON Schema documents (draft 2020-12) of everything that hopscope writes as JSON: `hopscope schema NAME`.
// Made from the tables in schema_tables.cc; tests check every golden output against them, in both directions.
#pragma once

#include <optional>
#include <string_view>

#include "export/output.h"

namespace hopscope::exports {

enum class SchemaName { report, event, fields, otel, ports, watch, graph, doctor, codes };
std::optional<SchemaName> schema_named(std::string_view name);  // "report", "event" …

// One readable document with a line feed at its end. `otel` is no schema but the table of OpenTelemetry attribute
// names.
void write_schema(Output& out, SchemaName name);
// False: there is no schema of that name.
bool write_schema(Output& out, std::string_view name);

}  // namespace hopscope::exports
