// Credentials that stand inside a text which is otherwise worth showing: the user and password of a URL.
//
// Pure. Does not look for passwords elsewhere: settings are kept by name only (procmap/config/draft.h), and none of
// those names holds one.
#pragma once

#include <string>
#include <string_view>

namespace hopscope {

// What stands for them.
inline constexpr std::string_view kCredentialsMask = "***";

// "tcp://user:word@127.0.0.1:2375" as "tcp://***@127.0.0.1:2375" (userinfo of RFC 3986 section 3.2.1; the user goes,
// too: some services take a token there), every URL of a list, and "user:word@host" without a scheme. A password that
// holds what should have been escaped (/ ? # ,) is hidden whole; where that cannot be told from a path with '@' in it,
// the path is hidden.
std::string without_credentials(std::string_view text);

}  // namespace hopscope
