#include "engine/cuda/emulation/grid.h"

#include <setjmp.h>
#include <ucontext.h>

#include <array>
#include <cstring>
#include <exception>
#include <map>
#include <vector>

#include "base/check.h"
#include "engine/ops/cpu_kernels.h"

namespace assay::engine::emulation {
namespace {

constexpr std::size_t kStackBytes = std::size_t{128} << 10;
constexpr unsigned kLanes = 32;

#ifdef ASSAY_SANITIZED
/// Where a fiber, or who runs them, goes on. A sanitizer takes a jump for the end of the frames
/// that it leaves, so contexts are switched.
struct Place {
  ucontext_t context{};
};

void go(Place& from, Place& to) { swapcontext(&from.context, &to.context); }
#else
/// Where a fiber, or who runs them, goes on: first at its context, then by jumps. They save no
/// signal mask, which is a system call.
struct Place {
  ucontext_t context{};
  jmp_buf state{};
  bool left = false;  // state tells where
};

void go(Place& from, Place& to) {
  from.left = true;
  if (_setjmp(from.state) != 0) return;
  if (to.left) _longjmp(to.state, 1);
  setcontext(&to.context);
}
#endif

struct Fiber {
  Place place;
  Here here;
  bool done = false;
};

struct Barrier {
  unsigned arrived = 0;
  std::uint64_t phase = 0;
};

/// Two slots a lane, so that a lane may enter its next exchange while others still read this one.
struct Warp {
  std::array<std::array<std::byte, kLanes * kSlotBytes>, 2> slots{};
  std::array<unsigned, 2> arrived{};
  std::array<std::uint64_t, kLanes> count{};  // exchanges a lane has entered
  std::array<std::uint64_t, 2> phase{};
};

/// A block of the cluster that runs now.
struct Block {
  std::vector<Warp> warps;
  std::map<unsigned, Barrier> barriers;
  unsigned alive = 0;
};

/// The cluster that runs now.
class BlockRun {
 public:
  BlockRun(const Here& base, unsigned threads, std::vector<std::byte>& stacks,
           const std::function<void()>& body)
      : body_(body), fibers_(std::size_t{threads} * base.cluster_blocks) {
    blocks_.resize(base.cluster_blocks);
    for (Block& block : blocks_) {
      block.warps.resize((threads + kLanes - 1) / kLanes);
      block.alive = threads;
    }
    for (std::size_t i = 0; i < fibers_.size(); ++i) {
      Fiber& fiber = fibers_[i];
      fiber.here = base;
      fiber.here.rank = static_cast<unsigned>(i) % threads;
      fiber.here.cluster_rank = static_cast<unsigned>(i) / threads;
      fiber.here.block.x += fiber.here.cluster_rank;
      fiber.here.shared += fiber.here.cluster_rank * base.shared_step;
      const unsigned rank = fiber.here.rank;
      fiber.here.thread.x = rank % base.block_dim.x;
      fiber.here.thread.y = rank / base.block_dim.x % base.block_dim.y;
      fiber.here.thread.z = rank / (base.block_dim.x * base.block_dim.y);
      ucontext_t& context = fiber.place.context;
      getcontext(&context);
      context.uc_stack.ss_sp = stacks.data() + i * kStackBytes;
      context.uc_stack.ss_size = kStackBytes;
      makecontext(&context, reinterpret_cast<void (*)()>(&BlockRun::enter), 0);
    }
    alive_ = static_cast<unsigned>(fibers_.size());
  }

  void run() {
    while (alive_ > 0) {
      progress_ = false;
      for (Fiber& fiber : fibers_) {
        if (fiber.done) continue;
        resume(fiber);
        if (error_) std::rethrow_exception(error_);
      }
      ASSAY_CHECK(progress_, "threads of an emulated block wait for each other for ever");
    }
  }

  Fiber& current() { return *current_; }
  Block& block() { return blocks_[current_->here.cluster_rank]; }
  unsigned alive() const { return alive_; }
  void progressed() { progress_ = true; }
  void yield() { go(current_->place, main_); }
  Warp& warp() { return block().warps[current_->here.rank / kLanes]; }
  Barrier& cluster_barrier() { return cluster_barrier_; }

 private:
  static void enter();
  void resume(Fiber& fiber) {
    current_ = &fiber;
    go(main_, fiber.place);
  }

