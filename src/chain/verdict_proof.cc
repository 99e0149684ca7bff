#include "chain/verdict_proof.h"

#include <algorithm>

namespace hopscope::chain {

std::string_view to_string(Sure sure) {
    switch (sure) {
        case Sure::low: return "low";
        case Sure::medium: return "medium";
        case Sure::high: return "high";
        case Sure::certain: return "certain";
    }
    return "";
}

Sure sure_named(std::string_view word) {
    for (const Sure sure : {Sure::certain, Sure::high, Sure::medium})
        if (to_string(sure) == word) return sure;
    return Sure::low;
}

Sure sure_of(const Proof& proof) {
    const bool observed = proof.cri || proof.traffic || proof.probe;
    Sure sure = Sure::low;
    if (observed || proof.config || proof.only_candidate)
        sure = Sure::certain;
    else if (proof.behaviour)
        sure = proof.version ? Sure::high : Sure::medium;
    if (proof.contradiction && sure != Sure::low) sure = static_cast<Sure>(static_cast<int>(sure) - 1);
    Sure ceiling = Sure::certain;
    switch (proof.holder) {
        case Holder::invisible: ceiling = observed ? Sure::medium : Sure::low; break;
        case Holder::doubtful: ceiling = Sure::low; break;
        case Holder::stranger:
        case Holder::named: ceiling = Sure::medium; break;
        case Holder::claimed: ceiling = Sure::high; break;
        case Holder::proven: break;
    }
    return std::min(sure, ceiling);
}

}  // namespace hopscope::chain
