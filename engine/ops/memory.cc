#include "engine/ops/memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <string>

#include "base/error.h"

namespace assay::engine {

LargeBuffer::LargeBuffer(std::size_t bytes) : size_(bytes) {
  if (bytes == 0) return;
  void* block = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (block == MAP_FAILED) {
    throw_environment("cannot reserve {} MB of memory: {}", bytes / 1000000, std::strerror(errno));
  }
  data_ = static_cast<std::byte*>(block);
  constexpr std::size_t kHugePage = std::size_t{2} << 20;
  if (bytes >= 4 * kHugePage) madvise(data_, bytes, MADV_HUGEPAGE);
}

LargeBuffer::~LargeBuffer() {
  if (data_ != nullptr) munmap(data_, size_);
}

void LargeBuffer::shrink(std::size_t bytes) {
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  const std::size_t kept = (bytes + page - 1) / page * page;
  if (kept == 0 || kept >= size_) return;
  munmap(data_ + kept, size_ - kept);
  size_ = kept;
}

std::int64_t available_memory() {
  std::ifstream in("/proc/meminfo");
  std::string word;
  std::int64_t kilobytes = 0;
  while (in >> word) {
    if (word == "MemAvailable:" && in >> kilobytes) return kilobytes * 1024;
  }
  return std::int64_t{1} << 62;
}

}  // namespace assay::engine
