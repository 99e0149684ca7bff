// What the user asks for with `hopscope why WHAT`: a port, an address with a port, the path of a unix socket, a process
// by name or pid, or a URL as the CRI answers it (its token is not looked at).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "chain/verdict.h"
#include "core/result.h"
#include "core/socket_table.h"

namespace hopscope::cli {

struct PortQuery {
    enum class Kind : std::uint8_t { port, endpoint, path, process } kind{};
    std::string text;                  // as given; hostile
    std::uint16_t port = 0;            // port, endpoint
    std::optional<IpAddress> address;  // endpoint; absent: any ("*:10250")
    std::string path;                  // path; "@…" is an abstract name
    std::uint64_t file_device = 0,
                  file_inode = 0;  // path: of the file that lies there; the caller asks the host's root
    std::string name;              // process: "kubelet"; empty: by pid only
    std::uint32_t pid = 0;         // process: "kubelet[5714]", "5714" when no port fits; 0: none
};

// Usage errors (USE-01) say what is valid.
Result<PortQuery> parse_query(std::string_view text);

// The listeners that answer the question. One on all addresses answers for each address; a socket that was renamed
// after bind is found by its file. A number that is no listening port is then tried as a pid, and a name that no
// process has as the end of a socket's path.
std::vector<const chain::Verdict*> find_listeners(const PortQuery& query, const std::vector<chain::Verdict>& verdicts,
                                                  const SocketTable& table);

// Why nothing was found, and what to try: that the port is a client's end of a connection, the listeners with the
// nearest numbers or names. For Error::why and Error::hint.
struct NotListening {
    std::string why, hint;
};
NotListening explain_not_listening(const PortQuery& query, const std::vector<chain::Verdict>& all,
                                   const SocketTable& table);

}  // namespace hopscope::cli
