// A file descriptor that is closed when its holder goes.
#pragma once

#include <unistd.h>

#include <utility>

namespace hopscope {

class Descriptor {
public:
    explicit Descriptor(int fd = -1) : fd_(fd) {}
    ~Descriptor() { reset(-1); }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;

    [[nodiscard]] int get() const { return fd_; }
    [[nodiscard]] bool ok() const { return fd_ >= 0; }
    // Closes what was held. errno may change.
    void reset(int fd) {
        if (fd_ >= 0) ::close(fd_);
        fd_ = fd;
    }
    // The caller closes it from now on.
    int release() { return std::exchange(fd_, -1); }

private:
    int fd_;
};

}  // namespace hopscope
