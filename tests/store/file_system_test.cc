// Where a store may lie: WAL needs shared memory and locks that file systems of a network lack.
#include "store/file_system.h"

#include <gtest/gtest.h>

namespace assay::store {
namespace {

TEST(FileSystem, NetworksAreToldFromDisks) {
  for (const std::uint32_t network :
       {0x6969U, 0x517BU, 0xFE534D42U, 0xFF534D42U, 0x01021997U, 0x65735546U}) {
    EXPECT_TRUE(is_network_file_system(network)) << network;
  }
  // ext4, XFS, Btrfs, tmpfs, overlay, ZFS
  for (const std::uint32_t local :
       {0xEF53U, 0x58465342U, 0x9123683EU, 0x01021994U, 0x794C7630U, 0x2FC12FC1U}) {
    EXPECT_FALSE(is_network_file_system(local)) << local;
  }
}

TEST(FileSystem, AFolderThatCannotBeLookedAtIsTakenForADisk) {
  EXPECT_FALSE(on_network("/no/such/folder/results.db"));
  EXPECT_FALSE(folder_writable("/no/such/folder/results.db"));
  EXPECT_FALSE(on_network("results.db"));
}

}  // namespace
}  // namespace assay::store
