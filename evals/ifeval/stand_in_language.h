// The language of a text by CLD2, for where the published detector's profiles are missing. Another
// detector than the published one: verdicts can differ, and the run says that it stood in.
#pragma once

#include <string>
#include <string_view>

namespace assay::evals {

/// The likeliest language, in the codes of langdetect ("de", "zh-cn"); "" for a text without
/// letters, "unknown" where no language stands out. Thread-safe.
std::string stand_in_language(std::u32string_view text);

}  // namespace assay::evals
