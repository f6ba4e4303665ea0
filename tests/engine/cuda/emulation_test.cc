// The host emulation itself: barriers, warp operations, shared memory, and that a wait without end
// is reported.
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <vector>

#include "base/check.h"
#include "engine/cuda/launch.cuh"

namespace assay::engine {
namespace {

void reverse_kernel(const int* in, int* out) {
  int* shared = reinterpret_cast<int*>(shared_memory());
  const auto i = threadIdx.x;
  shared[i] = in[blockIdx.x * blockDim.x + i];
  __syncthreads();
  out[blockIdx.x * blockDim.x + i] = shared[blockDim.x - 1 - i];
}

TEST(Emulation, ThreadsOfABlockMeetAtBarriers) {
  std::vector<int> in(3 * 96);
  std::iota(in.begin(), in.end(), 0);
  std::vector<int> out(in.size(), -1);
  launch(nullptr, {.grid_x = 3, .threads = 96, .shared_bytes = 96 * sizeof(int)}, reverse_kernel,
         in.data(), out.data());
  for (int block = 0; block < 3; ++block) {
    for (int i = 0; i < 96; ++i) {
      EXPECT_EQ(out[static_cast<std::size_t>(block * 96 + i)], block * 96 + 95 - i);
    }
  }
}

void warp_sum_kernel(int* out) {
  int value = static_cast<int>(threadIdx.x);
  for (int lanes = 16; lanes >= 1; lanes /= 2) value += __shfl_xor_sync(kAllLanes, value, lanes);
  const unsigned odd = __ballot_sync(kAllLanes, static_cast<int>(threadIdx.x % 2));
  if (threadIdx.x % 32 == 0) {
    out[threadIdx.x / 32 * 2] = value;
    out[threadIdx.x / 32 * 2 + 1] = static_cast<int>(odd);
  }
}

TEST(Emulation, LanesOfAWarpExchangeValues) {
  std::vector<int> out(8, 0);
  launch(nullptr, {.threads = 128}, warp_sum_kernel, out.data());
  for (int warp = 0; warp < 4; ++warp) {
    EXPECT_EQ(out[static_cast<std::size_t>(2 * warp)], 496 + 1024 * warp);
    EXPECT_EQ(static_cast<unsigned>(out[static_cast<std::size_t>(2 * warp + 1)]), 0xAAAAAAAAU);
  }
}

void poison_kernel(float* out) {
  float* shared = reinterpret_cast<float*>(shared_memory());
  if (threadIdx.x != 0) return;
  out[blockIdx.x] = shared[0];
  shared[0] = 1;
}

TEST(Emulation, SharedMemoryBeginsAsNaNInEveryBlock) {
  std::vector<float> out(3, 0);
  launch(nullptr, {.grid_x = 3, .threads = 32, .shared_bytes = 64}, poison_kernel, out.data());
  for (const float value : out) EXPECT_TRUE(std::isnan(value));
}

void stuck_kernel(int /*unused*/) {
  if (threadIdx.x < 32) emulation::sync_named(1, 64);
}

TEST(Emulation, AWaitWithoutEndIsReported) {
  EXPECT_THROW(launch(nullptr, {.threads = 64}, stuck_kernel, 0), CheckFailure);
}

}  // namespace
}  // namespace assay::engine
