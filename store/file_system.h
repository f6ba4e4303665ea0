// What the folder of a store lies on. Private to store/.
#pragma once

#include <cstdint>
#include <filesystem>

namespace assay::store {

/// Whether statfs's `f_type` is of a kind whose files other machines may hold open too, or whose
/// shared memory and locks cannot be relied on: WAL needs both.
bool is_network_file_system(std::uint32_t type);

/// Of the folder that holds `path`; false where that cannot be said.
bool on_network(const std::filesystem::path& path);
bool folder_writable(const std::filesystem::path& path);

}  // namespace assay::store
