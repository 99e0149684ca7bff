#include "chain/joins_tls.h"

#include <algorithm>
#include <cstdlib>
#include <optional>

namespace hopscope::chain {
namespace {

constexpr std::uint16_t kKubeletPort = 10250;
// Clocks of one machine, but packets of several CPUs: a little disorder is no contradiction.
constexpr std::int64_t kSlackNs = 2'000'000;
// Two connections that differ by less than this in time fit equally well.
constexpr std::int64_t kTieNs = 20'000;
// A proxy dials when the request has come; a translating one when the client has been answered.
constexpr std::int64_t kDialNs = 2 * kNanosecondsPerSecond;

// A place where a kubelet hop belongs: outside, inside, or both.
struct Opening {
    std::optional<std::size_t> outer, inner;  // nodes
};

bool may_contain(const Session& outer, const Session& inner) {
    return outer.op == inner.op && outer.start.ns <= inner.start.ns + kSlackNs && inner.start <= outer.end;
}

std::vector<Opening> find_openings(const JoinBoard& board) {
    const JoinGroups groups(board, board.by_start());
    std::vector<Opening> openings;
    for (std::size_t first = 0; first < board.size(); ++first) {
        const std::span<const std::size_t> group = groups.of(first);
        const auto has_kubelet = [&](const Session& near) {
            return std::any_of(group.begin(), group.end(), [&](std::size_t node) {
                const Session& s = board.session(node);
                return s.hop == HopKind::kubelet &&
                       (near.hop == HopKind::runtime ? may_contain(s, near) : may_contain(near, s));
            });
        };
        std::vector<std::size_t> free_outers;
        for (const std::size_t node : group) {
            if (board.session(node).hop == HopKind::apiserver && !has_kubelet(board.session(node)))
                free_outers.push_back(node);
        }
        for (const std::size_t node : group) {
            const Session& inner = board.session(node);
            if (inner.hop != HopKind::runtime || inner.state == SessionState::cut || has_kubelet(inner)) continue;
            Opening opening{std::nullopt, node};
            // The last outer request before it: attempts follow one another.
            for (const std::size_t outer : free_outers) {
                if (may_contain(board.session(outer), inner)) opening.outer = outer;
            }
            if (opening.outer) std::erase(free_outers, *opening.outer);
            openings.push_back(opening);
        }
        for (const std::size_t outer : free_outers) openings.push_back({outer, std::nullopt});
    }
    return openings;
}

struct Fit {
    std::size_t opening = 0, connection = 0;
    bool by_size = false;               // sizes agree in both directions,
    std::uint64_t differing_bytes = 0;  // but for so many of the closing frames
    std::int64_t distance_ns = 0;
    Timestamp answered;  // when the sealed connection's answer came
};

bool in_time(const Opening& opening, const JoinBoard& board, const SealedConnection& sealed) {
    if (opening.outer) {
        const Session& outer = board.session(*opening.outer);
        if (sealed.opened.ns + kSlackNs < outer.start.ns || (sealed.opened - outer.start).ns > kDialNs) return false;
        if (sealed.opened > outer.end) return false;
        const bool same_carrier = !opening.inner || board.session(*opening.inner).proto == outer.proto;
        if (same_carrier && outer.answered.ns != 0 && sealed.opened > outer.answered) return false;
    }
    if (opening.inner) {
        const Session& inner = board.session(*opening.inner);
        if (sealed.opened.ns > inner.start.ns + kSlackNs || (inner.start - sealed.opened).ns > kDialNs) return false;
        if (inner.answered.ns != 0 && sealed.last.ns + kSlackNs < inner.answered.ns) return false;
    }
    return true;
}

std::int64_t gap_ns(Timestamp a, Timestamp b) { return std::abs((a - b).ns); }

// The record at which the upgraded bytes begin, or nothing where the sizes do not agree.
std::optional<Fit> by_size(const Session& inner, const SealedConnection& sealed) {
    if (inner.status != 101 || !inner.complete || sealed.gaps) return std::nullopt;
    if (inner.framed.in + inner.framed.out == 0) return std::nullopt;
    const std::uint64_t goodbye = inner.proto == Proto::spdy31 ? 16 * (inner.streams.size() + 1) : 0;
    const auto in = sealed.tail(Direction::to_server, inner.framed.in, goodbye);
    const auto out = sealed.tail(Direction::to_client, inner.framed.out, goodbye);
    if (!in || !out) return std::nullopt;
    Fit fit;
    fit.by_size = true;
    fit.differing_bytes = in->differing_bytes + out->differing_bytes;
    // The answer's head is the record before the first frame.
    fit.answered = sealed.side[index_of(Direction::to_client)].at[out->first - 1];
    fit.distance_ns = gap_ns(fit.answered, inner.answered) + gap_ns(sealed.last, inner.end);
    return fit;
}

std::optional<Fit> fit_of(const JoinBoard& board, const Opening& opening, const SealedConnection& sealed) {
    if (!in_time(opening, board, sealed)) return std::nullopt;
    std::optional<Fit> fit;
    if (opening.inner) fit = by_size(board.session(*opening.inner), sealed);
    if (!fit) {
        if (sealed.server.port != kKubeletPort) return std::nullopt;
        // Sizes that could have agreed and do not speak against it.
        if (opening.inner) {
            const Session& inner = board.session(*opening.inner);
            const bool comparable = inner.proto == Proto::spdy31 && inner.status == 101 && inner.complete &&
                                    inner.state == SessionState::closed && !sealed.gaps;
            if (comparable) return std::nullopt;
        }
        fit = Fit{};
        fit->answered = sealed.side[index_of(Direction::to_client)].last;
        const Session& near = board.session(opening.inner ? *opening.inner : *opening.outer);
        if (near.answered.ns != 0) fit->distance_ns = gap_ns(fit->answered, near.answered);
    }
    if (opening.outer) fit->distance_ns += gap_ns(sealed.opened, board.session(*opening.outer).start);
    return fit;
}

std::vector<Evidence> evidence_of(const JoinBoard& board, const Opening& opening, const SealedConnection& sealed,
                                  const Fit& fit) {
    const std::string version = sealed.version >= 0x0304 ? "TLS 1.3" : sealed.version == 0x0303 ? "TLS 1.2" : "TLS";
    std::vector<Evidence> list;
    list.push_back({.grade = Grade::seen,
                    .says = version + ", encrypted: sizes and times only",
                    .frame = sealed.opened_frame,
                    .source = {},
                    .id = "tls"});
    if (fit.by_size) {
        const Session& inner = board.session(*opening.inner);
        std::string says = "its records, less what encryption adds, hold the " + std::to_string(inner.framed.in) +
                           " bytes in and " + std::to_string(inner.framed.out) + " bytes out of " + inner.id();
        if (fit.differing_bytes > 0)
            says += ", but for " + std::to_string(fit.differing_bytes) + " bytes of the closing frames";
        list.push_back(
            {.grade = Grade::seen, .says = std::move(says), .frame = inner.first_frame, .source = {}, .id = "sizes"});
    } else {
        const Session& near = board.session(opening.outer ? *opening.outer : *opening.inner);
        list.push_back({.grade = Grade::inferred,
                        .says = "the one connection to port 10250 that was opened at the time of " + near.id(),
                        .frame = sealed.opened_frame,
                        .source = {},
                        .id = "time"});
    }
    return list;
}

}  // namespace

SealedJoins join_sealed(const JoinBoard& board, const TlsBook& book) {
    SealedJoins result;
    const auto& sealed = book.all();
    if (sealed.empty()) return result;
    const std::vector<Opening> openings = find_openings(board);
    if (openings.empty()) return result;

    // Connections by opening time; each opening looks only at those around it.
    std::vector<std::size_t> by_time(sealed.size());
    for (std::size_t i = 0; i < by_time.size(); ++i) by_time[i] = i;
    std::sort(by_time.begin(), by_time.end(),
              [&](std::size_t a, std::size_t b) { return sealed[a]->opened < sealed[b]->opened; });
    std::vector<Fit> fits;
    for (std::size_t o = 0; o < openings.size(); ++o) {
        const Session& anchor = board.session(openings[o].outer ? *openings[o].outer : *openings[o].inner);
        const Timestamp from{anchor.start.ns - (openings[o].outer ? kSlackNs : kDialNs)};
        auto at = std::lower_bound(by_time.begin(), by_time.end(), from,
                                   [&](std::size_t i, Timestamp t) { return sealed[i]->opened < t; });
        for (; at != by_time.end() && (sealed[*at]->opened - anchor.start).ns <= kDialNs; ++at) {
            if (auto fit = fit_of(board, openings[o], *sealed[*at])) {
                fit->opening = o;
                fit->connection = *at;
                fits.push_back(*fit);
            }
        }
    }
    std::sort(fits.begin(), fits.end(), [](const Fit& a, const Fit& b) {
        return a.by_size != b.by_size           ? a.by_size
               : a.distance_ns != b.distance_ns ? a.distance_ns < b.distance_ns
                                                : a.connection < b.connection;
    });
    std::vector<bool> opening_taken(openings.size()), connection_taken(sealed.size());
    for (std::size_t i = 0; i < fits.size(); ++i) {
        const Fit& fit = fits[i];
        if (opening_taken[fit.opening] || connection_taken[fit.connection]) continue;
        const Opening& opening = openings[fit.opening];
        const std::size_t node = opening.inner ? *opening.inner : *opening.outer;
        const bool tie =
            std::any_of(fits.begin() + static_cast<std::ptrdiff_t>(i) + 1, fits.end(), [&](const Fit& other) {
                const bool rival = (other.opening == fit.opening && !connection_taken[other.connection]) ||
                                   (other.connection == fit.connection && !opening_taken[other.opening]);
                return rival && other.by_size == fit.by_size && other.distance_ns - fit.distance_ns < kTieNs;
            });
        const SealedConnection& connection = *sealed[fit.connection];
        if (tie) {
            result.candidates.push_back({node,
                                         {.grade = Grade::inferred,
                                          .says = "the encrypted connection " + to_string(connection.client) +
                                                  " fits, and so do others: none is taken",
                                          .frame = connection.opened_frame,
                                          .source = {},
                                          .id = "tls"}});
            continue;
        }
        opening_taken[fit.opening] = connection_taken[fit.connection] = true;
        result.joins.push_back(
            {&connection, node, fit.answered - connection.opened, evidence_of(board, opening, connection, fit)});
    }
    return result;
}

}  // namespace hopscope::chain
