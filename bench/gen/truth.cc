#include "truth.h"

#include <openssl/evp.h>

#include <cinttypes>

namespace hopscope::gen {

void Truth::write(std::FILE* out, std::uint64_t packets, std::uint64_t file_bytes) const {
    struct Count {
        const char* name;
        std::uint64_t value;
    };
    const Count counts[] = {
        {"packets", packets},
        {"file_bytes", file_bytes},
        {"mean_pkt", packets == 0 ? 0 : file_bytes / packets},
        {"conns", connections},
        {"frames", frames()},
        {"spdy_frames", spdy_frames()},
        {"syn_stream", syn_stream},
        {"syn_reply", syn_reply},
        {"rst_stream", rst_stream},
        {"ping", ping},
        {"goaway", goaway},
        {"data", data},
        {"http_requests", http_requests},
        {"http_responses", http_responses},
        {"ws_messages", ws_messages},
        {"ws_close", ws_close},
        {"ws_frames", ws_frames},
        {"tls_records", tls_records},
        {"sessions_exec", sessions[0]},
        {"sessions_portforward", sessions[1]},
        {"sessions_websocket", sessions[4]},
        {"sessions", sessions[0] + sessions[1] + sessions[4]},
        {"conns_http", sessions[2]},
        {"conns_tls", sessions[3]},
        {"streams", streams},
        {"tokens", tokens},
        {"payload_in", payload_in},
        {"payload_out", payload_out},
        {"reordered", reordered},
        {"retransmitted", retransmitted},
        {"overlapping", overlapping},
        {"dropped", lost_segments},
        {"dropped_bytes", lost_bytes},
        {"zero_windows", zero_windows},
        {"keep_alives", keep_alives},
        {"late", late_connections},
        {"fins_lost", fins_lost},
        {"resets", resets},
    };
    const char* before = "{";
    for (const Count& count : counts) {
        std::fprintf(out, "%s\"%s\":%" PRIu64, before, count.name, count.value);
        before = ",";
    }
    std::fputs("}\n", out);
}

struct SessionRecord::Stream {
    Stream(std::uint32_t given, const char* what, int forwarded) : id(given), type(what), port(forwarded) {
        for (auto& hash : hashes) {
            hash.reset(EVP_MD_CTX_new());
            EVP_DigestInit_ex(hash.get(), EVP_sha256(), nullptr);
        }
    }
    struct Free {
        void operator()(EVP_MD_CTX* hash) const { EVP_MD_CTX_free(hash); }
    };
    std::uint32_t id;
    const char* type;
    int port;
    std::uint64_t bytes[2] = {};  // in, out
    std::unique_ptr<EVP_MD_CTX, Free> hashes[2];
};

SessionRecord::SessionRecord() = default;
SessionRecord::~SessionRecord() = default;

void SessionRecord::stream(std::uint32_t id, const char* type, int port) {
    streams_.push_back(std::make_unique<Stream>(id, type, port));
}

void SessionRecord::bytes(std::uint32_t id, bool in, Span piece) {
    // The newest streams are the busy ones.
    for (auto stream = streams_.rbegin(); stream != streams_.rend(); ++stream) {
        if ((*stream)->id != id) continue;
        (*stream)->bytes[in ? 0 : 1] += piece.size();
        EVP_DigestUpdate((*stream)->hashes[in ? 0 : 1].get(), piece.data(), piece.size());
        return;
    }
}

void SessionRecord::write(std::FILE* out) {
    std::fprintf(
        out,
        "{\"token\":\"%s\",\"op\":\"%s\",\"proto\":\"%s\",\"subprotocol\":\"%s\",\"http_status\":101,\"state\":\"%s\","
        "\"client\":{\"address\":\"%s\",\"port\":%u},\"server\":{\"address\":\"%s\",\"port\":%u}",
        token.c_str(), op.c_str(), proto.c_str(), subprotocol.c_str(),
        late ? "cut" : (open ? "open" : (reset ? "reset" : "closed")), client_address.c_str(), unsigned{client_port},
        server_address.c_str(), unsigned{server_port});
    if (exit_code >= 0) std::fprintf(out, ",\"exit_code\":%d,\"status\":\"%s\"", exit_code, status.c_str());
    const char* before = ",\"streams\":[";
    for (auto& stream : streams_) {
        std::fprintf(out, "%s{\"id\":%u,\"type\":\"%s\"", before, stream->id, stream->type);
        if (stream->port > 0) std::fprintf(out, ",\"port\":%d", stream->port);
        std::fprintf(out, ",\"bytes_in\":%" PRIu64 ",\"bytes_out\":%" PRIu64, stream->bytes[0], stream->bytes[1]);
        for (int side = 0; side < 2; ++side) {
            if (stream->bytes[side] == 0) continue;
            unsigned char sum[EVP_MAX_MD_SIZE];
            unsigned size = 0;
            EVP_DigestFinal_ex(stream->hashes[side].get(), sum, &size);
            std::fprintf(out, ",\"sha256_%s\":\"", side == 0 ? "in" : "out");
            for (unsigned i = 0; i < size; ++i) std::fprintf(out, "%02x", unsigned{sum[i]});
            std::fputc('"', out);
        }
        std::fputc('}', out);
        before = ",";
    }
    std::fputs(streams_.empty() ? ",\"streams\":[]}\n" : "]}\n", out);
}

}  // namespace hopscope::gen
