#include "export/table.h"

#include <gtest/gtest.h>

namespace hopscope::exports {
namespace {

Table ports() {
    Table table({{.title = "ADDRESS", .when_empty = true},
                 {.title = "SEEN", .align = Column::Align::right, .leaves = 1},
                 {.title = "NOTE"},
                 {.title = "WHY", .shortest = 8, .leaves = 2}});
    table.row({std::string("127.0.0.1:42313"), std::string("12"), std::string("-"),
               std::string("three requests for /exec/{token}  ")});
    table.row({std::string("[::1]:10010"), std::string("1"), std::string(""), std::string("東京")});
    return table;
}

TEST(Table, lines_up_its_columns_and_leaves_out_empty_ones) {
    EXPECT_EQ(ports().lines(Style{}, 0),
              (std::vector<std::string>{"ADDRESS          SEEN  WHY",  //
                                        "127.0.0.1:42313    12  three requests for /exec/{token}",
                                        "[::1]:10010         1  東京"}));
}

TEST(Table, shortens_first_then_drops_columns_and_never_passes_the_width) {
    EXPECT_EQ(ports().lines(Style{}, 33)[1], "127.0.0.1:42313    12  thre…oken}");
    EXPECT_EQ(ports().lines(Style{}, 30)[1], "127.0.0.1:42313  three …token}");
    EXPECT_EQ(ports().lines(Style{}, 20)[1], "127.0.0.1:42313");
    for (std::size_t columns = 15; columns < 70; ++columns)
        for (const std::string& line : ports().lines(Style{}, columns)) EXPECT_LE(display_width(line), columns);
}

TEST(Table, a_wide_cell_may_stand_above_its_row) {
    Table table({{.title = "PLACE", .own_line = 10}, {.title = "WHO"}});
    table.row({std::string("/a/path/that/is/long"), std::string("one")});
    table.row({std::string("*:10250"), std::string("two")});
    EXPECT_EQ(table.lines(Style{}, 30),
              (std::vector<std::string>{"PLACE    WHO", "/a/path/that/is/long", "         one", "*:10250  two"}));
    EXPECT_EQ(table.lines(Style{}, 0)[1], "/a/path/that/is/long  one") << "for other programs a row is a line";
}

TEST(Table, one_endless_cell_does_not_blow_up_the_others) {
    Table table({{.title = "A"}, {.title = "B"}});
    table.row({std::string(100'000, 'x'), std::string("y")});
    table.row({std::string("z"), std::string("y")});
    for (const std::string& line : table.lines(Style{}, 0)) EXPECT_LT(line.size(), kCellColumnsMax + 10);
    EXPECT_LT(table.markdown().size(), 500U);
}

TEST(Table, colour_does_not_disturb_the_layout) {
    Style style;
    style.colour = true;
    Table table({{.title = "A"}, {.title = "B"}});
    table.row({Cell("bad", Tone::bad), Cell("ok", Tone::good)});
    EXPECT_EQ(table.lines(style, 0)[1], "\x1b[1;31mbad\x1b[0m  \x1b[34mok\x1b[0m");
}

TEST(Markdown, escapes_what_github_would_read) {
    EXPECT_EQ(markdown_text("a|b `c` *d* _e_ <f> [g] #h ~i~ & \\"),
              "a\\|b \\`c\\` \\*d\\* \\_e\\_ &lt;f&gt; \\[g\\] \\#h \\~i\\~ &amp; \\\\");
    EXPECT_EQ(ports().markdown(),
              "| ADDRESS | SEEN | WHY |\n| --- | ---: | --- |\n"
              "| 127.0.0.1:42313 | 12 | three requests for /exec/{token} |\n| \\[::1\\]:10010 | 1 | 東京 |\n");
}

}  // namespace
}  // namespace hopscope::exports
