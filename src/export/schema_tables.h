// Compact description of the JSON objects, from which the schema documents are made.
#pragma once

#include <span>
#include <string_view>

namespace hopscope::exports {

// `type`: text (a string; "<name>_b64" instead where the bytes are not UTF-8), string, time, integer, number, boolean,
// enum a|b|c, ref NAME, counters (an object of integers); [] in front makes an array of it; ! behind makes it required.
struct Property {
    std::string_view name, type, about;
};
struct Definition {
    std::string_view name;
    std::span<const Property> properties;
    std::string_view about;
};

// Objects by name; references point among these.
std::span<const Definition> object_definitions();
// The report itself: one definition.
const Definition& report_definition();
// Kinds of events; each has the members of its own behind the common ones.
std::span<const Definition> event_definitions();
// Members that every event has, and those of events that belong to a packet.
std::span<const Property> common_event_members();
std::span<const Property> place_members();
// What capture.end has of the report's capture object.
std::span<const Property> capture_members_of_end();
[[nodiscard]] bool has_place(std::string_view kind);

struct OtelName {
    std::string_view path, attribute, where;  // our JSON path, semantic convention or hopscope.*, resource or span
};
std::span<const OtelName> otel_names();

}  // namespace hopscope::exports
