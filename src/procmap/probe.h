// Harmless requests to listeners on loopback, which tell a CRI streaming server from anything else: its
// routes answer 405 to PUT and "404 page not found" to an unknown token, and none of that uses a token up
// (k8s.io/kubelet/pkg/cri/streaming). First comes "GET /", which it answers with 404: whoever answers that otherwise
// gets no PUT, so that nothing is stored anywhere.
//
// Only loopback is ever connected to (a listener on all addresses through loopback). Plain HTTP only; a TLS listener is
// recognised by how it refuses. Each listener has one deadline for all its requests.
#pragma once

#include <chrono>
#include <span>
#include <vector>

#include "core/node.h"

namespace hopscope::procmap {

// In the order of `endpoints`; at most limits::kProbesMax.
std::vector<ProbeAnswer> probe(std::span<const Endpoint> endpoints,
                               std::chrono::milliseconds each = std::chrono::milliseconds(1000));

}  // namespace hopscope::procmap
