#include "store/file_system.h"

#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>

namespace assay::store {

namespace {

// The numbers that statfs(2) and the kernel's headers give.
constexpr std::array<std::uint32_t, 14> kNetworkTypes = {
    0x6969,      // NFS
    0x517B,      // SMB
    0xFE534D42,  // SMB 2
    0xFF534D42,  // CIFS
    0x01021997,  // 9P: folders of a host in a virtual machine
    0x00C36400,  // Ceph
    0x0BD00BD0,  // Lustre
    0x5346414F,  // AFS
    0x6B414653,  // AFS of the kernel
    0x73757245,  // Coda
    0x47504653,  // GPFS
    0x19830326,  // BeeGFS
    0x7461636F,  // OCFS2
    0x65735546,  // FUSE: sshfs and object stores, and some local ones
};

std::filesystem::path folder_of(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
}

}  // namespace

bool is_network_file_system(std::uint32_t type) {
  return std::find(kNetworkTypes.begin(), kNetworkTypes.end(), type) != kNetworkTypes.end();
}

bool on_network(const std::filesystem::path& path) {
  struct statfs info {};
  if (statfs(folder_of(path).c_str(), &info) != 0) return false;
  return is_network_file_system(static_cast<std::uint32_t>(info.f_type));
}

bool folder_writable(const std::filesystem::path& path) {
  return access(folder_of(path).c_str(), W_OK) == 0;
}

}  // namespace assay::store
