#include "chain/filter.h"

#include <re2/re2.h>

#include <algorithm>

#include "chain/filter_tree.h"
#include "chain/url.h"

namespace hopscope::chain {
namespace {

constexpr std::int64_t kDayNs = 86400 * kNanosecondsPerSecond;

std::int64_t time_of_day(std::int64_t ns) { return ((ns % kDayNs) + kDayNs) % kDayNs; }

bool ordered(CompareOp op, std::int64_t left, std::int64_t right) {
    switch (op) {
        case CompareOp::equal:
        case CompareOp::in: return left == right;
        case CompareOp::not_equal: return left != right;
        case CompareOp::less: return left < right;
        case CompareOp::less_equal: return left <= right;
        case CompareOp::greater: return left > right;
        case CompareOp::greater_equal: return left >= right;
        case CompareOp::matches:
        case CompareOp::not_matches:
        case CompareOp::has: return false;
    }
    return false;
}

// Looks at the values of one field of one row.
class Judge final : public ValueSink {
public:
    Judge(const FilterTest& test, Timestamp now) : test_(test), now_(now) {}

    void on(const FieldValue& value) override {
        present_ = true;
        (holds(value) ? yes_ : no_) = true;
    }
    [[nodiscard]] bool present() const { return present_; }
    // A list has a value if one of its items has it; it lacks one if all of them do.
    [[nodiscard]] bool verdict() const {
        const bool negative = test_.op == CompareOp::not_equal || test_.op == CompareOp::not_matches;
        return negative ? present_ && !no_ : yes_;
    }

private:
    [[nodiscard]] bool holds(const FieldValue& value) const {
        if (test_.op == CompareOp::matches || test_.op == CompareOp::not_matches)
            return re2::RE2::PartialMatch(text_of(value), *test_.pattern) == (test_.op == CompareOp::matches);
        if (test_.op == CompareOp::not_equal) return !equals(value, test_.values.front(), CompareOp::equal);
        return std::any_of(test_.values.begin(), test_.values.end(),
                           [&](const FilterValue& wanted) { return equals(value, wanted, test_.op); });
    }

    [[nodiscard]] std::string text_of(const FieldValue& value) const {
        if (test_.field->type == FieldType::integer) return std::to_string(value.number);
        if (test_.field->type == FieldType::address) return to_string(value.address);
        return std::string(value.text);
    }

    [[nodiscard]] bool equals(const FieldValue& value, const FilterValue& wanted, CompareOp op) const {
        if (op == CompareOp::has) {
            const std::string text = text_of(value);
            return contains_ignoring_case(text,
                                          wanted.kind == FilterValue::Kind::text ? wanted.text : wanted_text(wanted));
        }
        switch (test_.field->type) {
            case FieldType::text: return value.text == wanted.text;
            case FieldType::word:
                if (test_.field->ordered) return ordered(op, word_rank(test_.field->values, value.text), wanted.number);
                return equal_ignoring_case(value.text, wanted.text);
            case FieldType::address: return in_network(value.address, wanted);
            case FieldType::time: return time_holds(value.number, wanted, op);
            case FieldType::integer:
            case FieldType::size:
            case FieldType::duration:
            case FieldType::flag: return ordered(op, value.number, wanted.number);
        }
        return false;
    }

    static std::string wanted_text(const FilterValue& wanted) {
        return wanted.kind == FilterValue::Kind::network ? to_string(wanted.address) : std::to_string(wanted.number);
    }

    [[nodiscard]] bool time_holds(std::int64_t at, const FilterValue& wanted, CompareOp op) const {
        if (wanted.kind == FilterValue::Kind::from_now) return now_.ns != 0 && ordered(op, at, now_.ns + wanted.number);
        if (wanted.kind != FilterValue::Kind::time_of_day) return ordered(op, at, wanted.number);
        if (now_.ns == 0) return ordered(op, time_of_day(at), wanted.number);
        // The last time that the clock stood there.
        std::int64_t meant = now_.ns - time_of_day(now_.ns) + wanted.number;
        if (meant > now_.ns) meant -= kDayNs;
        return ordered(op, at, meant);
    }

