// The hop from the runtime to a container's shim: which of containerd's calls belongs to which session. And the one
// before it, where containerd is asked by dockerd.
//
// An exec's call names container and command; it belongs to a session if no other one could have made it. An exec of
// the Docker API has an id that goes with it to the shim: then it is this one. Calls made at the same time for equal
// commands are told apart by nothing: the hop is there, because both went the same way, but not the pid. An attach
// makes no call of its own beyond asking for the state: its bytes go through FIFOs that were opened with the container.
// A port-forward makes none at all: containerd dials itself. Pure.
#pragma once

#include <memory>
#include <optional>
#include <span>

#include "chain/docker_book.h"
#include "chain/model.h"
#include "chain/shim_book.h"

namespace hopscope::chain {

// `all`: every session that may have asked for a process in the same container, those of the chain among them.
void join_shim(Chain& chain, std::span<const std::unique_ptr<Session>> all, const ShimBook& shims,
               const DockerBook& docker = {});
// Before it: `services` holds what containerd was asked by its clients.
void join_service(Chain& chain, std::span<const std::unique_ptr<Session>> all, const ShimBook& services,
                  const DockerBook& docker);
// The same for one session, whether it is over or not.
std::optional<StartedProcess> started_by_shim(const Session& session, std::span<const std::unique_ptr<Session>> all,
                                              const ShimBook& shims, const DockerBook& docker = {});

}  // namespace hopscope::chain
