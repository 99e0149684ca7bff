// A table of short texts, laid out for a terminal or written as a GitHub table.
//
// Cells hold printable text (already sanitised). On a limited width the table first shortens columns that may be
// shortened, then leaves out columns that may leave, lowest `leaves` first. On an unlimited width every column is
// there, and every row is one line.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "export/style.h"

namespace hopscope::exports {

// A cell is never wider, so that one hostile name cannot blow up every row; JSON has the whole text.
inline constexpr std::size_t kCellColumnsMax = 120;

struct Column {
    std::string title;
    enum class Align : std::uint8_t { left, right } align = Align::left;
    std::size_t shortest = 0;  // may be shortened down to this many columns of the terminal; 0: never
    unsigned leaves = 0;       // order in which columns leave when there is no room; 0: stays
    bool when_empty = false;   // stays although every cell is "" or "-"
    std::size_t own_line = 0;  // a wider cell stands on a line of its own, whole, above its row; 0: never
};

struct Cell {
    Cell() = default;
    Cell(std::string words, Tone how = Tone::plain) : text(std::move(words)), tone(how) {}
    std::string text;
    Tone tone = Tone::plain;
};

class Table {
public:
    explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

    // Spaces at the ends of cells are left out.
    void row(std::vector<Cell> cells);
    [[nodiscard]] bool empty() const { return rows_.empty(); }

    // Lines without line feeds and without spaces at their ends; the first is the header unless all titles are empty.
    // `columns`: width that the table may take, 0 for no limit.
    [[nodiscard]] std::vector<std::string> lines(const Style& style, std::size_t columns) const;
    // A GitHub table: header, rule, rows; each line ends with a line feed. Cells are escaped.
    [[nodiscard]] std::string markdown() const;

private:
    [[nodiscard]] std::vector<std::size_t> used_columns() const;
    // `own_lines`: without the cells that get a line of their own.
    [[nodiscard]] std::vector<std::size_t> natural_widths(bool own_lines) const;
    [[nodiscard]] bool has_own_line(const Cell& cell, std::size_t column) const;
    [[nodiscard]] const Cell* cell(std::size_t row, std::size_t column) const;

    std::vector<Column> columns_;
    std::vector<std::vector<Cell>> rows_;
};

// Printable text so that GitHub shows it as it is: Markdown's and HTML's own characters escaped.
std::string markdown_text(std::string_view printable);

}  // namespace hopscope::exports
