#include "procmap/config/files.h"

#include <gtest/gtest.h>

#include "procmap/config/config_tree.h"

namespace hopscope::procmap {
namespace {

using test::process_of;
using test::told;
using test::Tree;

std::string port_line(int port) {
    return "version = 2\n[plugins.\"io.containerd.grpc.v1.cri\"]\nstream_server_port = \"" + std::to_string(port) +
           "\"\n";
}

// A process whose root is a directory of the node: an absolute link below it means a file below it.
TEST(ProcessFiles, AnAbsoluteLinkIsOneOfTheProcess) {
    const Tree tree;
    tree.link("/proc/4242/root", "/containers/a");
    tree.write("/settings/c.toml", port_line(1111));
    tree.write("/containers/a/settings/c.toml", port_line(2222));
    tree.link("/containers/a/cfg.toml", "/settings/c.toml");
    const ComponentConfig config = read_config(
        HostRoot(tree.directory()), process_of(ProcessRole::containerd, {"containerd", "--config", "/cfg.toml"}));
    EXPECT_EQ(told(config, "stream_server_port"), "2222 @/cfg.toml:3");
}

TEST(ProcessFiles, NoFileOfTheNodeStandsInForOneThatIsNotThere) {
    const Tree tree;
    tree.link("/proc/4242/root", "/containers/a");
    tree.write("/settings/c.toml", port_line(1111));
    tree.link("/containers/a/cfg.toml", "/settings/c.toml");
    const ComponentConfig config = read_config(
        HostRoot(tree.directory()), process_of(ProcessRole::containerd, {"containerd", "--config", "/cfg.toml"}));
    EXPECT_EQ(told(config, "stream_server_port").find("1111"), std::string::npos);
    EXPECT_FALSE(config.trouble.empty());
}

// The kernel tells the working directory from our root, the process means it from its own.
TEST(ProcessFiles, RelativePathsBelowAnotherRoot) {
    const Tree tree;
    tree.link("/proc/4242/root", "/containers/a");
    tree.link("/proc/4242/cwd", "/containers/a/srv");
    tree.write("/containers/a/srv/c.toml", port_line(2222));
    tree.write("/srv/c.toml", port_line(1111));
    const ComponentConfig config =
        read_config(HostRoot(tree.directory()), process_of(ProcessRole::containerd, {"containerd", "-c", "c.toml"}));
    EXPECT_EQ(told(config, "stream_server_port").substr(0, 5), "2222 ");
}

}  // namespace
}  // namespace hopscope::procmap
