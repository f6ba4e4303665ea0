#include "store/store.h"

#include <unistd.h>

#include <ctime>
#include <fstream>
#include <string_view>

#include "base/error.h"
#include "base/log.h"
#include "store/file_system.h"
#include "store/impl.h"
#include "store/migrate.h"

namespace assay::store {

namespace fs = std::filesystem;

namespace {

// A full structure check reads the whole file; beyond this size `assay runs verify` does it.
constexpr std::uint64_t kQuickCheckBytes = std::uint64_t{256} << 20;
constexpr int kPageBytes = 8192;

/// A database without anything in it: a store whose making was cut short before its first commit.
bool is_blank(Connection& connection) {
  if (connection.integer_pragma("application_id") != 0) return false;
  if (connection.integer_pragma("user_version") != 0) return false;
  SQLite::Statement count(connection.db(), "SELECT count(*) FROM sqlite_schema");
  return count.executeStep() && count.getColumn(0).getInt64() == 0;
}

/// Refuses strangers, newer and damaged files. Reads only.
void check_file(Connection& connection) {
  const std::string name = connection.path().string();
  const std::int64_t newest = all_migrations().back().version;
  if (is_blank(connection)) {
    throw_input("{}: an empty store, its making was not finished; `assay run` finishes it", name);
  }
  if (connection.integer_pragma("application_id") != kApplicationId) {
    throw_input("{}: not an assay store (another program's SQLite database)", name);
  }
  const std::int64_t version = connection.integer_pragma("user_version");
  if (version < 1 || version > newest) {
    throw_input("{}: store version {}, this program knows versions 1 to {}; use a newer assay",
                name, version, newest);
  }
  const std::int64_t pages = connection.integer_pragma("page_count");
  const std::int64_t bytes = pages * connection.integer_pragma("page_size");
  const bool whole = static_cast<std::uint64_t>(bytes) <= kQuickCheckBytes;
  SQLite::Statement check(connection.db(), whole ? "PRAGMA quick_check(1)"
                                                 : "SELECT CASE count(*) WHEN 0 THEN 'no tables' "
                                                   "ELSE 'ok' END FROM sqlite_schema");
  std::string result = "no answer";
  if (check.executeStep()) result = check.getColumn(0).getString();
  if (result != "ok") throw_input("{}: the store is damaged ({}); restore a copy", name, result);
  check_schema(connection, version);
}

/// Shorter than its own header says: SQLite itself notices only when it reads the missing part.
void check_length(const fs::path& path, Connection& connection) {
  const std::int64_t expected =
      connection.integer_pragma("page_count") * connection.integer_pragma("page_size");
  std::error_code code;
  const bool has_wal = fs::exists(path.string() + "-wal", code);
  const std::uintmax_t size = fs::file_size(path, code);
  if (!code && !has_wal && size < static_cast<std::uintmax_t>(expected)) {
    throw_input("{}: the store is truncated ({} bytes of {}); restore a copy", path.string(), size,
                expected);
  }
}

/// The first bytes of a file; "" when it has fewer.
std::string first_bytes(const fs::path& path, std::size_t count) {
  std::string out(count, '\0');
  std::ifstream in(path, std::ios::binary);
  in.read(out.data(), static_cast<std::streamsize>(count));
  return in.gcount() == static_cast<std::streamsize>(count) ? out : "";
}

/// Whether a rollback journal beside the file may be played back into it: it is a store of ours, or
/// the journal says that the file held nothing yet (at most one page) before.
bool may_be_recovered(const fs::path& path) {
  constexpr std::size_t kApplicationIdAt = 68;  // SQLite's file format, 1.3 and 3
  constexpr std::size_t kPagesBeforeAt = 16;
  const std::string header = first_bytes(path, kApplicationIdAt + 4);
  if (header.empty() || header.substr(kApplicationIdAt) == "ASSY") return true;
  const std::string journal = first_bytes(path.string() + "-journal", kPagesBeforeAt + 4);
  if (journal.empty()) return false;
  const std::string_view pages = std::string_view(journal).substr(kPagesBeforeAt);
  return pages.substr(0, 3) == std::string_view("\0\0\0", 3) &&
         static_cast<unsigned char>(pages[3]) <= 1;
}

/// Without WAL (network file systems) a crash leaves a journal that only a writing connection plays
/// back; a reading one would refuse the file.
void recover_journal(const fs::path& path) {
  std::error_code code;
  const std::uintmax_t bytes = fs::file_size(path.string() + "-journal", code);
  const bool writable = folder_writable(path) && access(path.c_str(), W_OK) == 0;
  if (code || bytes == 0 || !writable || !may_be_recovered(path)) return;
  guarded(path, [&] {
    Connection connection(path, SQLite::OPEN_READWRITE, false);
    (void)connection.integer_pragma("schema_version");
  });
}

Connection connect_read_only(const fs::path& path) {
  std::error_code code;
  const bool has_wal = fs::exists(path.string() + "-wal", code);
  // A closed WAL database needs side files to be opened, which a read-only folder cannot hold.
  const bool immutable = !has_wal && !folder_writable(path);
  return {path, SQLite::OPEN_READONLY, immutable};
}

Connection open_read_only(const fs::path& path) {
  return guarded(path, [&] {
    Connection connection = connect_read_only(path);
    connection.execute("PRAGMA query_only=ON");
    // The file may come from anywhere: pages are looked at closely when they are read.
    connection.execute("PRAGMA cell_size_check=ON");
    check_file(connection);
    check_length(path, connection);
    return connection;
  });
}

Connection open_for_writing(const fs::path& path, bool fresh) {
  return guarded(path, [&] {
    Connection connection(path, SQLite::OPEN_READWRITE | (fresh ? SQLite::OPEN_CREATE : 0), false);
    if (fresh) connection.execute(fmt::format("PRAGMA page_size={}", kPageBytes));
    // FULL syncs all but the folder after a rollback journal is gone: a power cut could bring back
    // the journal and undo what was told as stored. With WAL the two are the same.
    connection.execute("PRAGMA synchronous=EXTRA");
    if (on_network(path)) {
      log_warning("{}: on a network file system; slower journal, one machine at a time",
                  path.string());
      connection.execute("PRAGMA journal_mode=DELETE");
    } else {
      connection.execute("PRAGMA journal_mode=WAL");
    }
    migrate(connection, all_migrations());
    return connection;
  });
}

}  // namespace

Store Store::open(const fs::path& path, OpenMode mode) {
  std::error_code code;
  const fs::file_status status = fs::status(path, code);
  const bool missing = !fs::exists(status);
  if (missing && mode != OpenMode::kCreate) {
    throw_input("{}: no such store; --db names another, `assay run` makes one", path.string());
  }
  if (!missing && !fs::is_regular_file(status)) {
    throw_input("{}: not a file", path.string());
  }
  if (!missing) recover_journal(path);
  bool fresh = missing || (mode == OpenMode::kCreate && fs::file_size(path, code) == 0);
  if (!fresh && fs::file_size(path, code) == 0) {
    throw_input("{}: not an assay store (empty file)", path.string());
  }
  if (mode == OpenMode::kReadOnly) {
    return Store(std::make_unique<Impl>(Impl{open_read_only(path)}));
  }
  if (!folder_writable(path) || (!missing && access(path.c_str(), W_OK) != 0)) {
    throw_environment("{}: read-only file or folder; results cannot be stored there",
                      path.string());
  }
  if (!fresh && mode == OpenMode::kCreate) {
    fresh = guarded(path, [&] {
      Connection connection = connect_read_only(path);
      return is_blank(connection);
    });
  }
  if (!fresh) open_read_only(path);  // so that a file that is refused is not modified
  return Store(std::make_unique<Impl>(Impl{open_for_writing(path, fresh)}));
}

void remove_unused_store(const fs::path& path) {
  try {
    Connection connection(path, SQLite::OPEN_READWRITE, false);
    connection.execute("PRAGMA busy_timeout=0");
    SQLite::Statement runs(connection.db(), "SELECT count(*) FROM run");
    if (!runs.executeStep() || runs.getColumn(0).getInt64() != 0) return;
    runs.reset();
    // Leaving WAL works for the only connection alone: whoever has the store open keeps it.
    SQLite::Statement mode(connection.db(), "PRAGMA journal_mode=DELETE");
    if (!mode.executeStep() || mode.getColumn(0).getString() != "delete") return;
    mode.reset();
    connection.execute("BEGIN EXCLUSIVE");
    std::error_code code;
    fs::remove(path, code);
    fs::remove(path.string() + "-lock", code);
  } catch (const SQLite::Exception&) {  // NOLINT(bugprone-empty-catch): in use, so it stays
  }
}

Store::Store(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Store::~Store() = default;
Store::Store(Store&&) noexcept = default;
Store& Store::operator=(Store&&) noexcept = default;

const fs::path& Store::path() const { return impl_->connection.path(); }

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

std::string changed_inputs(const Json& before, const Json& now) {
  std::vector<std::string> names;
  const auto note = [&](const Json& from, const Json& other) {
    if (!from.is_object()) return;
    for (const auto& [name, value] : from.as_object()) {
      const Json* match = other.find(name);
      const bool known = std::find(names.begin(), names.end(), name) != names.end();
      if ((match == nullptr || !(*match == value)) && !known) names.push_back(name);
    }
  };
  note(before, now);
  note(now, before);
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : ", ") + name;
  return out;
}

}  // namespace assay::store
