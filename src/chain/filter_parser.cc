#include <re2/re2.h>

#include <algorithm>

#include "chain/filter_lexer.h"
#include "chain/filter_tree.h"
#include "core/limits.h"
#include "core/untrusted.h"

namespace hopscope::chain {
namespace {

constexpr std::int64_t kRegexMemoryBytes = 1 << 20;  // RE2's program and caches of one expression

std::string in_quotes(std::string_view text) { return "'" + display(text) + "'"; }

class Parser {
public:
    Parser(std::string_view text, std::vector<FilterToken> tokens) : text_(text), tokens_(std::move(tokens)) {}

    Result<FilterTree> run() {
        if (peek().kind == TokenKind::end) return fail(peek(), "the filter is empty", "for instance: op == exec");
        auto root = any_of();
        if (!root) return unexpected(root.error());
        if (peek().kind == TokenKind::close) return fail(peek(), "this parenthesis was not opened", "remove it");
        if (peek().kind != TokenKind::end)
            return fail(peek(), "the filter goes on in a way that makes no sense",
                        "field op value, joined by 'and' or 'or'");
        tree_.root = std::move(*root);
        return std::move(tree_);
    }

private:
    using Node = Result<FilterNode>;

    [[nodiscard]] const FilterToken& peek(std::size_t ahead = 0) const {
        return tokens_[std::min(at_ + ahead, tokens_.size() - 1)];
    }
    const FilterToken& take() { return tokens_[at_ + 1 < tokens_.size() ? at_++ : at_]; }
    [[nodiscard]] Unexpected<Error> fail(const FilterToken& token, std::string why, std::string hint) const {
        return filter_error("FLT-03", text_, token.at, std::move(why), std::move(hint));
    }

    static bool starts_operand(TokenKind kind) {
        return kind == TokenKind::word || kind == TokenKind::quoted || kind == TokenKind::open ||
               kind == TokenKind::not_;
    }

    // or: a list of ands. Lists are flat, so only parentheses and nots make a tree deeper.
    Node any_of() {
        FilterNode list{FilterNode::Kind::any, {}, 0};
        for (;;) {
            auto part = all_of();
            if (!part) return part;
            list.children.push_back(std::move(*part));
            if (peek().kind != TokenKind::or_) break;
            take();
        }
        return list.children.size() == 1 ? std::move(list.children.front()) : std::move(list);
    }

    Node all_of() {
        FilterNode list{FilterNode::Kind::all, {}, 0};
        for (;;) {
            auto part = operand();
            if (!part) return part;
            list.children.push_back(std::move(*part));
            if (peek().kind == TokenKind::and_) {
                take();
            } else if (!starts_operand(peek().kind)) {
                break;
            }
        }
        return list.children.size() == 1 ? std::move(list.children.front()) : std::move(list);
    }

    Node operand() {
        const FilterToken& token = peek();
        if (token.kind == TokenKind::not_ || token.kind == TokenKind::open) {
            if (depth_ >= limits::kFilterDepthMax)
                return fail(token, "the filter is nested too deeply",
                            "at most " + std::to_string(limits::kFilterDepthMax) + " levels");
            ++depth_;
            auto inner = token.kind == TokenKind::not_ ? negation() : group();
            --depth_;
            return inner;
        }
        if (token.kind == TokenKind::word || token.kind == TokenKind::quoted) return test_or_word();
        if (token.kind == TokenKind::end) return fail(token, "something is missing at the end", "field op value");
        return fail(token, in_quotes(token.text) + " cannot stand here", "field op value, joined by 'and' or 'or'");
    }

    Node negation() {
        take();
        auto inner = operand();
        if (!inner) return inner;
        FilterNode node{FilterNode::Kind::none, {}, 0};
        node.children.push_back(std::move(*inner));
        return node;
    }

    Node group() {
        const FilterToken open = take();
        auto inner = any_of();
        if (!inner) return inner;
        if (peek().kind != TokenKind::close) return fail(open, "this parenthesis is not closed", "close it with )");
        take();
        return inner;
    }

