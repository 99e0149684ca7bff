#include "decode/tls/certificate.h"

#include <openssl/err.h>
#include <openssl/x509.h>

#include <memory>

#include "core/limits.h"

namespace hopscope::decode::tls {
namespace {

void append_escaped(std::string& out, std::string_view value) {
    for (const char c : value.substr(0, limits::kTlsNameBytesMax)) {
        if (c == ',' || c == '=' || c == '\\') out += '\\';
        out += c;
    }
}

std::string text_of(const X509_NAME* name) {
    std::string out;
    std::size_t told = 0;
    const int entries = X509_NAME_entry_count(name);
    for (int i = 0; i < entries && told < limits::kTlsNamePartsMax; ++i) {
        const X509_NAME_ENTRY* entry = X509_NAME_get_entry(name, i);
        const int kind = OBJ_obj2nid(X509_NAME_ENTRY_get_object(entry));
        if (kind != NID_commonName && kind != NID_organizationName) continue;
        unsigned char* utf8 = nullptr;
        const int size = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(entry));
        if (size < 0) continue;
        if (!out.empty()) out += ", ";
        out += kind == NID_commonName ? "CN=" : "O=";
        append_escaped(out, as_text({utf8, static_cast<std::size_t>(size)}));
        OPENSSL_free(utf8);
        ++told;
    }
    return out;
}

}  // namespace

std::optional<Names> certificate_names(Bytes der) {
    if (der.empty() || der.size() > limits::kTlsHandshakeBytesMax) return std::nullopt;
    // What libcrypto says about a broken certificate must not stay in the thread's error queue.
    ERR_set_mark();
    const unsigned char* at = der.data();
    const std::unique_ptr<X509, decltype(&X509_free)> certificate(d2i_X509(nullptr, &at, static_cast<long>(der.size())),
                                                                  &X509_free);
    std::optional<Names> names;
    if (certificate)
        names = {text_of(X509_get_subject_name(certificate.get())), text_of(X509_get_issuer_name(certificate.get()))};
    ERR_pop_to_mark();
    return names;
}

}  // namespace hopscope::decode::tls
