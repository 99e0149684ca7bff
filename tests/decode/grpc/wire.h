// Makes the bytes that the tests of this folder decode: HTTP/2 frames, header blocks (nghttp2's deflater: not our
// code), gRPC messages, protobuf fields.
#pragma once

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "decode/grpc/frame.h"

namespace hopscope::tests {

inline std::string be32(std::uint32_t value) {
    return {static_cast<char>(value >> 24), static_cast<char>(value >> 16), static_cast<char>(value >> 8),
            static_cast<char>(value)};
}

inline std::string frame(std::uint8_t type, std::uint8_t flags, std::uint32_t stream, std::string_view payload) {
    std::string out = be32(static_cast<std::uint32_t>(payload.size())).substr(1);
    out += static_cast<char>(type);
    out += static_cast<char>(flags);
    out += be32(stream);
    out += payload;
    return out;
}

inline std::string preface() { return std::string(decode::grpc::kPreface) + frame(4, 0, 0, ""); }
inline std::string ping() { return frame(6, 0, 0, "8 bytes."); }
inline std::string data(std::uint32_t stream, std::string_view payload, bool end = false) {
    return frame(0, end ? 1 : 0, stream, payload);
}
inline std::string reset_frame(std::uint32_t stream, std::uint32_t code) { return frame(3, 0, stream, be32(code)); }

inline std::string grpc_message(std::string_view body, bool compressed = false) {
    return std::string(1, compressed ? '\1' : '\0') + be32(static_cast<std::uint32_t>(body.size())) + std::string(body);
}

using Fields = std::vector<std::pair<std::string, std::string>>;

// Parts in order. (The operands of + may be made in any order, and encoders remember what they made before.)
inline std::string seq(std::initializer_list<std::string> parts) {
    std::string out;
    for (const std::string& part : parts) out += part;
    return out;
}

// Header frames as clients and servers of gRPC send them, whatever the encoder.
class HeaderWriter {
public:
    virtual ~HeaderWriter() = default;
    virtual std::string block(const Fields& fields) = 0;

    std::string headers(std::uint32_t stream, const Fields& fields, bool end = false) {
        return frame(1, end ? 5 : 4, stream, block(fields));
    }
    // A gRPC request's headers.
    std::string call(std::uint32_t stream, std::string_view path) {
        return headers(stream, {{":method", "POST"},
                                {":scheme", "http"},
                                {":path", std::string(path)},
                                {":authority", "localhost"},
                                {"content-type", "application/grpc"},
                                {"user-agent", "grpc-go/1.47.0"},
                                {"te", "trailers"}});
    }
    std::string answer(std::uint32_t stream) {
        return headers(stream, {{":status", "200"}, {"content-type", "application/grpc"}});
    }
    std::string trailers(std::uint32_t stream, std::string_view status = "0", std::string_view message = "") {
        return headers(stream, {{"grpc-status", std::string(status)}, {"grpc-message", std::string(message)}}, true);
    }
};

// nghttp2's encoder: Huffman, static table, does not put :path into the dynamic table.
class Deflater final : public HeaderWriter {
public:
    explicit Deflater(std::size_t table_bytes = 4096) {
        nghttp2_hd_deflater* made = nullptr;
        nghttp2_hd_deflate_new(&made, table_bytes);
        deflater_.reset(made);
    }
    void table_size(std::size_t bytes) { nghttp2_hd_deflate_change_table_size(deflater_.get(), bytes); }

    std::string block(const Fields& fields) override {
        std::vector<nghttp2_nv> all;
        for (const auto& [name, value] : fields)
            all.push_back({bytes(name), bytes(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE});
        std::string out(nghttp2_hd_deflate_bound(deflater_.get(), all.data(), all.size()), '\0');
        const auto size = nghttp2_hd_deflate_hd(deflater_.get(), bytes(out), out.size(), all.data(), all.size());
        out.resize(static_cast<std::size_t>(size));
        return out;
    }

private:
    static std::uint8_t* bytes(const std::string& text) {
        return reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data()));
    }
    struct Free {
        void operator()(nghttp2_hd_deflater* deflater) const { nghttp2_hd_deflate_del(deflater); }
    };
    std::unique_ptr<nghttp2_hd_deflater, Free> deflater_;
};

// As Go's encoder does, every field goes into the dynamic table and is an index from then on (no Huffman here; the
// fields must fit the table's 4096 bytes).
class IndexingDeflater final : public HeaderWriter {
public:
    std::string block(const Fields& fields) override {
        std::string out;
        for (const auto& field : fields) {
            const auto at = std::find(table_.rbegin(), table_.rend(), field);
            if (at != table_.rend()) {
                out += static_cast<char>(0x80 | (62 + (at - table_.rbegin())));
                continue;
            }
            out += '\x40';
            for (const std::string& text : {field.first, field.second}) out += static_cast<char>(text.size()) + text;
            table_.push_back(field);
        }
        return out;
    }

private:
    Fields table_;
};

// --- protobuf

inline std::string varint(std::uint64_t value) {
    std::string out;
    for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
    return out + static_cast<char>(value);
}
inline std::string pb(unsigned number, std::string_view bytes) {
    return varint(number << 3 | 2) + varint(bytes.size()) + std::string(bytes);
}
inline std::string pb(unsigned number, std::uint64_t value) { return varint(number << 3) + varint(value); }
inline std::string pb(unsigned number, int value) { return pb(number, static_cast<std::uint64_t>(value)); }
inline std::string pb_label(unsigned number, std::string_view key, std::string_view value) {
    return pb(number, pb(1, key) + pb(2, value));
}

// 64 hexadecimal digits.
inline std::string id_of(char digit) { return std::string(64, digit); }

// A Container as ListContainers tells it.
inline std::string pb_container(std::string_view id, std::string_view sandbox, std::string_view name,
                                std::string_view pod) {
    return pb(1, id) + pb(2, sandbox) + pb(3, pb(1, name)) + pb(6, 1) + pb(7, 1795280505000000000U) +
           pb_label(8, "io.kubernetes.container.name", name) + pb_label(8, "io.kubernetes.pod.name", pod) +
           pb_label(8, "io.kubernetes.pod.namespace", "default") + pb_label(8, "io.kubernetes.pod.uid", "uid-1");
}
// A PodSandbox as ListPodSandbox tells it.
inline std::string pb_sandbox(std::string_view id, std::string_view pod) {
    return pb(1, id) + pb(2, pb(1, pod) + pb(2, "uid-1") + pb(3, "default")) + pb(4, 1795280505000000000U) +
           pb_label(5, "io.kubernetes.pod.name", pod) + pb_label(5, "io.kubernetes.pod.namespace", "default");
}

}  // namespace hopscope::tests
