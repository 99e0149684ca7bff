// A server on a unix socket in a temporary directory, in a thread of its own, that does what a test says; and a fake
// CRI made of the repository's own pieces: its decoder reads the calls, its messages are the answers.
#pragma once

#include <cri.pb.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <map>
#include <string>
#include <thread>

#include "decode/grpc/frame.h"
#include "decode/grpc/grpc.h"
#include "decode/road.h"
#include "procmap/table/tree.h"

namespace hopscope::procmap::test {

// One accepted connection. Reads give up when the test is over.
class Peer {
public:
    Peer(int fd, const std::atomic<bool>& over) : fd_(fd), over_(over) {}
    // Empty: closed, or the test is over.
    std::string read() const {
        std::string bytes(65536, '\0');
        while (!over_) {
            pollfd waiting{fd_, POLLIN, 0};
            if (::poll(&waiting, 1, 10) <= 0) continue;
            const ssize_t got = ::recv(fd_, bytes.data(), bytes.size(), 0);
            bytes.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
            return bytes;
        }
        return {};
    }
    void write(std::string_view bytes) const {
        while (!bytes.empty() && !over_) {
            const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
            if (sent < 0 && errno != EAGAIN) return;
            if (sent < 0) {
                ::usleep(500);
                continue;
            }
            bytes.remove_prefix(static_cast<std::size_t>(sent));
        }
    }
    // False: the other side has closed.
    [[nodiscard]] bool open() const {
        pollfd waiting{fd_, 0, 0};
        return !over_ && (::poll(&waiting, 1, 0) == 0 || (waiting.revents & (POLLHUP | POLLERR)) == 0);
    }
    void until_over() const {
        while (!read().empty()) {
        }
    }

private:
    int fd_;
    const std::atomic<bool>& over_;
};

class FakeServer {
public:
    explicit FakeServer(std::function<void(const Peer&)> talk) : path_(tree_.path("/s.sock")), talk_(std::move(talk)) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path_.copy(address.sun_path, sizeof address.sun_path - 1);
        listener_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        EXPECT_EQ(::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
        EXPECT_EQ(::listen(listener_, 8), 0);
        thread_ = std::thread([this] { serve(); });
    }
    ~FakeServer() {
        over_ = true;
        thread_.join();
        ::close(listener_);
    }
    [[nodiscard]] const std::string& path() const { return path_; }
    [[nodiscard]] int connections() const { return connections_; }

private:
    void serve() {
        while (!over_) {
            pollfd waiting{listener_, POLLIN, 0};
            if (::poll(&waiting, 1, 10) <= 0) continue;
            const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
            if (fd < 0) continue;
            ++connections_;
            talk_(Peer(fd, over_));
            ::close(fd);
        }
    }

    Tree tree_;
    std::string path_;
    std::function<void(const Peer&)> talk_;
    int listener_ = -1;
    std::atomic<bool> over_ = false;
    std::atomic<int> connections_ = 0;
    std::thread thread_;
};

inline std::string frame(std::uint8_t type, std::uint8_t flags, std::uint32_t stream, std::string_view payload) {
    std::string out;
    for (const int shift : {16, 8, 0}) out += static_cast<char>(payload.size() >> shift & 0xff);
    out += static_cast<char>(type);
    out += static_cast<char>(flags);
    for (const int shift : {24, 16, 8, 0}) out += static_cast<char>(stream >> shift & 0xff);
    return out.append(payload);
}

inline std::string field(std::string_view name, std::string_view value) {
    std::string out(1, '\0');
    out += static_cast<char>(name.size());
    out.append(name) += static_cast<char>(value.size());
    return out.append(value);
}

inline std::string settings_frame() { return frame(decode::grpc::frame_type::settings, 0, 0, ""); }

// The whole answer of a unary call; a message larger than a frame is cut into several.
inline std::string unary(std::uint32_t stream, std::string_view message) {
    using namespace decode::grpc;
    std::string body(1, '\0');
    for (const int shift : {24, 16, 8, 0}) body += static_cast<char>(message.size() >> shift & 0xff);
    body += message;
    std::string out =
        frame(frame_type::headers, frame_flag::end_headers, stream, "\x88" + field("content-type", "application/grpc"));
    for (std::size_t at = 0; at < body.size(); at += 16384)
        out += frame(frame_type::data, 0, stream, std::string_view(body).substr(at, 16384));
    return out + frame(frame_type::headers, frame_flag::end_headers | frame_flag::end_stream, stream,
                       field("grpc-status", "0"));
}

inline std::string refusal(std::uint32_t stream, std::string_view status, std::string_view message) {
    using namespace decode::grpc;
    return frame(frame_type::headers, frame_flag::end_headers | frame_flag::end_stream, stream,
                 "\x88" + field("content-type", "application/grpc") + field("grpc-status", status) +
                     field("grpc-message", message));
}

// Answers each call by its path ("/runtime.v1.RuntimeService/Version"); anything else is unimplemented.
class FakeCri final : public EventSink {
public:
    std::map<std::string, std::string> messages;  // path → body
    std::string status = "12";                    // of the others
    std::vector<std::string> asked;

