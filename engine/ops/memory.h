// Large zeroed blocks of memory for weights, caches and activations.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

namespace assay::engine {

/// Page-aligned memory from the operating system: zero, untouched pages cost nothing, huge pages
/// where the system offers them.
class LargeBuffer {
 public:
  LargeBuffer() = default;
  /// Throws: Error(kEnvironment) when the system refuses.
  explicit LargeBuffer(std::size_t bytes);
  ~LargeBuffer();
  LargeBuffer(const LargeBuffer&) = delete;
  LargeBuffer& operator=(const LargeBuffer&) = delete;
  LargeBuffer(LargeBuffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  LargeBuffer& operator=(LargeBuffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }

  /// Gives the pages beyond the first `bytes` back. REQUIRES: bytes <= size().
  void shrink(std::size_t bytes);

  [[nodiscard]] std::byte* data() { return data_; }
  [[nodiscard]] const std::byte* data() const { return data_; }
  [[nodiscard]] std::size_t size() const { return size_; }
  template <typename T>
  [[nodiscard]] T* as() {
    return reinterpret_cast<T*>(data_);
  }
  template <typename T>
  [[nodiscard]] const T* as() const {
    return reinterpret_cast<const T*>(data_);
  }

 private:
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

constexpr std::int64_t round_up(std::int64_t value, std::int64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

/// What the machine could still give, by the system's own estimate; very much where it tells none.
std::int64_t available_memory();

}  // namespace assay::engine
