// Secrets: keeping keys out of everything that is written, and proving to another process that both
// know one, without sending it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace assay {

/// From now on `without_secrets` takes this text out. Texts of under 4 bytes are no secrets: taking
/// them out would say what they are. Any thread.
void keep_secret(std::string_view secret);

/// The text with every known secret replaced by "[secret]". Any thread; cheap without secrets.
std::string without_secrets(std::string text);

/// HMAC-SHA-256 (RFC 2104) in 64 lower-case hexadecimal digits.
std::string hmac_sha256_hex(std::string_view key, std::string_view message);

/// Whether two secrets are equal, in a time that depends on their lengths alone.
bool same_secret(std::string_view a, std::string_view b);

/// `count` bytes of the system's generator, in hexadecimal digits.
std::string random_hex(std::size_t count);

}  // namespace assay
