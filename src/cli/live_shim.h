// The shim of a session's container by what the node's table tells, where no call to it was read: which one it is
// stands in its arguments, whose it is in the socket that these name, never in a parent's process number alone.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "chain/model.h"
#include "core/socket_table.h"

namespace hopscope::cli {

// Adds the hop, "seen" at best. Nothing where the chain has one, or no shim is known to be the container's. `why`: why
// its calls were not read.
void add_shim_by_table(chain::Chain& chain, std::span<const std::unique_ptr<chain::Session>> all,
                       const SocketTable& table, const std::string& why);

}  // namespace hopscope::cli
