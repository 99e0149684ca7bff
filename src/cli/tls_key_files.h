// TLS key logs that the user named (--tls-keys), read into what the decoders take.
#pragma once

#include <string>
#include <vector>

#include "core/result.h"
#include "decode/tls/tls.h"

namespace hopscope::cli {

// TLS-10 for a file that cannot be read; one without any secret is told as a note.
Status add_tls_key_files(const std::vector<std::string>& names, decode::TlsKeys& keys);

}  // namespace hopscope::cli
