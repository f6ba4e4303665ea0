#include <cstdlib>

#include "base/error.h"
#include "base/text.h"
#include "engine/ops/cpu_kernels.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

namespace assay::engine {
namespace {

struct CpuFeatures {
  bool avx2 = false;    // AVX2, FMA and F16C, with the operating system's support
  bool avx512 = false;  // F, BW, VL, DQ, VBMI and BF16, with the operating system's support
};

#if defined(__x86_64__)
/// State components that the operating system saves: XCR0.
std::uint64_t enabled_state() {
  std::uint32_t low = 0;
  std::uint32_t high = 0;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (static_cast<std::uint64_t>(high) << 32) | low;
}

CpuFeatures detect() {
  CpuFeatures features;
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;
  if (__get_cpuid(1, &a, &b, &c, &d) == 0) return features;
  constexpr unsigned kFma = 1U << 12;
  constexpr unsigned kOsxsave = 1U << 27;
  constexpr unsigned kAvx = 1U << 28;
  constexpr unsigned kF16c = 1U << 29;
  constexpr unsigned kNeeded = kFma | kOsxsave | kAvx | kF16c;
  if ((c & kNeeded) != kNeeded) return features;
  const std::uint64_t state = enabled_state();
  if ((state & 0x6U) != 0x6U) return features;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0) return features;
  features.avx2 = (b & (1U << 5)) != 0;
  constexpr unsigned kAvx512 = (1U << 16) | (1U << 17) | (1U << 30) | (1U << 31);  // F DQ BW VL
  const bool base = (b & kAvx512) == kAvx512 && (c & (1U << 1)) != 0;              // VBMI
  const bool saved = (state & 0xE6U) == 0xE6U;
  unsigned a1 = 0;
  if (__get_cpuid_count(7, 1, &a1, &b, &c, &d) == 0) return features;
  features.avx512 = features.avx2 && base && saved && (a1 & (1U << 5)) != 0;  // BF16
  return features;
}
#else
CpuFeatures detect() { return {}; }
#endif

const CpuKernels* find_kernels(std::string_view name) {
  if (name == "scalar") return &portable_kernels();
#if defined(__x86_64__)
  static const CpuFeatures features = detect();
  if (name == "avx2" && features.avx2) return &avx2_kernels();
  if (name == "avx512" && features.avx512) return &avx512_kernels();
#endif
  return nullptr;
}

}  // namespace

std::vector<std::string> available_cpu_kernels() {
  std::vector<std::string> names;
  for (const char* name : {"avx512", "avx2", "scalar"}) {
    if (find_kernels(name) != nullptr) names.emplace_back(name);
  }
  return names;
}

const CpuKernels& cpu_kernels(std::string_view name) {
  std::string wanted(name);
  if (wanted.empty()) {
    const char* value = std::getenv("ASSAY_CPU_KERNELS");
    wanted = value != nullptr ? value : "";
  }
  const std::vector<std::string> names = available_cpu_kernels();
  if (wanted.empty()) return *find_kernels(names.front());
  const CpuKernels* found = find_kernels(wanted);
  if (found == nullptr) {
    throw_input("CPU kernels \"{}\": this machine has {}{}", wanted, join(names, ", "),
                suggestion(wanted, names));
  }
  return *found;
}

#if defined(__x86_64__)
FlushSubnormals::FlushSubnormals() : saved_(_mm_getcsr()) {
  _mm_setcsr(saved_ | 0x8040U);  // flush to zero, subnormals are zero
}
FlushSubnormals::~FlushSubnormals() { _mm_setcsr(saved_); }
#else
FlushSubnormals::FlushSubnormals() = default;
FlushSubnormals::~FlushSubnormals() = default;
#endif

}  // namespace assay::engine
