// A file that is written record by record: buffered, private, and whole records only.
#pragma once

#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

#include "core/bytes.h"
#include "core/result.h"

namespace hopscope::capture {

class OutputFile {
public:
    // Creates `name` with mode 0600; an existing file is replaced only with `overwrite` (its name then stands for a new
    // file: links and open readers keep the old one). Under sudo the file belongs to the caller (SUDO_UID, SUDO_GID).
    // "-" is standard output; a device or FIFO is written to as it is. CAP-20, CAP-21.
    static Result<std::unique_ptr<OutputFile>> create(const std::string& name, bool overwrite);
    ~OutputFile();
    OutputFile(const OutputFile&) = delete;
    OutputFile& operator=(const OutputFile&) = delete;

    // Appends one record, given in parts. When it or one before it cannot be written, the file is cut back to the last
    // whole record, and this and every later call returns the error (CAP-20).
    Status append(std::initializer_list<Bytes> parts);
    Status flush();
    Status close();

private:
    OutputFile(std::string name, int fd, bool regular) : name_(std::move(name)), fd_(fd), regular_(regular) {}
    int write_all(Bytes bytes, std::size_t& written) const;
    Status fail(int error);

    std::string name_;
    int fd_;
    bool regular_;
    std::vector<std::uint8_t> buffer_;
    std::vector<std::size_t> ends_;  // of the records in buffer_
    std::uint64_t whole_bytes_ = 0;  // of records that are in the file completely
    int error_ = 0;                  // errno of the failure; 0: none
};

}  // namespace hopscope::capture