    Node test_or_word() {
        const FilterToken name = take();
        if (tree_.tests.size() >= limits::kFilterTestsMax)
            return fail(name, "the filter has too many tests",
                        "at most " + std::to_string(limits::kFilterTestsMax) + "; use field in { … }");
        FilterTest test;
        const bool is_test = peek().kind == TokenKind::op || peek().kind == TokenKind::in;
        Status read = is_test ? read_test(name, test) : read_word(name, test);
        if (!read) return unexpected(read.error());
        FilterNode node{FilterNode::Kind::test, {}, tree_.tests.size()};
        const FilterToken& last = tokens_[at_ - 1];
        tree_.leaves.push_back({.text = std::string(text_.substr(name.at, last.at + last.length - name.at))});
        tree_.tests.push_back(std::move(test));
        return node;
    }

    static Status read_word(const FilterToken& word, FilterTest& test) {
        if (word.kind == TokenKind::word) test.flag = find_flag(word.text);
        test.op = CompareOp::has;
        if (!test.flag)
            test.values.push_back({.kind = FilterValue::Kind::text, .number = 0, .text = word.text, .address = {}});
        return Done{};
    }

    Status read_test(const FilterToken& name, FilterTest& test) {
        test.field = name.kind == TokenKind::word ? find_field(name.text) : nullptr;
        if (!test.field) return unknown_field(name);
        const FilterToken op = take();
        if (op.kind == TokenKind::in) {
            test.op = CompareOp::in;
            return read_set(test);
        }
        test.op = op_of(op.text);
        if (Status fits = check_op(*test.field, op); !fits) return fits;
        const FilterToken& value = peek();
        if (value.kind != TokenKind::word && value.kind != TokenKind::quoted)
            return fail(value, "a value is missing after " + in_quotes(op.text),
                        "for instance: " + std::string(test.field->example));
        if (test.op == CompareOp::matches || test.op == CompareOp::not_matches) return read_pattern(test);
        return read_one(test);
    }

    [[nodiscard]] Unexpected<Error> unknown_field(const FilterToken& name) const {
        std::string doing = "filter field " + in_quotes(name.text) + " does not exist";
        if (const std::string_view meant = closest_field(name.text); !meant.empty())
            doing += "; did you mean '" + std::string(meant) + "'?";
        return unexpected({.doing = std::move(doing),
                           .subject = {},
                           .why = {},
                           .hint = "hopscope schema fields lists all fields",
                           .code = "FLT-01"});
    }

    static CompareOp op_of(std::string_view text) {
        if (text == "==") return CompareOp::equal;
        if (text == "!=") return CompareOp::not_equal;
        if (text == "<") return CompareOp::less;
        if (text == "<=") return CompareOp::less_equal;
        if (text == ">") return CompareOp::greater;
        if (text == ">=") return CompareOp::greater_equal;
        if (text == "~") return CompareOp::matches;
        return text == "!~" ? CompareOp::not_matches : CompareOp::has;
    }

    [[nodiscard]] Status check_op(const Field& field, const FilterToken& op) const {
        const CompareOp what = op_of(op.text);
        const bool for_text = what == CompareOp::matches || what == CompareOp::not_matches || what == CompareOp::has;
        const bool for_order = what == CompareOp::less || what == CompareOp::less_equal || what == CompareOp::greater ||
                               what == CompareOp::greater_equal;
        const std::string name = in_quotes(field.name);
        const bool is_text = field.type == FieldType::text || field.type == FieldType::word;
        if (for_text && !is_text && field.type != FieldType::integer && field.type != FieldType::address)
            return filter_error(
                "FLT-02", text_, op.at,
                name + " is a " + std::string(to_string(field.type)) + ": " + in_quotes(op.text) + " needs text",
                "use == != < <= > >=");
        const bool has_order = field.ordered || field.type == FieldType::integer || field.type == FieldType::size ||
                               field.type == FieldType::duration || field.type == FieldType::time;
        if (for_order && !has_order)
            return filter_error("FLT-02", text_, op.at,
                                name + " has no order: " + in_quotes(op.text) + " makes no sense",
                                is_text ? "use == != ~ !~ has in" : "use == != in");
        return Done{};
    }

