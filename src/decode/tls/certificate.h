// Who a certificate is for and who signed it (RFC 5280), as one line of text each.
#pragma once

#include <optional>
#include <string>

#include "core/bytes.h"

namespace hopscope::decode::tls {

// "CN=system:node:lab, O=system:nodes": common names and organisations only, in the certificate's order. A comma,
// '=' or backslash inside a value has a backslash before it. Still hostile text.
struct Names {
    std::string subject, issuer;
};
// Nothing when `der` is no certificate. Validity and signature are not looked at.
std::optional<Names> certificate_names(Bytes der);

}  // namespace hopscope::decode::tls
