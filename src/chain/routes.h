// What a request asks for, told from the form of its path alone, never from a port number.
//
//   /exec/{token}, /cri/exec/{token}, {prefix}/exec/{token}                      → runtime    (attach, portforward
//   alike) /exec/{namespace}/{pod}[/{uid}]/{container}, /portForward/{namespace}/{pod}[/{uid}]  → kubelet
//   …/api/v1/namespaces/{namespace}/pods/{pod}/exec|attach|portforward           → apiserver
//   …/api/v1/nodes/{node}/proxy/ and then the kubelet's path                     → apiserver
// Percent-encoding is undone. Anything else is no streaming request; /run/… is none.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "chain/model.h"

namespace hopscope::chain {

struct Route {
    Op op = Op::unknown;
    HopKind hop = HopKind::unknown;
    std::string token;                            // runtime only
    std::string namespace_, pod, uid, container;  // kubelet and apiserver
    std::vector<std::string> command;             // exec; at most limits::kCommandWordsMax words
    std::optional<bool> tty;                      // absent at the runtime hop, whose URL does not say
};

std::optional<Route> parse_route(std::string_view target);

// Six random bytes in base64url without padding: eight characters of A-Z a-z 0-9 - _
// (k8s.io/kubelet/pkg/cri/streaming).
bool has_token_form(std::string_view text);

// The segments of a path without their slashes; leading and trailing empty ones left out, as the routers of containerd
// and the kubelet do. Keeps only the last kSegmentsMax; `count` tells how many there are.
struct PathSegments {
    static constexpr std::size_t kSegmentsMax = 16;
    std::string_view last[kSegmentsMax];
    std::size_t count = 0;
    // Counted from the end: from_end(1) is the last. Empty where there is none.
    [[nodiscard]] std::string_view from_end(std::size_t n) const;
};
PathSegments split_path(std::string_view path);

}  // namespace hopscope::chain
