// Groups sessions into chains: one user action, hop by hop.
#pragma once

#include "chain/builder.h"
#include "chain/cri_book.h"
#include "chain/model.h"
#include "chain/tls_book.h"

namespace hopscope::chain {

// Fills model.chains from the kept sessions and the CRI calls. A chain is made of sessions that belong together, or of
// one whose kubectl run or CRI call is known. A lone session of which nothing more is known makes one only if
// `of_single_sessions`, and if it is known which hop it was seen on. `wanted`, if given, is asked before a chain is
// made of these sessions (by number); one that is not wanted is left out.
void join_chains(Model& model, CriBook& cri, const TlsBook& tls, bool of_single_sessions,
                 const ChainWanted& wanted = {});

}  // namespace hopscope::chain
