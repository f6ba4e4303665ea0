// cp.async on the host: a copy happens when the thread waits for its group, so that a missing wait
// leaves the NaNs of fresh shared memory.
#pragma once

#include <cstddef>

namespace assay::engine {

void copy_async_16(void* shared, const void* global, bool valid);
void copy_async_commit();
/// All but the newest `groups` groups are done.
void copy_async_wait_for_all_but(int groups);
template <int kGroups>
void copy_async_wait() {
  copy_async_wait_for_all_but(kGroups);
}

}  // namespace assay::engine
