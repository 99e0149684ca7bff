// Text inside a Mermaid diagram. Mermaid reads '#…;' as an entity, ';' as an end of line, '%%' as a comment, '<' and
// '>' as tags and arrows: everything that is not known to be harmless is written as a number.
#pragma once

#include <string>
#include <string_view>

namespace hopscope::exports {

// `printable` has been through display().
std::string mermaid_text(std::string_view printable);

}  // namespace hopscope::exports
