#include "suites/machine.h"

#include <gtest/gtest.h>

namespace assay::suites {
namespace {

TEST(Machine, HasAProcessorAndMemory) {
  const Machine machine = this_machine();
  EXPECT_GE(machine.cores, 1);
  EXPECT_GT(machine.memory_bytes, std::int64_t{1} << 20);
  EXPECT_FALSE(machine.kernel.empty());
  EXPECT_GT(peak_memory_bytes(), std::int64_t{1} << 16);
}

}  // namespace
}  // namespace assay::suites
