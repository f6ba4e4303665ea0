#include "store/sqlite.h"

#include <sqlite3.h>

#include <utility>

#include "base/error.h"
#include "base/text.h"

namespace assay::store {

namespace {

constexpr int kBusyTimeoutMs = 10000;
constexpr int kMaxValueBytes = 256 << 20;  // of one text or BLOB

/// "file:" URI with everything but the plainest characters escaped.
std::string uri_of(const std::filesystem::path& path) {
  std::string uri = "file:";
  for (const char c : std::filesystem::absolute(path).string()) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '/' || c == '-' || c == '_' || c == '.';
    uri += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return uri + "?immutable=1";
}

}  // namespace

void rethrow_with_file(const std::filesystem::path& path) {
  try {
    throw;
  } catch (const SQLite::Exception& error) {
    const std::string name = path.string();
    switch (error.getErrorCode() & 0xff) {
      case SQLITE_CORRUPT:
        throw_input("{}: the store is damaged ({}); restore a copy", name, error.what());
      case SQLITE_NOTADB:
        throw_input("{}: not an assay store (not an SQLite database, or its start is damaged)",
                    name);
      case SQLITE_FULL:
        throw_environment("{}: disk full; finished samples are stored, make room and run again",
                          name);
      case SQLITE_CONSTRAINT:
      case SQLITE_TOOBIG:
        throw_input("{}: rows that contradict each other or are too long ({})", name, error.what());
      case SQLITE_NOMEM:
        throw_environment("{}: out of memory", name);
      case SQLITE_IOERR:
        throw_environment(
            "{}: cannot be read or written ({}, code {}; a full disk, a quota or a fault of the "
            "disk?); finished samples are stored, run again when it is mended",
            name, error.what(), error.getExtendedErrorCode());
      case SQLITE_READONLY:
        throw_environment("{}: the store cannot be written ({})", name, error.what());
      case SQLITE_BUSY:
        throw_environment("{}: locked by another process for more than {} s", name,
                          kBusyTimeoutMs / 1000);
      default:
        throw_environment("{}: {} (SQLite code {}, {})", name, error.what(), error.getErrorCode(),
                          error.getExtendedErrorCode());
    }
  }
}

Connection::Connection(std::filesystem::path path, int flags, bool immutable)
    : path_(std::move(path)) {
  const std::string name = immutable ? uri_of(path_) : path_.string();
  if (immutable) flags |= SQLite::OPEN_URI;
  // A store belongs to one thread at a time; SQLite's own locks cost a tenth of a large report.
  db_ = std::make_unique<SQLite::Database>(name, flags | SQLITE_OPEN_NOMUTEX, kBusyTimeoutMs);
  sqlite3_db_config(db_->getHandle(), SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(db_->getHandle(), SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  sqlite3_limit(db_->getHandle(), SQLITE_LIMIT_LENGTH, kMaxValueBytes);
  execute("PRAGMA foreign_keys=ON");
}

void Connection::execute(const std::string& sql) { db_->exec(sql); }

std::int64_t Connection::integer_pragma(const std::string& name) {
  SQLite::Statement statement(*db_, "PRAGMA " + name);
  return statement.executeStep() ? statement.getColumn(0).getInt64() : 0;
}

Query::Query(Connection& connection, const char* sql) : connection_(&connection), sql_(sql) {
  auto& idle = connection.idle_[sql];
  if (idle.empty()) {
    statement_ = std::make_unique<SQLite::Statement>(connection.db(), sql);
  } else {
    statement_ = std::move(idle.back());
    idle.pop_back();
  }
}

Query::~Query() {
  // A statement left unreset would hold its read transaction open.
  if (statement_->tryReset() != SQLITE_OK) return;
  statement_->clearBindings();
  connection_->idle_[sql_].push_back(std::move(statement_));
}

bool Query::step() { return statement_->executeStep(); }

void Query::run() { statement_->exec(); }

std::int64_t Query::integer(int column) const { return statement_->getColumn(column).getInt64(); }
double Query::real(int column) const { return statement_->getColumn(column).getDouble(); }
std::string Query::text(int column) const { return std::string(bytes(column)); }
std::string_view Query::bytes(int column) const {
  const SQLite::Column value = statement_->getColumn(column);
  const void* data = value.getBlob();
  return {static_cast<const char*>(data),
          data == nullptr ? 0 : static_cast<std::size_t>(value.getBytes())};
}
bool Query::is_null(int column) const { return statement_->isColumnNull(column); }

void Query::bind_integer(int index, std::int64_t value) { statement_->bind(index, value); }
void Query::bind_real(int index, double value) { statement_->bind(index, value); }
void Query::bind_text(int index, const std::string& value) {
  statement_->bind(index, is_valid_utf8(value) ? value : replace_invalid_utf8(value));
}
void Query::bind_blob(int index, Blob value) {
  // A null pointer would bind NULL: an empty BLOB needs an address.
  statement_->bind(index, value.bytes.empty() ? "" : static_cast<const void*>(value.bytes.data()),
                   static_cast<int>(value.bytes.size()));
}

WriteTransaction::WriteTransaction(Connection& connection) : connection_(&connection) {
  connection_->execute("BEGIN IMMEDIATE");
}

WriteTransaction::~WriteTransaction() {
  if (!open_) return;
  sqlite3_exec(connection_->db().getHandle(), "ROLLBACK", nullptr, nullptr, nullptr);
}

void WriteTransaction::commit() {
  connection_->execute("COMMIT");
  open_ = false;
}

}  // namespace assay::store
