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

std::size_t MaskPlan::apply(std::uint64_t offset, std::uint8_t* bytes, std::size_t size) const {
    const std::uint64_t end = offset + size;
    std::vector<std::uint8_t> original(bytes, bytes + size);
    std::fill(bytes, bytes + size, static_cast<std::uint8_t>('x'));
    for (auto span = first_after(masked_, offset, [](const MaskedSpan& s) { return s.end; });
         span != masked_.end() && span->begin < end; ++span) {
        for (std::uint64_t at = std::max(span->begin, offset); at < std::min(span->end, end); ++at)
            bytes[at - offset] ^= span->key[(at - span->key_origin) % 4];
    }
    for (auto span = first_after(keep_, offset, [](const Span& s) { return s.end; });
         span != keep_.end() && span->begin < end; ++span) {
        const std::uint64_t from = std::max(span->begin, offset), to = std::min(span->end, end);
        std::copy(original.begin() + static_cast<std::ptrdiff_t>(from - offset),
                  original.begin() + static_cast<std::ptrdiff_t>(to - offset), bytes + (from - offset));
    }
    for (auto edit = first_after(edits_, offset, [](const Edit& e) { return e.offset + e.bytes.size(); });
         edit != edits_.end() && edit->offset < end; ++edit) {
        for (std::uint64_t at = std::max(edit->offset, offset); at < std::min(edit->offset + edit->bytes.size(), end);
             ++at)
            bytes[at - offset] = static_cast<std::uint8_t>(edit->bytes[at - edit->offset]);
    }
    std::size_t changed = 0;
    for (std::size_t i = 0; i < size; ++i) changed += bytes[i] != original[i] ? 1 : 0;
    return changed;
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

std::string Pseudonyms::of(const std::string& token) {
    if (const auto found = known_.find(token); found != known_.end()) return found->second;
    // "tok00001": the number at the end, cut from the left where the token is shorter.
    std::string name = "tok" + std::string(32, '0');
    const std::string number = std::to_string(++given_);
    name = name.substr(0, std::max(token.size(), number.size()) - number.size()) + number;
    name = name.substr(name.size() - token.size());
    known_.emplace(token, name);
    order_.push_back(token);
    if (order_.size() > limits::kPseudonymsMax) {
        known_.erase(order_.front());
        order_.pop_front();
    }
    return name;
}

}  // namespace hopscope::record
