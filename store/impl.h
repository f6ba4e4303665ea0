// What the parts of the Store share. Private to store/.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "store/sqlite.h"
#include "store/store.h"

namespace assay::store {

struct Store::Impl {
  Connection connection;
};

/// Runs `work`; an SQLite exception becomes an assay::Error that names the file, and so does a
/// value in it that cannot be read.
template <typename Work>
decltype(auto) guarded(const std::filesystem::path& path, Work&& work) {
  try {
    return work();
  } catch (const SQLite::Exception&) {
    rethrow_with_file(path);
  } catch (const Error& error) {
    const bool names_file = std::string_view(error.what()).find(path.string()) != std::string::npos;
    if (error.kind() != ErrorKind::kInput || names_file) throw;
    throw_input("{}: {}", path.string(), error.what());
  }
}

// Counts of a file from elsewhere are held to what sums and products of them can bear.
inline constexpr std::int64_t kMaxCount = 1'000'000'000;
inline constexpr std::int64_t kMaxNanoseconds = std::int64_t{1} << 60;  // 36 years
/// Throws: Error(kInput) naming `what` for a value outside [0, most].
std::int64_t bounded(std::int64_t value, std::int64_t most, const char* what);
/// Names of runs and tags: letters, digits and "-_./", from 1 to 100 of them, and no way up.
bool is_plain_name(std::string_view name);
std::int64_t machine_row(Connection& connection, const MachineRecord& machine);
std::int64_t scorer_row(Connection& connection, std::string_view name, std::string_view version);
Json metrics_to_json(const std::vector<MetricRecord>& metrics);
std::vector<MetricRecord> metrics_from_json(const Json& json);
RunStatus parse_run_status(std::string_view name);
Verdict parse_verdict(std::string_view name);

}  // namespace assay::store
