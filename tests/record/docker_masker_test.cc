// What stays of bodies of the Docker API when they are masked.
#include "record/docker_masker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hopscope::record {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string masked(std::string body, Pseudonyms& names) {
    MaskCounts counts;
    const std::size_t size = body.size();
    mask_docker_body(body, names, counts);
    EXPECT_EQ(body.size(), size);
    return body;
}

TEST(DockerMasker, IdsFlagsAndNumbersStayAndTextsDoNot) {
    Pseudonyms names;
    const std::string out = masked(
        R"({"Id":"abc","Tty":true,"ExitCode":3,"Env":["PASSWORD=hunter2"],"Labels":{"io.kubernetes.pod.name":"web","Id":"hunter2"},"Path":"hunter2"})",
        names);
    EXPECT_THAT(out, HasSubstr(R"("Id":"abc","Tty":true,"ExitCode":3)"));
    EXPECT_THAT(out, HasSubstr(R"("io.kubernetes.pod.name":"web")"));
    EXPECT_THAT(out, Not(HasSubstr("hunter2")));
    EXPECT_THAT(out, HasSubstr(R"("Env":["xxxxxxxxxxxxxxxx"])"));
}

TEST(DockerMasker, WordsOfCommandsHaveOneStandInEverywhere) {
    Pseudonyms names;
    const std::string word = names.of_word("planted-in-the-command", 'y');
    const std::string made = masked(R"({"Cmd":["planted-in-the-command","-c"],"Entrypoint":null})", names);
    const std::string asked =
        masked(R"({"ProcessConfig":{"entrypoint":"sh","arguments":["planted-in-the-command"]},"ID":"e1"})", names);
    EXPECT_THAT(made, HasSubstr('"' + word + '"'));
    EXPECT_THAT(asked, HasSubstr('"' + word + '"'));
    EXPECT_THAT(asked, HasSubstr(R"("ID":"e1")"));
    EXPECT_THAT(made + asked, Not(HasSubstr("planted")));
}

TEST(DockerMasker, WhatIsCutOffOrNoJsonIsOverwritten) {
    Pseudonyms names;
    EXPECT_THAT(masked(R"({"Path":"hunter2)", names), Not(HasSubstr("hunter2")));
    EXPECT_THAT(masked(R"("hunter2" "hunter2\")", names), Not(HasSubstr("hunter2")));
}

TEST(DockerMasker, OnlyBodiesThatSayWhatThereIsAreRead) {
    const std::string exec(64, 'e');
    EXPECT_TRUE(has_docker_bodies("POST", "/v1.41/containers/web/exec"));
    EXPECT_TRUE(has_docker_bodies("POST", "/v1.41/containers/create?name=web"));
    EXPECT_TRUE(has_docker_bodies("GET", "/v1.41/exec/" + exec + "/json"));
    EXPECT_FALSE(has_docker_bodies("POST", "/v1.41/build"));
    EXPECT_FALSE(has_docker_bodies("POST", "/v1.41/auth"));
    EXPECT_FALSE(has_docker_bodies("POST", "/api/v1/namespaces/default/pods"));
}

}  // namespace
}  // namespace hopscope::record
