// Which result store a command works on.
#pragma once

#include <filesystem>
#include <string>

namespace assay::cli {

/// `given` (--db, ASSAY_DB); else ./assay.db if it exists; else assay.db in the user's data folder
/// ($XDG_DATA_HOME or ~/.local/share, in assay/), which is made for writing commands. The choice is
/// said on stderr unless it was given.
std::filesystem::path store_path(const std::string& given, bool for_writing);

}  // namespace assay::cli
