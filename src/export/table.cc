#include "export/table.h"

#include <algorithm>
#include <numeric>

namespace hopscope::exports {
namespace {

constexpr std::size_t kBetween = 2;  // spaces between columns

std::size_t total(const std::vector<std::size_t>& used, const std::vector<std::size_t>& widths) {
    std::size_t sum = used.empty() ? 0 : (used.size() - 1) * kBetween;
    for (const std::size_t column : used) sum += widths[column];
    return sum;
}

// Shortens what may be shortened, the widest first, until the table fits or nothing more can be taken.
void shorten(const std::vector<Column>& columns, const std::vector<std::size_t>& used, std::size_t room,
             std::vector<std::size_t>& widths) {
    for (std::size_t sum = total(used, widths); sum > room; --sum) {
        std::size_t best = columns.size();
        for (const std::size_t column : used) {
            const std::size_t floor = std::max(columns[column].shortest, display_width(columns[column].title));
            if (columns[column].shortest == 0 || widths[column] <= floor) continue;
            if (best == columns.size() || widths[column] > widths[best]) best = column;
        }
        if (best == columns.size()) return;
        --widths[best];
    }
}

// Leaves out the column that is to leave first; false when all that are left must stay.
bool leave_one_out(const std::vector<Column>& columns, std::vector<std::size_t>& used) {
    auto first = used.end();
    for (auto it = used.begin(); it != used.end(); ++it)
        if (columns[*it].leaves != 0 && (first == used.end() || columns[*it].leaves < columns[*first].leaves))
            first = it;
    if (first == used.end()) return false;
    used.erase(first);
    return true;
}

}  // namespace

void Table::row(std::vector<Cell> cells) {
    for (Cell& cell : cells) cell.text.erase(cell.text.find_last_not_of(' ') + 1);
    rows_.push_back(std::move(cells));
}

const Cell* Table::cell(std::size_t row, std::size_t column) const {
    return column < rows_[row].size() ? &rows_[row][column] : nullptr;
}

std::vector<std::size_t> Table::used_columns() const {
    std::vector<std::size_t> used;
    for (std::size_t column = 0; column < columns_.size(); ++column) {
        bool says_something = columns_[column].when_empty;
        for (std::size_t row = 0; row < rows_.size() && !says_something; ++row) {
            const Cell* found = cell(row, column);
            says_something = found && !found->text.empty() && found->text != "-";
        }
        if (says_something) used.push_back(column);
    }
    return used;
}

bool Table::has_own_line(const Cell& cell, std::size_t column) const {
    return columns_[column].own_line != 0 && display_width(cell.text) > columns_[column].own_line;
}

std::vector<std::size_t> Table::natural_widths(bool own_lines) const {
    std::vector<std::size_t> widths;
    for (std::size_t column = 0; column < columns_.size(); ++column) {
        std::size_t width = display_width(columns_[column].title);
        for (std::size_t row = 0; row < rows_.size(); ++row) {
            const Cell* found = cell(row, column);
            if (found && !(own_lines && has_own_line(*found, column)))
                width = std::max(width, display_width(found->text));
        }
        widths.push_back(std::min(width, kCellColumnsMax));
    }
    return widths;
}

std::vector<std::string> Table::lines(const Style& style, std::size_t columns) const {
    std::vector<std::size_t> used = used_columns();
    const bool own_lines = columns != 0;
    std::vector<std::size_t> widths = natural_widths(own_lines);
    if (columns != 0) {
        const std::vector<std::size_t> natural = widths;
        for (shorten(columns_, used, columns, widths);
             total(used, widths) > columns && leave_one_out(columns_, used);) {
            widths = natural;  // the column that left may have made room for the others
            shorten(columns_, used, columns, widths);
        }
    }
    std::vector<std::string> out;
    const auto add_line = [&](const auto& cell_of) {
        std::string line;
        std::size_t owed = 0;  // spaces that are written only when something follows them
        for (std::size_t i = 0; i < used.size(); ++i) {
            const Cell cell = cell_of(used[i]);
            std::string text = elide_middle(cell.text, widths[used[i]], style.glyphs);
            const std::size_t pad = widths[used[i]] - std::min(widths[used[i]], display_width(text));
            const bool right = columns_[used[i]].align == Column::Align::right;
            if (!text.empty()) {
                line.append(owed + (right ? pad : 0), ' ');
                line += style.paint(std::move(text), cell.tone);
                owed = right ? 0 : pad;
            } else {
                owed += pad;
            }
            owed += kBetween;
        }
        out.push_back(std::move(line));
    };
    const bool titled = std::any_of(columns_.begin(), columns_.end(), [](const Column& c) { return !c.title.empty(); });
    if (titled) add_line([&](std::size_t column) { return Cell(columns_[column].title, Tone::faint); });
    for (std::size_t row = 0; row < rows_.size(); ++row) {
        const auto stands_above = [&](std::size_t column) {
            const Cell* found = cell(row, column);
            return own_lines && found && has_own_line(*found, column);
        };
        for (const std::size_t column : used) {
            if (!stands_above(column)) continue;
            const Cell& above = *cell(row, column);
            out.push_back(style.paint(elide_middle(above.text, kCellColumnsMax, style.glyphs), above.tone));
        }
        add_line([&](std::size_t column) {
            const Cell* found = cell(row, column);
            return found && !stands_above(column) ? *found : Cell();
        });
    }
    return out;
}

std::string markdown_text(std::string_view printable) {
    std::string out;
    for (const char c : printable) {
        switch (c) {
            case '<': out += "&lt;"; break;
            case '>': out += "&gt;"; break;
            case '&': out += "&amp;"; break;
            case '\\':
            case '`':
            case '*':
            case '_':
            case '[':
            case ']':
            case '|':
            case '~':
            case '#': out += '\\'; [[fallthrough]];
            default: out += c;
        }
    }
    return out;
}

std::string Table::markdown() const {
    const std::vector<std::size_t> used = used_columns();
    std::string out = "|", rule = "|";
    for (const std::size_t column : used) {
        out += " " + markdown_text(columns_[column].title) + " |";
        rule += columns_[column].align == Column::Align::right ? " ---: |" : " --- |";
    }
    out += "\n" + rule + "\n";
    for (std::size_t row = 0; row < rows_.size(); ++row) {
        out += "|";
        for (const std::size_t column : used) {
            const Cell* found = cell(row, column);
            out += " " + (found ? markdown_text(elide_middle(found->text, kCellColumnsMax)) : std::string()) + " |";
        }
        out += "\n";
    }
    return out;
}

}  // namespace hopscope::exports
