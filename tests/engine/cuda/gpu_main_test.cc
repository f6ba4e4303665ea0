// Skips every test of this program where there is no usable device.
#include <gtest/gtest.h>

#include <cstdio>

#include "engine/cuda/cuda_executor.h"
#include "engine/cuda/devices.h"
#include "engine/cuda/runtime.h"

namespace assay::engine {
namespace {

class Device : public testing::Environment {
 public:
  void SetUp() override {
    if (!cuda_usable()) {
      // ctest looks for this mark in the output of a single test.
      std::puts("[  SKIPPED ] no usable device");
      GTEST_SKIP() << gpu_report().problem;
    }
    (void)use_device(0);
  }
};

const auto* const kDevice = testing::AddGlobalTestEnvironment(new Device);

}  // namespace
}  // namespace assay::engine
