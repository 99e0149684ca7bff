// A parsed filter: what the parser makes and the evaluation walks. Internal to chain/filter*.cc.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "chain/fields.h"
#include "chain/filter.h"
#include "chain/filter_value.h"

namespace re2 {
class RE2;
}

namespace hopscope::chain {

enum class CompareOp { equal, not_equal, less, less_equal, greater, greater_equal, matches, not_matches, has, in };

// One test or word. `leaf` counts for it.
struct FilterTest {
    const Field* field = nullptr;  // a test
    const Flag* flag = nullptr;    // a word that is a flag
    CompareOp op = CompareOp::equal;
    std::vector<FilterValue> values;  // one; `in`: several; a word that is no flag: its text
    std::shared_ptr<const re2::RE2> pattern;
};

struct FilterNode {
    enum class Kind { all, any, none, test };  // and, or, not, a leaf
    Kind kind = Kind::test;
    std::vector<FilterNode> children;  // depth is bounded by the parser
    std::size_t test = 0;              // position in FilterTree::tests
};

struct FilterTree {
    FilterNode root;
    std::vector<FilterTest> tests;
    std::vector<Filter::Leaf> leaves;  // one for each test
};

Result<FilterTree> parse_filter(std::string_view text);

}  // namespace hopscope::chain
