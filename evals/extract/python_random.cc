#include "evals/extract/python_random.h"

#include <bit>
#include <cmath>
#include <numbers>
#include <unordered_set>

#include "base/check.h"

namespace assay::evals {

PythonRandom::PythonRandom(std::uint64_t seed) {
  // CPython cuts the seed into 32-bit words, low word first, at least one, and calls init_by_array.
  const std::array<std::uint32_t, 2> key = {static_cast<std::uint32_t>(seed),
                                            static_cast<std::uint32_t>(seed >> 32)};
  const std::size_t key_length = key[1] == 0 ? 1 : 2;
  state_[0] = 19650218U;
  for (std::size_t i = 1; i < kWords; ++i) {
    const std::uint32_t before = state_[i - 1];
    state_[i] = 1812433253U * (before ^ (before >> 30)) + static_cast<std::uint32_t>(i);
  }
  std::size_t i = 1;
  std::size_t j = 0;
  const auto step = [&](std::uint32_t factor) {
    const std::uint32_t before = state_[i - 1];
    return state_[i] ^ ((before ^ (before >> 30)) * factor);
  };
  const auto advance = [&] {
    if (++i < kWords) return;
    state_[0] = state_[kWords - 1];
    i = 1;
  };
  for (std::size_t k = kWords; k > 0; --k) {
    state_[i] = step(1664525U) + key[j] + static_cast<std::uint32_t>(j);
    advance();
    j = (j + 1) % key_length;
  }
  for (std::size_t k = kWords - 1; k > 0; --k) {
    state_[i] = step(1566083941U) - static_cast<std::uint32_t>(i);
    advance();
  }
  state_[0] = 0x80000000U;
}

void PythonRandom::refill() {
  constexpr std::size_t kShift = 397;
  for (std::size_t i = 0; i < kWords; ++i) {
    const std::uint32_t joined =
        (state_[i] & 0x80000000U) | (state_[(i + 1) % kWords] & 0x7fffffffU);
    const std::uint32_t twist = (joined & 1U) != 0 ? 0x9908b0dfU : 0U;
    state_[i] = state_[(i + kShift) % kWords] ^ (joined >> 1) ^ twist;
  }
  position_ = 0;
}

std::uint32_t PythonRandom::next() {
  if (position_ == kWords) refill();
  std::uint32_t y = state_[position_++];
  y ^= y >> 11;
  y ^= (y << 7) & 0x9d2c5680U;
  y ^= (y << 15) & 0xefc60000U;
  return y ^ (y >> 18);
}

double PythonRandom::uniform() {
  const double high = next() >> 5;
  const double low = next() >> 6;
  return (high * 67108864.0 + low) * (1.0 / 9007199254740992.0);
}

std::uint64_t PythonRandom::getrandbits(int bits) {
  ASSAY_CHECK(bits >= 1 && bits <= 64, "getrandbits: between 1 and 64 bits");
  if (bits <= 32) return next() >> (32 - bits);
  const std::uint64_t low = next();
  const std::uint64_t high = next() >> (64 - bits);
  return (high << 32) | low;
}

std::uint64_t PythonRandom::randrange(std::uint64_t bound) {
  ASSAY_CHECK(bound > 0, "randrange: empty range");
  const int bits = static_cast<int>(std::bit_width(bound));
  std::uint64_t drawn = getrandbits(bits);
  while (drawn >= bound) drawn = getrandbits(bits);
  return drawn;
}

std::int64_t PythonRandom::randint(std::int64_t low, std::int64_t high) {
  ASSAY_CHECK(low <= high, "randint: empty range");
  const auto width = static_cast<std::uint64_t>(high) - static_cast<std::uint64_t>(low) + 1;
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(low) + randrange(width));
}

namespace {

// Up to this population CPython copies it and draws from the shrinking copy; above, it remembers
// what was drawn. The two consume different draws, so the border is part of the contract.
std::size_t largest_pool(std::size_t count) {
  std::size_t size = 21;
  if (count > 5) {
    std::size_t power = 1;
    while (power < 3 * count) power *= 4;
    size += power;
  }
  return size;
}

}  // namespace

std::vector<std::size_t> PythonRandom::sample(std::size_t population, std::size_t count) {
  ASSAY_CHECK(count <= population, "sample: larger than the population");
  std::vector<std::size_t> out(count);
  if (population <= largest_pool(count)) {
    std::vector<std::size_t> pool(population);
    for (std::size_t i = 0; i < population; ++i) pool[i] = i;
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t j = randrange(population - i);
      out[i] = pool[j];
      pool[j] = pool[population - i - 1];
    }
    return out;
  }
  std::unordered_set<std::size_t> drawn;
  for (std::size_t& item : out) {
    do {
      item = randrange(population);
    } while (!drawn.insert(item).second);
  }
  return out;
}

std::vector<std::size_t> PythonRandom::choices(std::size_t population, std::size_t count) {
  ASSAY_CHECK(population > 0, "choices: empty population");
  std::vector<std::size_t> out(count);
  for (std::size_t& item : out) {
    item = static_cast<std::size_t>(uniform() * static_cast<double>(population));
  }
  return out;
}

double PythonRandom::gauss(double mu, double sigma) {
  if (kept_gauss_) {
    const double z = *kept_gauss_;
    kept_gauss_.reset();
    return mu + z * sigma;
  }
  const double angle = uniform() * (2.0 * std::numbers::pi);
  const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));
  kept_gauss_ = std::sin(angle) * radius;
  return mu + std::cos(angle) * radius * sigma;
}

}  // namespace assay::evals
