#include "base/proof.h"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <array>
#include <vector>

#include "base/check.h"

namespace assay {
namespace {

template <typename Bytes>
std::string hex(const Bytes& bytes) {
  std::string out;
  for (const unsigned char byte : bytes) fmt::format_to(std::back_inserter(out), "{:02x}", byte);
  return out;
}

}  // namespace

std::string hmac_sha256_hex(std::string_view key, std::string_view message) {
  std::array<unsigned char, 32> out{};
  unsigned size = 0;
  const auto* text = reinterpret_cast<const unsigned char*>(message.data());
  const unsigned char* done = HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), text,
                                   message.size(), out.data(), &size);
  ASSAY_CHECK(done != nullptr && size == out.size(), "HMAC-SHA-256 failed");
  return hex(out);
}

bool same_secret(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string random_hex(std::size_t count) {
  std::vector<unsigned char> bytes(count);
  ASSAY_CHECK(RAND_bytes(bytes.data(), static_cast<int>(count)) == 1, "no random bytes");
  return hex(bytes);
}

}  // namespace assay
