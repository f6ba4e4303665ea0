// Secrets that two processes share: proving that both know it, without sending it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace assay {

/// HMAC-SHA-256 (RFC 2104) in 64 lower-case hexadecimal digits.
std::string hmac_sha256_hex(std::string_view key, std::string_view message);

/// Whether two secrets are equal, in a time that depends on their lengths alone.
bool same_secret(std::string_view a, std::string_view b);

/// `count` bytes of the system's generator, in hexadecimal digits.
std::string random_hex(std::size_t count);

}  // namespace assay
