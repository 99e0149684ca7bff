// Runs something inside another network namespace, without leaving our own.
#pragma once

#include <functional>
#include <string>

#include "core/result.h"

namespace hopscope::capture {

// Calls `action` in a thread that has entered the namespace file `path` (setns(2), CAP_SYS_ADMIN); with an empty path
// in this thread. Sockets that it opens stay in that namespace. Error CAP-26: the file cannot be opened or entered.
Status in_net_namespace(const std::string& path, const std::function<void()>& action);

}  // namespace hopscope::capture
