// Limits on data files; checked where their bytes enter.
#pragma once

#include <cstdint>

namespace assay::datasets {

inline constexpr std::uint64_t kMaxFileBytes = std::uint64_t{512} << 20;     // as on disk
inline constexpr std::uint64_t kMaxContentBytes = std::uint64_t{512} << 20;  // decompressed
inline constexpr std::uint64_t kMaxLineBytes = std::uint64_t{16} << 20;  // a line, a row, a member
/// Content per compressed byte, for content beyond kRatioFreeBytes: text packs to a tenth at best,
/// a bomb to a thousandth.
inline constexpr std::uint64_t kMaxRatio = 200;
inline constexpr std::uint64_t kRatioFreeBytes = std::uint64_t{1} << 20;
inline constexpr std::uint64_t kMaxArchiveMembers = 100'000;

/// Whether `content` bytes out of `packed` bytes are more than real data give.
constexpr bool is_suspicious_ratio(std::uint64_t content, std::uint64_t packed) {
  return content > kRatioFreeBytes && content / kMaxRatio > packed;
}

}  // namespace assay::datasets
