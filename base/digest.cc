#include "base/digest.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include "base/check.h"

namespace assay {

struct Sha256::Impl {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  Impl() = default;
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  Impl(Impl&&) = delete;
  Impl& operator=(Impl&&) = delete;
  ~Impl() { EVP_MD_CTX_free(context); }
};

Sha256::Sha256() : impl_(std::make_unique<Impl>()) {
  const int ok = EVP_DigestInit_ex(impl_->context, EVP_sha256(), nullptr);
  ASSAY_CHECK(ok == 1, "SHA-256 could not be set up");
}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::update(std::string_view bytes) {
  const int ok = EVP_DigestUpdate(impl_->context, bytes.data(), bytes.size());
  ASSAY_CHECK(ok == 1, "SHA-256 update failed");
}

void Sha256::update_field(std::string_view bytes) {
  std::array<char, 8> length{};
  auto size = static_cast<std::uint64_t>(bytes.size());
  for (char& byte : length) {
    byte = static_cast<char>(size & 0xFF);
    size >>= 8;
  }
  update(std::string_view(length.data(), length.size()));
  update(bytes);
}

std::array<std::uint8_t, 32> Sha256::bytes() {
  std::array<std::uint8_t, 32> out{};
  unsigned size = 0;
  const int ok = EVP_DigestFinal_ex(impl_->context, out.data(), &size);
  ASSAY_CHECK(ok == 1 && size == out.size(), "SHA-256 could not be finished");
  return out;
}

std::string Sha256::hex() {
  std::string out;
  for (const std::uint8_t byte : bytes()) fmt::format_to(std::back_inserter(out), "{:02x}", byte);
  return out;
}

std::string sha256_hex(std::string_view bytes) {
  Sha256 digest;
  digest.update(bytes);
  return digest.hex();
}

std::string seeded_rank(std::uint64_t seed, std::string_view name) {
  return sha256_hex(std::to_string(seed) + "/" + std::string(name));
}

}  // namespace assay
