// SHA-256, for identities of files, prompts and settings.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace assay {

/// Incremental SHA-256 (FIPS 180-4).
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  void update(std::string_view bytes);
  /// Length first, then the bytes: a list of fields hashed this way has one reading only.
  void update_field(std::string_view bytes);
  /// 64 lower-case hexadecimal digits. The object cannot be used afterwards.
  std::string hex();
  std::array<std::uint8_t, 32> bytes();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// 64 lower-case hexadecimal digits.
std::string sha256_hex(std::string_view bytes);

/// Names sorted by it are in a random order that depends on seed and names alone, on neither their
/// first order nor their number.
std::string seeded_rank(std::uint64_t seed, std::string_view name);

}  // namespace assay
