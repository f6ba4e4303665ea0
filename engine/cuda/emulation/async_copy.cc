#include "engine/cuda/emulation/async_copy.h"

#include <cstring>
#include <deque>
#include <vector>

#include "base/check.h"
#include "engine/cuda/emulation/grid.h"

namespace assay::engine {
namespace {

struct Copy {
  void* to;
  const void* from;  // null: zeros
};
using Group = std::vector<Copy>;
struct Pending {
  std::uint64_t block = 0;  // whose threads these are
  std::deque<Group> groups;
  Group open;
};

/// Of the calling thread. What an earlier block left over is forgotten, as on the device.
Pending& pending() {
  thread_local std::vector<Pending> all(1024);
  Pending& mine = all[emulation::here().rank];
  if (mine.block != emulation::threads_run()) {
    mine = Pending{};
    mine.block = emulation::threads_run();
  }
  return mine;
}

}  // namespace

void copy_async_16(void* shared, const void* global, bool valid) {
  const auto to = reinterpret_cast<std::uintptr_t>(shared);
  const auto from = reinterpret_cast<std::uintptr_t>(global);
  ASSAY_CHECK(to % 16 == 0 && (!valid || from % 16 == 0), "alignment of an asynchronous copy");
  pending().open.push_back({shared, valid ? global : nullptr});
}

void copy_async_commit() {
  Pending& mine = pending();
  mine.groups.push_back(std::move(mine.open));
  mine.open.clear();
}

void copy_async_wait_for_all_but(int groups) {
  Pending& mine = pending();
  while (mine.groups.size() > static_cast<std::size_t>(groups)) {
    for (const Copy& copy : mine.groups.front()) {
      if (copy.from == nullptr) {
        std::memset(copy.to, 0, 16);
      } else {
        std::memcpy(copy.to, copy.from, 16);
      }
    }
    mine.groups.pop_front();
  }
}

}  // namespace assay::engine
