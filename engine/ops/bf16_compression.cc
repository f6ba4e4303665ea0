#include "engine/ops/bf16_compression.h"

#include <algorithm>
#include <cstring>

namespace assay::engine {
namespace {

constexpr std::int64_t kLine = 64;
constexpr unsigned kCodes = 15;  // exponents top .. top - 14

/// 1 where the exponent of x has no code, else 0.
std::uint16_t has_no_code(bf16 x, unsigned top) {
  const auto exponent = static_cast<std::uint16_t>((x >> 7U) & 0xFFU);
  const auto distance = static_cast<std::uint16_t>(top - exponent);
  return static_cast<std::uint16_t>((exponent != 0) & (distance >= kCodes));
}

std::uint8_t exponent_code(bf16 x, unsigned top) {
  const auto exponent = static_cast<std::uint16_t>((x >> 7U) & 0xFFU);
  const auto distance = static_cast<std::uint16_t>(top - exponent);
  return static_cast<std::uint8_t>(exponent == 0 ? kZeroExponent : distance & 15U);
}

std::uint8_t sign_and_mantissa(bf16 x) {
  return static_cast<std::uint8_t>((x >> 8U & 0x80U) | (x & 0x7FU));
}

/// Values and codes of one group of rows in the order of a line.
struct Line {
  std::uint8_t rest[kLine];
  std::uint8_t code[kLine];
};

Line make_line(const bf16* first, const bf16* second, unsigned top) {
  Line line;
  for (int quarter = 0; quarter < 4; ++quarter) {
    for (int i = 0; i < 8; ++i) {
      const bf16 a = first[quarter * 8 + i];
      const bf16 b = second[quarter * 8 + i];
      line.rest[quarter * 16 + i] = sign_and_mantissa(a);
      line.rest[quarter * 16 + 8 + i] = sign_and_mantissa(b);
      line.code[quarter * 16 + i] = exponent_code(a, top);
      line.code[quarter * 16 + 8 + i] = exponent_code(b, top);
    }
  }
  return line;
}

}  // namespace

Bf16Survey survey_bf16(std::span<const bf16> panel) {
  std::int16_t largest = 0;
  for (const bf16 x : panel) {
    largest = std::max(largest, static_cast<std::int16_t>(x & 0x7FFFU));
  }
  Bf16Survey survey;
  survey.top = static_cast<std::uint8_t>(largest >> 7U);
  for (std::size_t begin = 0; begin < panel.size(); begin += kBf16QuadValues) {
    std::uint16_t count = 0;  // narrow, as wide as its summands
    for (const bf16 x : panel.subspan(begin, kBf16QuadValues)) {
      count = static_cast<std::uint16_t>(count + has_no_code(x, survey.top));
    }
    survey.exceptions += count;
  }
  return survey;
}

void compress_bf16(std::span<const bf16> panel, std::uint8_t top, std::byte* out,
                   Bf16Exception* exceptions) {
  for (std::size_t begin = 0; begin < panel.size(); begin += kBf16QuadValues) {
    const bf16* quad = panel.data() + begin;
    for (int half = 0; half < 2; ++half) {
      const int group = 2 * half;
      const Line low = make_line(quad + group * 32, quad + (4 + group) * 32, top);
      const Line high = make_line(quad + (group + 1) * 32, quad + (5 + group) * 32, top);
      std::uint8_t codes[kLine];
      for (std::int64_t i = 0; i < kLine; ++i) {
        codes[i] = static_cast<std::uint8_t>(low.code[i] | high.code[i] << 4U);
      }
      std::memcpy(out + group * kLine, low.rest, kLine);
      std::memcpy(out + (group + 1) * kLine, high.rest, kLine);
      std::memcpy(out + (4 + half) * kLine, codes, kLine);
    }
    std::uint16_t count = 0;
    for (std::int64_t i = 0; i < kBf16QuadValues; ++i) {
      count = static_cast<std::uint16_t>(count + has_no_code(quad[i], top));
    }
    for (std::int64_t i = 0; count > 0 && i < kBf16QuadValues; ++i) {
      if (has_no_code(quad[i], top) == 0) continue;
      *exceptions++ = {static_cast<std::uint32_t>(begin) + static_cast<std::uint32_t>(i), quad[i]};
    }
    out += kBf16QuadBytes;
  }
}

bf16 compressed_bf16_at(const std::byte* panel, std::uint8_t top, std::int64_t position) {
  const std::byte* quad = panel + position / kBf16QuadValues * kBf16QuadBytes;
  const std::int64_t pair = position % kBf16QuadValues / 128;
  const std::int64_t group = position % 128 / 32;
  const std::int64_t lane = position % 32;
  const std::int64_t at = lane / 8 * 16 + pair * 8 + lane % 8;
  const auto rest = static_cast<unsigned>(quad[group * kLine + at]);
  const auto both = static_cast<unsigned>(quad[(4 + group / 2) * kLine + at]);
  const unsigned code = group % 2 == 0 ? both & 15U : both >> 4U;
  const unsigned exponent = code == kZeroExponent || code > top ? 0 : top - code;
  return static_cast<bf16>((rest & 0x80U) << 8U | exponent << 7U | (rest & 0x7FU));
}

}  // namespace assay::engine
