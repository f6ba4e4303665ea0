// The draws of CPython's random.Random(seed), bit for bit, for protocols that are defined by them:
// few-shot samples, choice orders, the language detector.
// Source: Matsumoto and Nishimura 1998 (MT19937, init_by_array); the documented behaviour of
// CPython 3.11's `random` module. Deterministic on every machine, but for `gauss`, which rounds as
// the C library's log, sin and cos do.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace assay::evals {

/// One generator: a value, copied with its state. Not shared between threads.
class PythonRandom {
 public:
  explicit PythonRandom(std::uint64_t seed);

  /// `random()`: uniform in [0, 1) with 53 bits.
  double uniform();
  /// `getrandbits(bits)`. REQUIRES: 1 <= bits <= 64.
  std::uint64_t getrandbits(int bits);
  /// `randrange(bound)`: uniform in [0, bound), by rejection. REQUIRES: bound > 0.
  std::uint64_t randrange(std::uint64_t bound);
  /// `randint(low, high)`: both ends included. REQUIRES: low <= high, high - low < 2^63.
  std::int64_t randint(std::int64_t low, std::int64_t high);
  /// `sample(range(population), count)`. REQUIRES: count <= population.
  std::vector<std::size_t> sample(std::size_t population, std::size_t count);
  /// `choices(range(population), k=count)`: with replacement, from `random()`.
  /// REQUIRES: population > 0.
  std::vector<std::size_t> choices(std::size_t population, std::size_t count);
  /// `choice(range(population))`. REQUIRES: population > 0.
  std::size_t choice(std::size_t population) { return randrange(population); }
  /// `gauss(mu, sigma)`: draws two at a time and keeps the second.
  double gauss(double mu, double sigma);

  /// `shuffle(items)`, in place.
  template <typename T>
  void shuffle(std::vector<T>& items) {
    for (std::size_t i = items.size(); i-- > 1;) {
      const std::size_t j = randrange(i + 1);
      using std::swap;
      if (i != j) swap(items[i], items[j]);
    }
  }

 private:
  static constexpr std::size_t kWords = 624;
  std::uint32_t next();
  void refill();

  std::array<std::uint32_t, kWords> state_{};
  std::size_t position_ = kWords;
  std::optional<double> kept_gauss_;
};

}  // namespace assay::evals
