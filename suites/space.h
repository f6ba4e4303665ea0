// Whether a run's results will fit the disk: estimated before anything is asked.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

#include "suites/plan.h"

namespace assay::suites {

/// Bytes that the responses of all `tasks` take in a store at most, from the length of some prompts
/// and the limits on tokens.
std::int64_t estimated_store_bytes(std::span<const PlannedTask> tasks);

/// What to say when `needed` bytes may not fit the `free` ones; "" when they do.
std::string space_warning(const std::filesystem::path& store, std::int64_t needed,
                          std::int64_t free);

/// Warns on stderr.
void warn_if_space_is_short(const std::filesystem::path& store, std::int64_t needed);

}  // namespace assay::suites
