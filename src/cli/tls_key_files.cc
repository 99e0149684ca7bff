#include "cli/tls_key_files.h"

#include <cerrno>
#include <cstring>
#include <fstream>

#include "cli/report_error.h"
#include "core/untrusted.h"

namespace hopscope::cli {
namespace {

constexpr std::size_t kKeyFileBytesMax = 64 << 20;  // a key log of some 300,000 connections

Result<std::string> read_key_file(const std::string& name) {
    const auto failed = [&](std::string why) {
        return unexpected(Error{.doing = "cannot read TLS keys",
                                .subject = name,
                                .why = std::move(why),
                                .hint = "name a key log in SSLKEYLOGFILE format",
                                .code = "TLS-10"});
    };
    std::ifstream in(name, std::ios::binary);
    if (!in) return failed(std::strerror(errno));
    std::string text;
    char block[65536];
    while (in.read(block, sizeof block) || in.gcount() > 0) {
        text.append(block, static_cast<std::size_t>(in.gcount()));
        if (text.size() > kKeyFileBytesMax) return failed("larger than 64 MiB");
    }
    if (in.bad()) return failed(std::strerror(errno));
    return text;
}

}  // namespace

Status add_tls_key_files(const std::vector<std::string>& names, decode::TlsKeys& keys) {
    for (const std::string& name : names) {
        const auto text = read_key_file(name);
        if (!text) return unexpected(text.error());
        if (keys.add(*text) == 0) report_note("no TLS secret in '" + display(name) + "'", "TLS-10");
    }
    return Done{};
}

}  // namespace hopscope::cli