  const std::function<void()>& body_;
  std::vector<Fiber> fibers_;
  std::vector<Block> blocks_;
  Barrier cluster_barrier_;
  Place main_;
  Fiber* current_ = nullptr;
  unsigned alive_ = 0;
  bool progress_ = false;
  std::exception_ptr error_;
};

// Each thread of the host is a device of its own.
thread_local BlockRun* running = nullptr;
thread_local std::uint64_t total_threads = 0;

void BlockRun::enter() {
  BlockRun& block = *running;
  try {
    block.body_();
  } catch (...) {
    block.error_ = std::current_exception();
  }
  block.current_->done = true;
  --block.block().alive;
  --block.alive_;
  block.progress_ = true;
  block.yield();  // for good
}

/// Everyone alive, for barrier 0 that counts whoever is left.
constexpr unsigned kWholeBlock = ~0U;

void sync(unsigned id, unsigned threads) {
  Block& block = running->block();
  Barrier& barrier = block.barriers[id];
  const std::uint64_t phase = barrier.phase;
  ++barrier.arrived;
  running->progressed();
  auto passed = [&block, &barrier, phase, threads] {
    if (barrier.phase != phase) return true;
    if (barrier.arrived < (threads == kWholeBlock ? block.alive : threads)) return false;
    barrier.arrived = 0;
    ++barrier.phase;
    return true;
  };
  wait_until(passed);
}

}  // namespace

const Here& here() { return running->current().here; }

void run_grid(Index3 grid, Index3 block, std::size_t shared_bytes, unsigned cluster,
              const std::function<void()>& body) {
  const unsigned threads = block.x * block.y * block.z;
  ASSAY_CHECK(threads > 0 && threads <= 1024, "threads of an emulated block");
  ASSAY_CHECK(cluster > 0 && grid.x % cluster == 0, "blocks of an emulated cluster");
  const FlushSubnormals flush;
  // Kept between launches: most of a launch's time would go into zeroing them.
  thread_local std::vector<std::byte> stacks;
  const std::size_t stack_bytes = std::size_t{threads} * cluster * kStackBytes;
  if (stacks.size() < stack_bytes) stacks.resize(stack_bytes);
  const std::size_t step = (shared_bytes + 1023) / 1024 * 1024;
  std::vector<std::byte> memory(step * cluster + 1024);
  const auto address = reinterpret_cast<std::uintptr_t>(memory.data());
  std::byte* shared = memory.data() + (1024 - address % 1024) % 1024;
  for (unsigned z = 0; z < grid.z; ++z) {
    for (unsigned y = 0; y < grid.y; ++y) {
      for (unsigned x = 0; x < grid.x; x += cluster) {
        std::memset(shared, 0xFF, step * cluster);
        Here base{.block = {x, y, z}, .block_dim = block, .grid_dim = grid};
        base.cluster_blocks = cluster;
        base.shared = shared;
        base.shared_bytes = shared_bytes;
        base.shared_step = step;
        BlockRun run(base, threads, stacks, body);
        running = &run;
        run.run();
        running = nullptr;
        total_threads += std::uint64_t{threads} * cluster;
      }
    }
  }
}

void wait_erased(bool (*ready)(void*), void* context) {
  while (!ready(context)) running->yield();
  running->progressed();
}

std::uint64_t cluster_arrive() {
  Barrier& barrier = running->cluster_barrier();
  ++barrier.arrived;
  running->progressed();
  return barrier.phase;
}

void cluster_wait(std::uint64_t ticket) {
  auto passed = [ticket] {
    Barrier& barrier = running->cluster_barrier();
    if (barrier.phase != ticket) return true;
    if (barrier.arrived < running->alive()) return false;
    barrier.arrived = 0;
    ++barrier.phase;
    return true;
  };
  wait_until(passed);
}

void sync_block() { sync(0, kWholeBlock); }
void sync_named(unsigned id, unsigned threads) { sync(id, threads); }

const std::byte* exchange(const void* mine, std::size_t bytes) {
  ASSAY_CHECK(bytes <= kSlotBytes, "bytes of a warp exchange");
  Warp& warp = running->warp();
  const unsigned lane = running->current().here.rank % kLanes;
  const auto side = static_cast<std::size_t>(warp.count[lane]++ % 2);
  const std::uint64_t phase = warp.phase[side];
  std::memcpy(warp.slots[side].data() + lane * kSlotBytes, mine, bytes);
  if (++warp.arrived[side] == kLanes) {
    warp.arrived[side] = 0;
    ++warp.phase[side];
  }
  running->progressed();
  auto passed = [&warp, side, phase] { return warp.phase[side] != phase; };
  wait_until(passed);
  return warp.slots[side].data();
}

std::uint64_t threads_run() { return total_threads; }

}  // namespace assay::engine::emulation
