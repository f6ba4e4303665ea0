// Counter-based random numbers: a draw depends on key and counter alone, never on earlier draws.
// Source: Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3", Philox 4x32-10.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace assay {

/// Ten rounds of Philox 4x32.
std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                        std::array<std::uint32_t, 2> key);

/// Uniform in [0, 1) with 24 bits, so that it is exact in FP32.
inline float uniform24(std::uint32_t bits) {
  return static_cast<float>(bits >> 8) * (1.0F / 16777216.0F);
}

/// 64-bit FNV-1a, for keys from names. Not for identities: those are SHA-256.
constexpr std::uint64_t fnv1a(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char c : text) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  }
  return hash;
}

/// SplitMix64 (Steele et al. 2014): a small seeded sequence for shuffles and resampling.
class SplitMix64 {
 public:
  using result_type = std::uint64_t;
  explicit SplitMix64(std::uint64_t seed) : state_(seed) {}
  std::uint64_t operator()();
  static constexpr result_type min() { return 0; }
  static constexpr result_type max() { return ~std::uint64_t{0}; }
  /// Uniform in [0, bound), without bias. REQUIRES: bound > 0.
  std::uint64_t below(std::uint64_t bound);
  /// Uniform in [0, 1) with 53 bits.
  double uniform();

 private:
  std::uint64_t state_;
};

}  // namespace assay
