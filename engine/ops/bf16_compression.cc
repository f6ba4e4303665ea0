#include "engine/ops/bf16_compression.h"

namespace assay::engine {

bf16 compressed_bf16_at(const std::byte* panel, std::uint8_t top, std::int64_t position) {
  const std::byte* quad = panel + position / kBf16QuadValues * kBf16QuadBytes;
  const std::int64_t pair = position % kBf16QuadValues / 128;
  const std::int64_t group = position % 128 / 32;
  const std::int64_t lane = position % 32;
  const std::int64_t at = lane / 8 * 16 + pair * 8 + lane % 8;
  const auto rest = static_cast<unsigned>(quad[group * 64 + at]);
  const auto both = static_cast<unsigned>(quad[(4 + group / 2) * 64 + at]);
  const unsigned code = group % 2 == 0 ? both & 15U : both >> 4U;
  const unsigned exponent = code == kZeroExponent || code > top ? 0 : top - code;
  return static_cast<bf16>((rest & 0x80U) << 8U | exponent << 7U | (rest & 0x7FU));
}

}  // namespace assay::engine