    Status read_pattern(FilterTest& test) {
        const FilterToken value = take();
        re2::RE2::Options options;
        options.set_log_errors(false);
        options.set_max_mem(kRegexMemoryBytes);
        auto pattern = std::make_shared<const re2::RE2>(value.text, options);
        if (!pattern->ok())
            return filter_error("FLT-02", text_, value.at, "not a regular expression: " + display(pattern->error()),
                                "RE2 syntax; put it into quotes");
        test.pattern = std::move(pattern);
        return Done{};
    }

    Status read_one(FilterTest& test) {
        const FilterToken value = take();
        std::string text = value.text;
        const FieldType type = test.field->type;
        // "5 ms": a unit may stand apart. A duration needs one, so what follows can only be meant as one.
        const bool measured = type == FieldType::duration || type == FieldType::size ||
                              (type == FieldType::time && (text.starts_with('-') || text.starts_with('+')));
        const FilterToken& next = peek();
        const bool word_follows = value.kind == TokenKind::word && next.kind == TokenKind::word &&
                                  peek(1).kind != TokenKind::op && peek(1).kind != TokenKind::in;
        if (measured && word_follows && is_bare_number(text)) {
            const bool is_unit = unit_factor(type, next.text).has_value();
            if (is_unit) {
                text += take().text;
            } else if (type != FieldType::size && text.find_first_not_of("+-0.") != std::string::npos) {
                return value_error(next.at, read_value(*test.field, text + next.text).trouble, text.size());
            }
        }
        ValueResult read = read_value(*test.field, text);
        if (!read.value) return value_error(value.at + (value.kind == TokenKind::quoted ? 1 : 0), read.trouble, 0);
        test.values.push_back(std::move(*read.value));
        return Done{};
    }

    // `before`: characters of the value that stand before `at`.
    [[nodiscard]] Status value_error(std::size_t at, const ValueTrouble& trouble, std::size_t before) const {
        return filter_error("FLT-02", text_, at + trouble.at - std::min(before, trouble.at), trouble.why, trouble.hint);
    }

    Status read_set(FilterTest& test) {
        if (peek().kind != TokenKind::set_open)
            return fail(peek(), "a set is missing after 'in'", "for instance: port in {10250 33821}");
        const FilterToken open = take();
        while (peek().kind == TokenKind::word || peek().kind == TokenKind::quoted) {
            if (test.values.size() >= limits::kFilterSetMax)
                return fail(peek(), "the set is too large",
                            "at most " + std::to_string(limits::kFilterSetMax) + " values");
            if (Status read = read_one_of_set(test); !read) return read;
            if (peek().kind == TokenKind::comma) take();
        }
        if (peek().kind != TokenKind::set_close)
            return fail(peek().kind == TokenKind::end ? open : peek(), "the set is not closed", "{ value value … }");
        if (test.values.empty()) return fail(peek(), "the set is empty", "{ value value … }");
        take();
        return Done{};
    }

    Status read_one_of_set(FilterTest& test) {
        const FilterToken value = take();
        ValueResult read = read_value(*test.field, value.text);
        if (!read.value) return value_error(value.at + (value.kind == TokenKind::quoted ? 1 : 0), read.trouble, 0);
        test.values.push_back(std::move(*read.value));
        return Done{};
    }

    std::string_view text_;
    std::vector<FilterToken> tokens_;
    std::size_t at_ = 0;
    std::size_t depth_ = 0;
    FilterTree tree_;
};

}  // namespace

Result<FilterTree> parse_filter(std::string_view text) {
    if (text.size() > limits::kFilterBytesMax)
        return filter_error("FLT-03", text, limits::kFilterBytesMax, "the filter is too long",
                            "at most " + std::to_string(limits::kFilterBytesMax) + " bytes");
    auto tokens = lex_filter(text);
    if (!tokens) return unexpected(tokens.error());
    return Parser(text, std::move(*tokens)).run();
}

}  // namespace hopscope::chain
