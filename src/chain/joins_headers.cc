// kubectl gives each run an id and sends it along; plain proxies pass it on from hop to hop.
#include <string_view>
#include <unordered_map>

#include "chain/joins.h"

namespace hopscope::chain {

void join_by_kubectl_session(JoinBoard& board) {
    std::unordered_map<std::string_view, std::size_t> first_of;
    for (std::size_t node = 0; node < board.size(); ++node) {
        const Session& session = board.session(node);
        if (session.kubectl_session.empty()) continue;
        const auto [first, fresh] = first_of.emplace(session.kubectl_session.raw(), node);
        if (fresh) continue;
        board.unite(first->second, node,
                    {.grade = Grade::decoded,
                     .says = "the header Kubectl-Session is the same on all of them",
                     .frame = session.first_frame,
                     .source = {},
                     .id = "kubectl-session"});
    }
}

}  // namespace hopscope::chain
