// The graph of processes and sockets as text, Graphviz, Mermaid and JSON.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "export/fixture.h"
#include "export/golden.h"
#include "export/graph_text.h"
#include "export/node_fixture.h"
#include "export/schema.h"
#include "export/schema_check.h"

namespace hopscope::exports {
namespace {

using nlohmann::json;
using test::expect_golden;
using test::hostile_graph;
using test::node_graph;
using test::only_printable;
using testing::HasSubstr;

template <typename Write>
std::string written(Write write) {
    StringOutput out;
    write(out);
    return out.text();
}

std::string text(const chain::Graph& graph, std::size_t columns = 0, Glyphs glyphs = Glyphs::unicode) {
    return written([&](Output& out) { write_graph_text(out, graph, {.glyphs = glyphs, .columns = columns}); });
}
std::string dot(const chain::Graph& graph) {
    return written([&](Output& out) { write_graph_dot(out, graph); });
}
std::string mermaid(const chain::Graph& graph) {
    return written([&](Output& out) { write_graph_mermaid(out, graph); });
}
std::string document(const chain::Graph& graph) {
    return written([&](Output& out) {
        write_graph_json(out, graph, {.at = test::at(0), .method = "iter/task_file", .limits = {"a limit"}});
    });
}

TEST(Graph, golden) {
    expect_golden("node.graph.txt", text(node_graph()));
    expect_golden("node.80.ascii.graph.txt", text(node_graph(), 80, Glyphs::ascii));
    expect_golden("node.graph.dot", dot(node_graph()));
    expect_golden("node.graph.mmd", mermaid(node_graph()));
    expect_golden("node.graph.json", document(node_graph()));
    expect_golden("graph.schema.json", written([](Output& out) { write_schema(out, SchemaName::graph); }));
}

TEST(Graph, json_is_valid) {
    test::SchemaCheck check(json::parse(written([](Output& out) { write_schema(out, SchemaName::graph); })));
    for (const chain::Graph& graph : {node_graph(), hostile_graph(), chain::Graph{}})
        for (const std::string& problem : check.problems(json::parse(document(graph)))) ADD_FAILURE() << problem;
}

TEST(Graph, hostile_names_stay_inside_their_label) {
    EXPECT_TRUE(only_printable(text(hostile_graph())));
    EXPECT_TRUE(only_printable(mermaid(hostile_graph())));
    const std::string drawn = dot(hostile_graph());
    EXPECT_TRUE(only_printable(drawn));
    // Every quote that is not escaped opens or closes a label of ours: an even number on each line.
    std::size_t quotes = 0;
    for (std::size_t i = 0; i < drawn.size(); ++i) {
        if (drawn[i] == '\\') {
            ++i;
        } else if (drawn[i] == '"') {
            ++quotes;
        } else if (drawn[i] == '\n') {
            EXPECT_EQ(quotes % 2, 0U);
            quotes = 0;
        }
    }
    // An edge to a node that is not there is left out of diagrams, and nothing of a label can be one.
    const std::string flow = mermaid(hostile_graph());
    EXPECT_EQ(std::count(flow.begin(), flow.end(), '\n'), 6);
    EXPECT_EQ(flow.find("<b>"), std::string::npos);
}

TEST(Graph, an_empty_one_says_so) { EXPECT_THAT(text({}), HasSubstr("--all")); }

TEST(Graph, graphviz_reads_it) {
    if (std::system("command -v dot >/dev/null 2>&1") != 0) GTEST_SKIP() << "graphviz is not installed";
    for (const chain::Graph& graph : {node_graph(), hostile_graph()}) {
        const std::string file = testing::TempDir() + "hopscope-graph.dot";
        std::FILE* out = std::fopen(file.c_str(), "w");
        ASSERT_NE(out, nullptr);
        std::fputs(dot(graph).c_str(), out);
        std::fclose(out);
        EXPECT_EQ(std::system(("dot -Tplain " + file + " >/dev/null").c_str()), 0);
    }
}

}  // namespace
}  // namespace hopscope::exports
