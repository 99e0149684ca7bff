// Which encrypted connection is the hop between two decoded ones.
#pragma once

#include <vector>

#include "chain/joins.h"
#include "chain/tls_book.h"

namespace hopscope::chain {

struct SealedJoin {
    const SealedConnection* connection = nullptr;
    std::size_t node = 0;            // a session of the action that it belongs to
    Duration took;                   // from its opening to its answer
    std::vector<Evidence> evidence;  // never empty
};

struct SealedJoins {
    std::vector<SealedJoin> joins;
    std::vector<JoinBoard::Note> candidates;  // what might have been it, and was not taken
};

// Looks for connections between a session of the API server and one of the runtime of the same action (either may be
// missing), where no decoded kubelet session stands already. Sizes that agree in both directions prove it (seen);
// without sizes to compare, a connection to the kubelet's port that is the only one at the time is taken as inferred.
SealedJoins join_sealed(const JoinBoard& board, const TlsBook& book);

}  // namespace hopscope::chain