    const FilterTest& test_;
    Timestamp now_;
    bool present_ = false, yes_ = false, no_ = false;
};

// A word: part of any text of the row.
class WordFinder final : public ValueSink {
public:
    explicit WordFinder(std::string_view word) : word_(word) {}
    void on(const FieldValue& value) override { found = found || contains_ignoring_case(value.text, word_); }
    bool found = false;

private:
    std::string_view word_;
};

bool row_has_word(const Row& row, Timestamp now, std::string_view word) {
    WordFinder finder(word);
    for (const Field& field : fields()) {
        if (field.type != FieldType::text && field.type != FieldType::word) continue;
        if ((field.views & static_cast<std::uint8_t>(row.view)) == 0) continue;
        field.get(row, now, finder);
        if (finder.found) return true;
    }
    return false;
}

std::string with_thousands(std::uint64_t n) {
    std::string digits = std::to_string(n);
    for (std::size_t i = digits.size(); i > 3; i -= 3) digits.insert(i - 3, ",");
    return digits;
}

}  // namespace

struct Filter::State {
    FilterTree tree;
    Timestamp now;
    std::uint64_t rows = 0;

    bool test(std::size_t number, const Row& row) {
        const FilterTest& wanted = tree.tests[number];
        Leaf& leaf = tree.leaves[number];
        ++leaf.tried;
        bool hit = false;
        if (wanted.flag) {
            ++leaf.present;
            hit = wanted.flag->is(row);
        } else if (wanted.field) {
            Judge judge(wanted, now);
            wanted.field->get(row, now, judge);
            leaf.present += judge.present() ? 1 : 0;
            hit = judge.verdict();
        } else {
            ++leaf.present;
            hit = row_has_word(row, now, wanted.values.front().text);
        }
        leaf.hits += hit ? 1 : 0;
        return hit;
    }

    // As deep as the parser allows, which is not much.
    bool holds(const FilterNode& node, const Row& row) {
        const auto child_holds = [&](const FilterNode& child) { return holds(child, row); };
        switch (node.kind) {
            case FilterNode::Kind::all: return std::all_of(node.children.begin(), node.children.end(), child_holds);
            case FilterNode::Kind::any: return std::any_of(node.children.begin(), node.children.end(), child_holds);
            case FilterNode::Kind::none: return !holds(node.children.front(), row);
            case FilterNode::Kind::test: return test(node.test, row);
        }
        return false;
    }
};

Filter::Filter(std::unique_ptr<State> state) : state_(std::move(state)) {}
Filter::Filter(Filter&&) noexcept = default;
Filter& Filter::operator=(Filter&&) noexcept = default;
Filter::~Filter() = default;

Result<Filter> Filter::parse(std::string_view text) {
    auto tree = parse_filter(text);
    if (!tree) return unexpected(tree.error());
    auto state = std::make_unique<State>();
    state->tree = std::move(*tree);
    return Filter(std::move(state));
}

bool Filter::matches(const Row& row) {
    ++state_->rows;
    return state_->holds(state_->tree.root, row);
}

void Filter::set_now(Timestamp now) { state_->now = now; }

const std::vector<Filter::Leaf>& Filter::leaves() const { return state_->tree.leaves; }

std::uint64_t Filter::rows() const { return state_->rows; }

std::string Filter::explain_no_match() const {
    std::string text = "0 of " + with_thousands(state_->rows) + (state_->rows == 1 ? " row matches" : " rows match");
    const char* joint = "; ";
    for (const Leaf& leaf : state_->tree.leaves) {
        if (leaf.tried == 0 || leaf.hits > 0) continue;
        text += joint + ("\"" + display(leaf.text) + "\"") +
                (leaf.present == 0 ? " matched none (no row has this field)" : " matched none");
        joint = ", ";
    }
    if (state_->rows > 0 && *joint == ';') text += "; each part matched some rows, but none matched all of it";
    return text;
}

}  // namespace hopscope::chain
