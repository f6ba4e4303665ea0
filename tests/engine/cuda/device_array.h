// Device memory for tests: in the emulation, and on a device.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/cuda/runtime.h"

namespace assay::engine::test {

/// Tests work on the default stream.
/// A device array with a guard behind it: what a kernel writes beyond the end is found.
template <typename T>
class DeviceArray {
 public:
  /// Poisoned: every byte 0xFF, a NaN in every format.
  explicit DeviceArray(std::size_t count)
      : count_(count), buffer_((count + kGuard) * sizeof(T), "a test") {
    fill_bytes(nullptr, buffer_.as<T>(), 0xFF, buffer_.size());
  }
  explicit DeviceArray(const std::vector<T>& values) : DeviceArray(values.size()) {
    copy_to_device(nullptr, buffer_.template as<T>(), values.data(), values.size() * sizeof(T));
    synchronize(nullptr);
  }
  T* get() const { return buffer_.template as<T>(); }
  std::vector<T> values() const {
    std::vector<T> out(count_);
    copy_to_host(nullptr, out.data(), get(), count_ * sizeof(T));
    synchronize(nullptr);
    return out;
  }
  bool guard_is_intact() const {
    std::vector<unsigned char> bytes(kGuard * sizeof(T));
    copy_to_host(nullptr, bytes.data(), get() + count_, bytes.size());
    synchronize(nullptr);
    for (const unsigned char byte : bytes) {
      if (byte != 0xFF) return false;
    }
    return true;
  }

 private:
  static constexpr std::size_t kGuard = 64;
  std::size_t count_;
  DeviceBuffer buffer_;
};

}  // namespace assay::engine::test
