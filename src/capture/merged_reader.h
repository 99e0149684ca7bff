// Several capture files as one, in the order of time.
#pragma once

#include "capture/reader.h"

namespace hopscope::capture {

// Looks at the first packet of every file, then keeps only those open whose time has come: hundreds of files that a
// ring capture left one after the other need the memory and the file descriptors of one or two. `names`: two or more.
Result<std::unique_ptr<Reader>> open_merged(const std::vector<std::string>& names,
                                            std::function<void(const FileNote&)> note);

}  // namespace hopscope::capture
