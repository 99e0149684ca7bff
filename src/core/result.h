// A value, or an error that tells the user what failed and how to go on.
//
// Member names follow std::expected (C++23), which g++ 12 does not have in C++20 mode.
#pragma once

#include <string>
#include <utility>
#include <variant>

namespace hopscope {

// Printed as "hopscope: DOING 'SUBJECT': WHY  [CODE]" and "  fix: HINT" (cli/report_error).
// Strings are shown through the sanitiser; `subject` may hold hostile bytes.
struct Error {
    std::string doing;    // "cannot read"
    std::string subject;  // file name, address, filter text …
    std::string why;      // "No such file or directory"
    int errno_value = 0;  // 0: no system call failed
    std::string hint;     // remedy; several lines allowed
    std::string code;     // stable code, "CAP-10"
};

template <typename E>
struct Unexpected {
    E error;
};
inline Unexpected<Error> unexpected(Error error) { return {std::move(error)}; }

template <typename T>
class [[nodiscard]] Result {
public:
    Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
    Result(Unexpected<Error> error) : state_(std::in_place_index<1>, std::move(error.error)) {}

    [[nodiscard]] bool has_value() const { return state_.index() == 0; }
    explicit operator bool() const { return has_value(); }
    T& value() { return std::get<0>(state_); }
    const T& value() const { return std::get<0>(state_); }
    T& operator*() { return *std::get_if<0>(&state_); }
    const T& operator*() const { return *std::get_if<0>(&state_); }
    T* operator->() { return std::get_if<0>(&state_); }
    const T* operator->() const { return std::get_if<0>(&state_); }
    Error& error() { return std::get<1>(state_); }
    const Error& error() const { return std::get<1>(state_); }

private:
    std::variant<T, Error> state_;
};

struct Done {};
using Status = Result<Done>;

}  // namespace hopscope
