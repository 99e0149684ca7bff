// The comment on a connection's first packet that tells who is at its two ends:
// "hopscope: 127.0.0.1:54766 kubelet[5714] → 127.0.0.1:33821 containerd[2685]", client first, "?" for an end that is
// not known. Wireshark and tshark show it (frame.comment); our reader takes it back. Names are hostile: bytes other
// than letters, digits and "._:/-" stand as %XX, so that a name cannot look like the rest of the comment.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "chain/model.h"

namespace hopscope::record {

struct ConnectionComment {
    Endpoint client, server;
    chain::Ends ends;
};

std::string to_comment(const ConnectionComment& comment);
// Nothing when it is not such a comment: comments are hostile, too.
std::optional<ConnectionComment> parse_comment(std::string_view text);

}  // namespace hopscope::record
