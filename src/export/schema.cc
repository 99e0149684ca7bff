#include "export/schema.h"

#include <vector>

#include "chain/fields.h"
#include "export/json_writer.h"
#include "export/schema_node.h"
#include "export/schema_tables.h"

namespace hopscope::exports {
namespace {

// RFC 3339 in UTC with nine digits.
constexpr std::string_view kTimePattern = "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{9}Z$";

struct Type {
    std::string_view word, argument;  // "enum", "a|b|c"
    bool array = false, required = false;
};

Type parse(std::string_view text) {
    Type type;
    if (text.ends_with('!')) {
        type.required = true;
        text.remove_suffix(1);
    }
    if (text.starts_with("[]")) {
        type.array = true;
        text.remove_prefix(2);
    }
    const std::size_t space = text.find(' ');
    type.word = text.substr(0, space);
    if (space != std::string_view::npos) type.argument = text.substr(space + 1);
    return type;
}

void type_members(JsonWriter& json, const Type& type) {
    if (type.word == "ref") {
        json.text("$ref", "#/$defs/" + std::string(type.argument));
    } else if (type.word == "enum") {
        json.begin_array("enum");
        for (std::string_view rest = type.argument; !rest.empty();) {
            const std::size_t bar = rest.find('|');
            json.item(rest.substr(0, bar));
            rest = bar == std::string_view::npos ? std::string_view{} : rest.substr(bar + 1);
        }
        json.end_array();
    } else if (type.word == "time") {
        json.text("type", "string");
        json.text("format", "date-time");
        json.text("pattern", kTimePattern);
    } else if (type.word == "counters") {
        json.text("type", "object");
        json.begin_object("additionalProperties");
        json.text("type", "integer");
        json.number("minimum", 0);
        json.end_object();
    } else {
        json.text("type", type.word == "text" ? std::string_view{"string"} : type.word);
    }
}

void property(JsonWriter& json, std::string_view name, const Type& type, std::string_view about) {
    json.newline();
    json.begin_object(name);
    if (type.array) {
        json.text("type", "array");
        json.begin_object("items");
        type_members(json, type);
        json.end_object();
    } else {
        type_members(json, type);
    }
    json.text_if("description", about);
    json.end_object();
}

void properties(JsonWriter& json, std::span<const Property> list) {
    for (const Property& entry : list) {
        const Type type = parse(entry.type);
        property(json, entry.name, type, entry.about);
        if (type.word != "text") continue;
        const Type encoded{.word = "string", .argument = "", .array = type.array, .required = false};
        property(json, std::string(entry.name) + "_b64", encoded, "instead of it, in base64, where it is not UTF-8");
    }
}

// Text that may turn up as base64 is not required under one name.
void required_items(JsonWriter& json, std::span<const Property> list) {
    for (const Property& entry : list) {
        const Type type = parse(entry.type);
        if (type.required && type.word != "text") json.item(entry.name);
    }
}

void definition(JsonWriter& json, const Definition& object) {
    json.newline();
    json.begin_object(object.name);
    json.text("type", "object");
    json.text_if("description", object.about);
    json.begin_object("properties");
    properties(json, object.properties);
    json.end_object();
    json.begin_array("required");
    required_items(json, object.properties);
    json.end_array();
    json.end_object();
}

void head(JsonWriter& json, std::string_view id, std::string_view about) {
    json.begin_object();
    json.text("$schema", "https://json-schema.org/draft/2020-12/schema");
    json.newline();
    json.text("$id", "urn:" + std::string(id));
    json.newline();
    json.text("title", id);
    json.newline();
    json.text("description", about);
    json.newline();
    json.text("type", "object");
}

void root_members(JsonWriter& json, const Definition& root) {
    head(json, root.name, root.about);
    json.newline();
    json.begin_object("properties");
    properties(json, root.properties);
    json.end_object();
    json.newline();
    json.begin_array("required");
    required_items(json, root.properties);
    json.end_array();
    json.newline();
    json.begin_object("$defs");
}

void report_schema(JsonWriter& json) {
    root_members(json, report_definition());
    for (const Definition& object : object_definitions()) definition(json, object);
    json.end_object();
    json.end_object();
}

void document_schema(JsonWriter& json, const Document& document) {
    root_members(json, document.root);
    for (const Definition& object : document.objects) definition(json, object);
    for (const std::string_view name : document.shared) {
        for (const Definition& object : object_definitions())
            if (object.name == name) definition(json, object);
    }
    json.end_object();
    json.end_object();
}

// The members of one kind: those of its place, its own, and for capture.end those of the capture.
void event_definition(JsonWriter& json, const Definition& event) {
    std::vector<Property> members;
    const auto add = [&](std::span<const Property> more) { members.insert(members.end(), more.begin(), more.end()); };
    if (has_place(event.name)) add(place_members());
    if (event.name == "capture.end") add(capture_members_of_end());
    add(event.properties);
    const std::string name = "event." + std::string(event.name);
    definition(json, {name, members, event.about});
}

void event_schema(JsonWriter& json) {
    head(json, "hopscope.event/v1", "one line of hopscope observe -o json and hopscope analyze -o ndjson");
    json.newline();
    json.begin_object("properties");
    properties(json, common_event_members());
    json.end_object();
    json.newline();
    json.begin_array("required");
    required_items(json, common_event_members());
    json.end_array();
    json.newline();
    json.begin_array("allOf");
    for (const Definition& event : event_definitions()) {
        json.newline();
        json.begin_object();
        json.begin_object("if");
        json.begin_object("properties");
        json.begin_object("kind");
        json.text("const", event.name);
        json.end_object();
        json.end_object();
        json.end_object();
        json.begin_object("then");
        json.text("$ref", "#/$defs/event." + std::string(event.name));
        json.end_object();
        json.end_object();
    }
    json.end_array();
    json.newline();
    json.begin_object("$defs");
    for (const Definition& object : object_definitions()) definition(json, object);
    for (const Definition& event : event_definitions()) event_definition(json, event);
    json.end_object();
    json.end_object();
}

void otel_table(JsonWriter& json) {
    json.begin_object();
    json.text("schema", "hopscope.otel/v1");
    json.text("semconv", "1.44");
    json.newline();
    json.begin_array("attributes");
    for (const OtelName& row : otel_names()) {
        json.newline();
        json.begin_object();
        json.text("path", row.path);
        json.text("attribute", row.attribute);
        json.text("on", row.where);
        json.end_object();
    }
    json.end_array();
    json.end_object();
}

// The words of a blank-separated list.
void words(JsonWriter& json, std::string_view key, std::string_view list) {
    if (list.empty()) return;
    json.begin_array(key);
    while (!list.empty()) {
        const std::size_t blank = list.find(' ');
        if (blank != 0) json.item(list.substr(0, blank));
        list = blank == std::string_view::npos ? std::string_view{} : list.substr(blank + 1);
    }
    json.end_array();
}

void field_object(JsonWriter& json, const chain::Field& field) {
    json.newline();
    json.begin_object();
    json.text("name", field.name);
    words(json, "aliases", field.aliases);
    json.text_if("json", field.json);
    json.text("type", to_string(field.type));
    json.begin_array("views");
    for (const auto view :
         {chain::View::session, chain::View::stream, chain::View::finding, chain::View::port, chain::View::chain})
        if ((field.views & static_cast<std::uint8_t>(view)) != 0) json.item(to_string(view));
    json.end_array();
    words(json, "values", field.values);
    json.text_if("example", field.example);
    json.text("says", field.says);
    json.end_object();
}

void field_table(JsonWriter& json) {
    json.begin_object();
    json.text("schema", "hopscope.fields/v1");
    json.newline();
    json.begin_array("fields");
    for (const chain::Field& field : chain::fields()) field_object(json, field);
    json.end_array();
    json.newline();
    json.begin_array("flags");
    for (const chain::Flag& flag : chain::flags()) {
        json.newline();
        json.begin_object();
        json.text("name", flag.name);
        json.text("says", flag.says);
        json.end_object();
    }
    json.end_array();
    json.end_object();
}

}  // namespace

std::optional<SchemaName> schema_named(std::string_view name) {
    if (name == "report") return SchemaName::report;
    if (name == "event") return SchemaName::event;
    if (name == "fields") return SchemaName::fields;
    if (name == "otel") return SchemaName::otel;
    if (name == "ports") return SchemaName::ports;
    if (name == "watch") return SchemaName::watch;
    if (name == "graph") return SchemaName::graph;
    if (name == "doctor") return SchemaName::doctor;
    if (name == "codes") return SchemaName::codes;
    return std::nullopt;
}

void write_schema(Output& out, SchemaName name) {
    JsonWriter json(out);
    switch (name) {
        case SchemaName::report: report_schema(json); break;
        case SchemaName::event: event_schema(json); break;
        case SchemaName::fields: field_table(json); break;
        case SchemaName::otel: otel_table(json); break;
        case SchemaName::ports: document_schema(json, ports_document()); break;
        case SchemaName::watch: document_schema(json, watch_document()); break;
        case SchemaName::graph: document_schema(json, graph_document()); break;
        case SchemaName::doctor: document_schema(json, doctor_document()); break;
        case SchemaName::codes: document_schema(json, codes_document()); break;
    }
    out.append('\n');
}

bool write_schema(Output& out, std::string_view name) {
    const std::optional<SchemaName> known = schema_named(name);
    if (known) write_schema(out, *known);
    return known.has_value();
}

}  // namespace hopscope::exports
