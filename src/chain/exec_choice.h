// What the joins of an exec's session with a process, by whatever told of it, have in common: when it may have been
// started, and who else could have started it.
#pragma once

#include <algorithm>
#include <memory>
#include <span>
#include <vector>

#include "chain/model.h"

namespace hopscope::chain {

// A node under load needs seconds to start a program; later ones are started by something else.
inline constexpr std::int64_t kStartWithinNs = 5 * kNanosecondsPerSecond;
// Packets and what the kernel tells are stamped by two clocks that are set against each other.
inline constexpr std::int64_t kClockSlackNs = 5'000'000;

struct StartWindow {
    Timestamp from, to;
};
inline StartWindow start_window(const Session& session) {
    std::int64_t to = session.start.ns + kStartWithinNs;
    if (session.over) to = std::min(to, session.end.ns + kClockSlackNs);
    return {{session.start.ns - kClockSlackNs}, {to}};
}

// What a session may have started.
template <typename Item>
struct Choice {
    const Item* item = nullptr;
    bool by_arguments = false;  // its arguments are the session's command
};

// Where the arguments of one are the command, those that only stand near in time do not count (a script runs as its
// interpreter, with other arguments).
template <typename Item>
void prefer_arguments(std::vector<Choice<Item>>& choices) {
    if (std::any_of(choices.begin(), choices.end(), [](const auto& each) { return each.by_arguments; }))
        std::erase_if(choices, [](const auto& each) { return !each.by_arguments; });
}

// How many other sessions could have started one of `mine`. `is_own(session)`: of the same action.
// `choices_of(session)` is asked only of those that are near enough.
template <typename Item, typename IsOwn, typename ChoicesOf>
std::size_t rivals(const std::vector<Choice<Item>>& mine, const Session& session,
                   std::span<const std::unique_ptr<Session>> all, IsOwn is_own, ChoicesOf choices_of) {
    std::size_t count = 0;
    for (const auto& other : all) {
        if (other->op != Op::exec || other->state == SessionState::refused ||
            other->container.id != session.container.id)
            continue;
        const std::int64_t apart = other->start.ns - session.start.ns;
        if (apart > kStartWithinNs + kClockSlackNs || apart < -kStartWithinNs - kClockSlackNs || is_own(*other))
            continue;
        const std::vector<Choice<Item>> theirs = choices_of(*other);
        const bool wanted = std::any_of(theirs.begin(), theirs.end(), [&](const auto& choice) {
            return std::any_of(mine.begin(), mine.end(), [&](const auto& own) {
                // Whose command it is does not lose it to one that only stands near in time.
                return own.item == choice.item && (choice.by_arguments || !own.by_arguments);
            });
        });
        if (wanted) ++count;
    }
    return count;
}

// The session that stands nearest to the runtime speaks for the chain; null: none names a container.
inline const Session* nearest_to_runtime(const Chain& chain, std::span<const std::unique_ptr<Session>> all) {
    const Session* best = nullptr;
    for (const auto& session : all) {
        if (std::find(chain.sessions.begin(), chain.sessions.end(), session->number) == chain.sessions.end()) continue;
        if (session->container.id.empty() || session->state == SessionState::refused) continue;
        if (!best || best->hop < session->hop) best = session.get();
    }
    return best;
}

}  // namespace hopscope::chain
