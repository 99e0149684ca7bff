#include "procmap/table/cgroup_path.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace hopscope::procmap {
namespace {

const std::string kId(64, 'a');
const std::string kOther = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const std::string kUid = "5cf1cf1d-0d3a-4f3c-9a41-52d0f4a6b1c2";
const std::string kUidSystemd = "5cf1cf1d_0d3a_4f3c_9a41_52d0f4a6b1c2";
const std::string kStaticUid = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";

struct Form {
    const char* what;
    std::string path, container, pod;
    bool monitor = false;
};

const std::vector<Form> kForms{
    {"containerd, cgroupfs, burstable", "/kubepods/burstable/pod" + kUid + "/" + kId, kId, kUid},
    {"containerd, cgroupfs, guaranteed", "/kubepods/pod" + kUid + "/" + kId, kId, kUid},
    {"containerd, systemd, besteffort",
     "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" + kUidSystemd + ".slice/cri-containerd-" +
         kId + ".scope",
     kId, kUid},
    {"containerd, systemd, guaranteed",
     "/kubepods.slice/kubepods-pod" + kUidSystemd + ".slice/cri-containerd-" + kId + ".scope", kId, kUid},
    {"a systemd name taken as a path", "/kubepods-burstable-pod" + kUidSystemd + ".slice:cri-containerd:" + kId, kId,
     kUid},
    {"the same below containerd's own unit",
     "/system.slice/containerd.service/kubepods-burstable-pod" + kUidSystemd + ".slice:cri-containerd:" + kId, kId,
     kUid},
    {"CRI-O, systemd",
     "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + kUidSystemd + ".slice/crio-" + kId + ".scope",
     kId, kUid},
    {"CRI-O with crun's sub-group",
     "/kubepods.slice/kubepods-pod" + kUidSystemd + ".slice/crio-" + kId + ".scope/container", kId, kUid},
    {"CRI-O, cgroupfs", "/kubepods/besteffort/pod" + kUid + "/crio-" + kId, kId, kUid},
    {"conmon of CRI-O is not the container",
     "/kubepods.slice/kubepods-pod" + kUidSystemd + ".slice/crio-conmon-" + kId + ".scope", "", kUid, true},
    {"conmon of Podman", "/machine.slice/libpod-conmon-" + kId + ".scope", "", "", true},
    {"Docker, cgroupfs", "/docker/" + kId, kId, ""},
    {"Docker, systemd", "/system.slice/docker-" + kId + ".scope", kId, ""},
    {"Docker under the kubelet", "/kubepods.slice/kubepods-pod" + kUidSystemd + ".slice/docker-" + kId + ".scope", kId,
     kUid},
    {"Podman, systemd inside", "/machine.slice/libpod-" + kId + ".scope/init.scope", kId, ""},
    {"nerdctl", "/system.slice/nerdctl-" + kId + ".scope", kId, ""},
    {"kind: a node that is a container", "/docker/" + kOther + "/kubelet/kubepods/burstable/pod" + kUid + "/" + kId,
     kId, kUid},
    {"kind, systemd",
     "/docker-" + kOther + ".scope/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod" + kUidSystemd +
         ".slice/cri-containerd-" + kId + ".scope",
     kId, kUid},
    {"the kubelet of a kind node", "/docker/" + kOther + "/kubelet", kOther, ""},
    {"the pod's own group, no container", "/docker/" + kOther + "/kubelet/kubepods/pod" + kUid, "", kUid},
    {"a static pod", "/kubepods/burstable/pod" + kStaticUid + "/" + kId, kId, kStaticUid},
    {"a static pod, systemd",
     "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + kStaticUid + ".slice/cri-containerd-" + kId +
         ".scope",
     kId, kStaticUid},
    {"seen from inside a cgroup namespace", "/../../pod" + kUid + "/" + kId, kId, kUid},
    {"a sibling seen from inside", "/../cri-containerd-" + kId + ".scope", kId, ""},
    {"podman's pod", "/machine.slice/machine-libpod_pod_" + kOther + ".slice/libpod-" + kId + ".scope/container", kId,
     ""},
    {"the root", "/", "", ""},
    {"a unit", "/system.slice/kubelet.service", "", ""},
    {"63 digits are no id", "/docker/" + kId.substr(1), "", ""},
    {"65 digits are no id", "/docker/a" + kId, "", ""},
    {"no hexadecimal", "/docker/g" + kId.substr(1), "", ""},
    {"a directory named pod", "/podman/pod/podcast", "", ""},
    {"hostile", std::string("/\x1b[2J//:/pod") + kUid.substr(1) + "/:::", "", ""},
};

TEST(CgroupPath, AllForms) {
    for (const Form& form : kForms) {
        const CgroupNames names = names_of_cgroup(form.path);
        EXPECT_EQ(names.container_id, form.container) << form.what;
        EXPECT_EQ(names.pod_uid, form.pod) << form.what;
        EXPECT_EQ(names.is_monitor, form.monitor) << form.what;
    }
}

TEST(CgroupPath, PicksTheLineThatTells) {
    const std::string container = "/kubepods/pod" + kUid + "/" + kId;
    EXPECT_EQ(telling_cgroup("9:name=systemd:/user.slice/a/very/long/path/that/names/nothing/at/all/but/is/longer/than/"
                             "any/other/one/of/this/file/by/far/x/y\n"
                             "4:memory:" +
                             container + "\n3:cpu:/\n0::/\n"),
              container);
    EXPECT_EQ(telling_cgroup("0::/system.slice/ssh.service\n"), "/system.slice/ssh.service");
    EXPECT_EQ(telling_cgroup("1:cpu,cpuacct:/a\n0::/ab"), "/ab");
    EXPECT_EQ(telling_cgroup(""), "");
    EXPECT_EQ(telling_cgroup("no colons\n:\n"), "");
    // A path may itself hold colons.
    EXPECT_EQ(telling_cgroup("0::/x-pod" + kUidSystemd + ".slice:cri-containerd:" + kId),
              "/x-pod" + kUidSystemd + ".slice:cri-containerd:" + kId);
}

TEST(CgroupPath, OfAUserSession) {
    EXPECT_TRUE(is_of_user_session("/user.slice/user-1000.slice/session-3.scope"));
    EXPECT_TRUE(is_of_user_session("/user.slice/user-0.slice/user@0.service/app.slice/x.service"));
    EXPECT_FALSE(is_of_user_session("/system.slice/containerd.service"));
    EXPECT_FALSE(is_of_user_session("/"));
    EXPECT_FALSE(is_of_user_session(""));
}

}  // namespace
}  // namespace hopscope::procmap
