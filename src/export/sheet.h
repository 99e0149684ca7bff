// A page of titled sections: the title stands in a margin on the left, or above where the terminal is narrow.
#pragma once

#include <string>
#include <vector>

#include "export/output.h"
#include "export/style.h"

namespace hopscope::exports {

class Sheet {
public:
    Sheet(Output& out, const Style& style) : out_(out), style_(style) {}

    // Width that lines of a section may take; 0: no limit.
    [[nodiscard]] std::size_t room() const;
    // Starts a section; a blank line comes before it, except at the top of the page.
    void section(std::string_view title);
    // One line of the section; must fit room().
    void line(std::string_view text);
    void lines(const std::vector<std::string>& all);
    // A sentence, broken at spaces to fit; further lines are indented by `hanging` columns. `first` is put in front of
    // the first line (it may be painted) and takes `first_columns`.
    void sentence(std::string_view text, std::size_t hanging = 0, std::string_view first = {},
                  std::size_t first_columns = 0);

private:
    [[nodiscard]] bool narrow() const;
    [[nodiscard]] std::size_t margin() const;

    Output& out_;
    const Style& style_;
    std::string title_;  // not yet written
    bool begun_ = false;
};

// Breaks printable text at spaces into pieces of at most `columns` columns (longer words stay whole and are cut by
// nobody); 0: one piece.
std::vector<std::string> wrap(std::string_view text, std::size_t columns);

}  // namespace hopscope::exports
