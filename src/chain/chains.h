// Groups sessions into chains: one user action, hop by hop.
#pragma once

#include "chain/cri_book.h"
#include "chain/model.h"
#include "chain/tls_book.h"

namespace hopscope::chain {

// Fills model.chains from the kept sessions and the CRI calls. A chain is made of sessions that belong together, or of
// one whose kubectl run or CRI call is known. A lone session of which nothing more is known makes one only if
// `of_single_sessions`, and if it is known which hop it was seen on.
void join_chains(Model& model, CriBook& cri, const TlsBook& tls, bool of_single_sessions);

}  // namespace hopscope::chain
