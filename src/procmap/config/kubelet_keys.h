// What is read of a kubelet, by both ways in which it can be told (options and KubeletConfiguration).
#pragma once

#include <span>

#include "procmap/config/flags.h"
#include "procmap/config/readers.h"

namespace hopscope::procmap {

std::span<const FlagSpec> kubelet_flags();
std::span<const FileKey> kubelet_file_keys();
// Defaults that do not depend on how it was told.
void kubelet_common_defaults(Draft& draft);

}  // namespace hopscope::procmap
