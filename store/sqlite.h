// The one place where SQLite and SQLiteCpp are seen. Private to store/.
#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <vector>

namespace assay::store {

/// Bytes that are bound as a BLOB instead of as text.
struct Blob {
  std::string_view bytes;
};

/// Rethrows the exception in flight, an SQLite one as assay::Error that names the file:
/// kInput for a damaged or foreign file, kEnvironment for the rest (full disk, I/O, locks).
[[noreturn]] void rethrow_with_file(const std::filesystem::path& path);

/// One connection with its prepared statements. Not thread-safe.
class Connection {
 public:
  /// `flags` are SQLite's; `immutable`: a closed file in a read-only folder.
  Connection(std::filesystem::path path, int flags, bool immutable);

  SQLite::Database& db() { return *db_; }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  void execute(const std::string& sql);
  std::int64_t integer_pragma(const std::string& name);
  [[nodiscard]] std::int64_t last_row() { return db_->getLastInsertRowid(); }

 private:
  friend class Query;
  std::filesystem::path path_;
  std::unique_ptr<SQLite::Database> db_;
  // Keyed by the address of the SQL literal; a statement is in use by one Query at a time.
  std::unordered_map<const char*, std::vector<std::unique_ptr<SQLite::Statement>>> idle_;
};

/// One use of a prepared statement; it is reset and given back at the end of the scope.
class Query {
 public:
  /// REQUIRES: `sql` is a string literal.
  Query(Connection& connection, const char* sql);
  ~Query();
  Query(const Query&) = delete;
  Query& operator=(const Query&) = delete;
  Query(Query&&) = delete;
  Query& operator=(Query&&) = delete;

  /// Binds the parameters from the first on.
  template <typename... Args>
  Query& with(const Args&... args) {
    int index = 0;
    (bind(++index, args), ...);
    return *this;
  }
  bool step();  // false: no further row
  void run();   // for statements without rows
  [[nodiscard]] std::int64_t integer(int column) const;
  [[nodiscard]] double real(int column) const;
  [[nodiscard]] std::string text(int column) const;
  [[nodiscard]] std::string_view bytes(int column) const;  // until the next step
  [[nodiscard]] bool is_null(int column) const;

 private:
  template <typename T>
  void bind(int index, const T& value) {
    if constexpr (std::is_same_v<T, bool> || std::is_integral_v<T>) {
      bind_integer(index, static_cast<std::int64_t>(value));
    } else if constexpr (std::is_same_v<T, double>) {
      bind_real(index, value);
    } else if constexpr (std::is_same_v<T, Blob>) {
      bind_blob(index, value);
    } else if constexpr (std::is_same_v<T, std::optional<double>> ||
                         std::is_same_v<T, std::optional<std::int64_t>>) {
      if (value) bind(index, *value);
    } else {
      bind_text(index, std::string(value));
    }
  }
  void bind_integer(int index, std::int64_t value);
  void bind_real(int index, double value);
  void bind_text(int index, const std::string& value);
  void bind_blob(int index, Blob value);

  Connection* connection_;
  const char* sql_;
  std::unique_ptr<SQLite::Statement> statement_;
};

/// BEGIN IMMEDIATE ... COMMIT; rolled back when it goes out of scope without commit().
class WriteTransaction {
 public:
  explicit WriteTransaction(Connection& connection);
  ~WriteTransaction();
  WriteTransaction(const WriteTransaction&) = delete;
  WriteTransaction& operator=(const WriteTransaction&) = delete;
  WriteTransaction(WriteTransaction&&) = delete;
  WriteTransaction& operator=(WriteTransaction&&) = delete;
  void commit();

 private:
  Connection* connection_;
  bool open_ = true;
};

}  // namespace assay::store
