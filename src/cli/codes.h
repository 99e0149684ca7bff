// Every code that hopscope prints: what it means and what to do. `hopscope doctor CODE` and `hopscope help CODE` show
// it; a test looks for codes in the source that have no entry. A code is never used again for something else.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "export/doctor.h"

namespace hopscope::cli {

using exports::CodePage;

std::span<const CodePage> codes();
const CodePage* find_code(std::string_view code);  // "prt-01" will do
std::string code_page(const CodePage& page);       // as it is printed
std::string codes_list();                          // one line each

}  // namespace hopscope::cli
