// Runs CUDA kernels on the host, for tests: a kernel's source is compiled as C++ against device.h
// of this folder. The threads of a block are fibers that run one after another and switch where
// they wait: at barriers, in warp operations, on memory barriers. Blocks run in order. Shared
// memory is filled with NaN patterns before each block.
//
// A wait that no thread can end stops the test with a message, as a hanging device would not.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

namespace assay::engine::emulation {

struct Index3 {
  unsigned x = 0;
  unsigned y = 0;
  unsigned z = 0;
};

/// What a thread knows of itself.
struct Here {
  Index3 thread;
  Index3 block;
  Index3 block_dim;
  Index3 grid_dim;
  unsigned rank = 0;           // of the thread in its block
  unsigned cluster_rank = 0;   // of the block in its cluster
  unsigned cluster_blocks = 1;
  std::byte* shared = nullptr;
  std::size_t shared_bytes = 0;
  std::size_t shared_step = 0;  // from a block's shared memory to that of its cluster's next
};
const Here& here();

/// Runs `body` once for every thread of the grid, whose blocks form clusters of `cluster` along x.
/// Subnormals are zero meanwhile, as the kernels are compiled for the device.
void run_grid(Index3 grid, Index3 block, std::size_t shared_bytes, unsigned cluster,
              const std::function<void()>& body);

/// Lets other threads run until `ready()` holds.
void wait_erased(bool (*ready)(void*), void* context);
template <typename Ready>
void wait_until(Ready& ready) {
  wait_erased([](void* context) { return static_cast<bool>((*static_cast<Ready*>(context))()); },
              &ready);
}

/// All threads of the block that have not returned.
void sync_block();
/// The same of the cluster: arriving and waiting apart. Returns what to wait for.
std::uint64_t cluster_arrive();
void cluster_wait(std::uint64_t ticket);
/// Named barrier of `threads` threads.
void sync_named(unsigned id, unsigned threads);

/// The 32 lanes of a warp show each other up to 64 bytes. Returns [32][64], valid until the lane's
/// next but one exchange.
inline constexpr std::size_t kSlotBytes = 64;
const std::byte* exchange(const void* mine, std::size_t bytes);

/// Number of threads that have run since the program started: for tests of the emulator.
std::uint64_t threads_run();

}  // namespace assay::engine::emulation
