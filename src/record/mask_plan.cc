#include "record/mask_plan.h"

#include <algorithm>

#include "core/limits.h"

namespace hopscope::record {

void MaskPlan::keep(std::uint64_t begin, std::uint64_t end) {
    if (begin >= end) return;
    if (!keep_.empty() && keep_.back().end == begin) {
        keep_.back().end = end;
    } else {
        keep_.push_back({begin, end});
    }
}

namespace {

// The first element of `list` (sorted, not overlapping) that ends after `offset`.
template <typename List, typename EndOf>
auto first_after(const List& list, std::uint64_t offset, EndOf end_of) {
    return std::partition_point(list.begin(), list.end(), [&](const auto& each) { return end_of(each) <= offset; });
}

}  // namespace

std::size_t MaskPlan::overwrite(std::uint64_t offset, std::uint8_t* bytes, std::uint64_t from, std::uint64_t to) const {
    if (from >= to) return 0;
    std::fill(bytes + (from - offset), bytes + (to - offset), static_cast<std::uint8_t>('x'));
    for (auto span = first_after(masked_, from, [](const MaskedSpan& s) { return s.end; });
         span != masked_.end() && span->begin < to; ++span) {
        for (std::uint64_t at = std::max(span->begin, from); at < std::min(span->end, to); ++at)
            bytes[at - offset] ^= span->key[(at - span->key_origin) % 4];
    }
    return to - from;
}

std::size_t MaskPlan::apply(std::uint64_t offset, std::uint8_t* bytes, std::size_t size) const {
    const std::uint64_t end = offset + size;
    std::size_t overwritten = 0;
    // Edits are kept apart while everything else is overwritten: what stands there is compared with them.
    const auto first_edit = first_after(edits_, offset, [](const Edit& e) { return e.offset + e.bytes.size(); });
    std::string before;
    for (auto edit = first_edit; edit != edits_.end() && edit->offset < end; ++edit) {
        const std::uint64_t from = std::max(edit->offset, offset),
                            to = std::min(edit->offset + edit->bytes.size(), end);
        before.append(reinterpret_cast<const char*>(bytes + (from - offset)), to - from);
    }
    std::uint64_t at = offset;
    for (auto span = first_after(keep_, offset, [](const Span& s) { return s.end; });
         span != keep_.end() && span->begin < end; ++span) {
        overwritten += overwrite(offset, bytes, at, std::max(span->begin, at));
        at = std::min(span->end, end);
    }
    overwritten += overwrite(offset, bytes, at, end);
    std::size_t compared = 0;
    for (auto edit = first_edit; edit != edits_.end() && edit->offset < end; ++edit) {
        const std::uint64_t from = std::max(edit->offset, offset),
                            to = std::min(edit->offset + edit->bytes.size(), end);
        const std::string_view text = std::string_view(edit->bytes).substr(from - edit->offset, to - from);
        const std::string_view was = std::string_view(before).substr(compared, text.size());
        compared += text.size();
        for (std::size_t i = 0; i < text.size(); ++i) {
            std::uint8_t& byte = bytes[from - offset + i];
            const auto old = static_cast<std::uint8_t>(was[i]), fresh = static_cast<std::uint8_t>(text[i]);
            if (byte != old && fresh == old) --overwritten;  // put back as it was
            if (byte == old && fresh != old) ++overwritten;
            byte = fresh;
        }
    }
    return overwritten;
}

void MaskPlan::edit(std::uint64_t offset, std::string bytes) {
    if (edits_.empty() || edits_.back().offset <= offset) {
        edits_.push_back({offset, std::move(bytes)});
        return;
    }
    const auto after = std::upper_bound(edits_.begin(), edits_.end(), offset,
                                        [](std::uint64_t at, const Edit& each) { return at < each.offset; });
    edits_.insert(after, {offset, std::move(bytes)});
}

void MaskPlan::forget_before(std::uint64_t offset) {
    const auto shorten = [offset](auto& list, auto end_of) {
        if (list.size() < 2 * limits::kMaskPlanSpans) return;
        const auto kept = std::min(first_after(list, offset, end_of), list.cend() - limits::kMaskPlanSpans);
        list.erase(list.begin(), kept);
    };
    shorten(keep_, [](const Span& s) { return s.end; });
    shorten(masked_, [](const MaskedSpan& s) { return s.end; });
    shorten(edits_, [](const Edit& e) { return e.offset + e.bytes.size(); });
}

void Pseudonyms::Known::add(const std::string& text, const std::string& name) {
    names.emplace(text, name);
    order.push_back(text);
    if (order.size() <= limits::kPseudonymsMax) return;
    names.erase(order.front());
    order.pop_front();
}

std::string Pseudonyms::of(const std::string& token) {
    if (const auto found = tokens_.names.find(token); found != tokens_.names.end()) return found->second;
    // "tok00001": the number at the end, cut from the left where the token is shorter.
    std::string name = "tok" + std::string(token.size(), '0');
    const std::string number = std::to_string(++given_);
    name = name.substr(0, std::max(token.size(), number.size()) - number.size()) + number;
    name = name.substr(name.size() - token.size());
    tokens_.add(token, name);
    return name;
}

std::string Pseudonyms::of_word(const std::string& word, char otherwise) {
    if (word.empty()) return word;
    if (const auto found = words_.names.find(word); found != words_.names.end()) return found->second;
    // "xxx0", "xxx1" … "xx1w": 'x' and what may stand for it are no digits.
    constexpr std::string_view kDigits = "0123456789abcdefghijklmnopqrstuvw";
    std::string name(word.size(), 'x');
    std::uint64_t number = words_given_[word.size()];
    std::size_t at = name.size();
    do {
        name[--at] = kDigits[number % kDigits.size()];
        number /= kDigits.size();
    } while (number > 0 && at > 0);
    if (number > 0) return std::string(word.size(), otherwise);
    ++words_given_[word.size()];
    words_.add(word, name);
    return name;
}

}  // namespace hopscope::record
