// Keys that must not be written anywhere: whoever reads one names it here, and whatever goes to a
// log, a message or the store is passed through `without_secrets`.
#pragma once

#include <string>
#include <string_view>

namespace assay {

/// From now on `without_secrets` takes this text out. Texts of under 4 bytes are no secrets: taking
/// them out would say what they are. Any thread.
void keep_secret(std::string_view secret);

/// The text with every known secret replaced by "[secret]". Any thread; cheap without secrets.
std::string without_secrets(std::string text);

}  // namespace assay
