// containerd's own API about processes: by its paths, and by the shape of its messages where paths are not known.
#include "decode/grpc/task_service.h"

#include <gtest/gtest.h>

#include "wire.h"

namespace hopscope::tests {
namespace {

using decode::grpc::is_task_exec;
using decode::grpc::may_name_exec;
using decode::grpc::parse_task_path;
using decode::grpc::task_method_of_answer;

const std::string kContainer(64, 'c'), kExec(64, 'e');

// A field of protobuf with a length of less than 128 bytes, or of up to 16,383.
std::string text(unsigned number, const std::string& value) {
    std::string out(1, static_cast<char>(number << 3 | 2));
    if (value.size() > 127) out += static_cast<char>(0x80 | (value.size() & 0x7f));
    out += static_cast<char>(value.size() > 127 ? value.size() >> 7 : value.size());
    return out + value;
}
std::string number(unsigned field, unsigned char value) {
    return {static_cast<char>(field << 3), static_cast<char>(value)};
}
std::string exec_request(const std::string& type) {
    return text(1, kContainer) + text(6, text(1, type) + text(2, R"({"args":["sh"]})")) + text(7, kExec);
}
std::string_view answer(const std::string& body) {
    const auto* method = task_method_of_answer(as_bytes(body));
    return method ? method->name : "";
}

TEST(TaskService, IsKnownByItsPath) {
    EXPECT_TRUE(parse_task_path("/containerd.services.tasks.v1.Tasks/Exec").known);
    EXPECT_EQ(parse_task_path("/containerd.services.tasks.v1.Tasks/Start").method, "Start");
    EXPECT_TRUE(parse_task_path("/containerd.services.tasks.v1.Tasks/Later").tasks);
    EXPECT_FALSE(parse_task_path("/containerd.services.tasks.v1.Tasks/Later").known);
    for (const char* path :
         {"/containerd.services.tasks.v1.Tasks", "/containerd.services.tasks.v1.Tasks/",
          "/containerd.services.containers.v1.Containers/Get", "/runtime.v1.RuntimeService/Exec", ""})
        EXPECT_FALSE(parse_task_path(path).tasks) << path;
}

TEST(TaskService, AnExecIsKnownByItsProcessSpecification) {
    EXPECT_TRUE(is_task_exec(as_bytes(exec_request("types.containerd.io/opencontainers/runtime-spec/1/Process"))));
    EXPECT_FALSE(is_task_exec(as_bytes(exec_request("types.containerd.io/something/else"))));
    // A CRI Exec: the container and words of a command.
    EXPECT_FALSE(is_task_exec(as_bytes(text(1, kContainer) + text(2, "sh"))));
    EXPECT_FALSE(is_task_exec(as_bytes("")));
}

TEST(TaskService, StartAndWaitAreToldByTheirAnswers) {
    EXPECT_TRUE(may_name_exec(as_bytes(text(1, kContainer) + text(2, kExec))));
    EXPECT_FALSE(may_name_exec(as_bytes(text(1, kContainer) + text(2, "sh"))));
    EXPECT_FALSE(may_name_exec(as_bytes(text(1, kContainer))));
    EXPECT_EQ(answer(number(1, 77)), "Start");
    // Seconds since 1970: 1,700,000,000.
    const std::string seconds("\x08\x80\xe2\xcf\xaa\x06", 6);
    EXPECT_EQ(answer(number(1, 3) + text(2, seconds)), "Wait");
    EXPECT_EQ(answer(text(2, seconds)), "Wait") << "0 is not written";
    EXPECT_EQ(answer(""), "");
    EXPECT_EQ(answer(text(1, kContainer)), "");
    EXPECT_EQ(answer(number(1, 77) + number(5, 1)), "");
}

}  // namespace
}  // namespace hopscope::tests
