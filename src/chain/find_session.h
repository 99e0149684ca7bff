// A session by its number, among those that are kept: they stand in the order of their numbers.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>

#include "chain/model.h"

namespace hopscope::chain {

// Null: there is none, or it is kept no longer. Borrowed from `sessions`.
inline Session* find_session(std::span<const std::unique_ptr<Session>> sessions, std::uint32_t number) {
    const auto at = std::ranges::lower_bound(sessions, number, {}, [](const auto& session) { return session->number; });
    return at != sessions.end() && (*at)->number == number ? at->get() : nullptr;
}

}  // namespace hopscope::chain