    void operator()(const Peer& peer) {
        decode::Road road(decode::grpc::make_http2(false));
        peer.write(settings_frame() + frame(decode::grpc::frame_type::ping, 0, 0, "12345678"));
        while (true) {
            const std::string bytes = peer.read();
            if (bytes.empty()) return;
            all += bytes;
            road.feed(Direction::to_server, as_bytes(bytes), *this);
            peer.write(std::exchange(out_, {}));
        }
    }
    void on(const Event& event) override {
        const auto* request = std::get_if<HttpRequest>(&event);
        if (!request) return;
        asked.emplace_back(request->target);
        const auto found = messages.find(asked.back());
        out_ += found == messages.end() ? refusal(request->exchange, status, "unknown service")
                                        : unary(request->exchange, found->second);
    }

    std::string all;  // that came

private:
    std::string out_;
};

inline std::string hex_id(char digit) { return std::string(64, digit); }

inline std::string version_message(const std::string& name, const std::string& version) {
    cri::VersionResponse response;
    response.set_runtime_name(name);
    response.set_runtime_version(version);
    return response.SerializeAsString();
}

inline std::string sandboxes_message() {
    cri::ListPodSandboxResponse response;
    cri::PodSandbox* item = response.add_items();
    item->set_id(hex_id('a'));
    item->mutable_metadata()->set_name("web-0");
    item->mutable_metadata()->set_namespace_("default");
    item->mutable_metadata()->set_uid("6b1f6c2e-0d5a-4c62-9d6a-2f0a7b8c9d01");
    return response.SerializeAsString();
}

inline std::string containers_message(std::size_t count = 1) {
    cri::ListContainersResponse response;
    for (std::size_t i = 0; i < count; ++i) {
        cri::Container* item = response.add_containers();
        std::string id = std::to_string(i);
        item->set_id(std::string(64 - id.size(), 'b') + id);
        item->set_pod_sandbox_id(hex_id('a'));
        item->mutable_metadata()->set_name("nginx");
        for (const auto& [key, value] :
             {std::pair("io.kubernetes.pod.name", "web-0"), std::pair("io.kubernetes.pod.namespace", "default"),
              std::pair("io.kubernetes.pod.uid", "6b1f6c2e-0d5a-4c62-9d6a-2f0a7b8c9d01")}) {
            cri::Label* label = item->add_labels();
            label->set_key(key);
            label->set_value(value);
        }
    }
    return response.SerializeAsString();
}

inline std::map<std::string, std::string> usual_messages(const std::string& version) {
    const std::string service = "/runtime." + version + ".RuntimeService/";
    return {{service + "Version", version_message("containerd", "1.6.20")},
            {service + "ListPodSandbox", sandboxes_message()},
            {service + "ListContainers", containers_message()}};
}

}  // namespace hopscope::procmap::test
