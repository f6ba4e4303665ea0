#include "store/migrate.h"

#include "base/error.h"
#include "store/schema.h"
#include "store/store.h"

namespace assay::store {

std::span<const Migration> all_migrations() {
  static const std::vector<Migration> migrations = {{1, kSchema}, {2, kSchema2}};
  return migrations;
}

void migrate(Connection& connection, std::span<const Migration> migrations) {
  const std::int64_t found = connection.integer_pragma("user_version");
  if (found == migrations.back().version) return;
  if (found > 0) {
    const std::string backup =
        connection.path().string() + ".v" + std::to_string(found) + ".backup";
    if (!std::filesystem::exists(backup)) {
      SQLite::Statement copy(connection.db(), "VACUUM INTO ?");
      copy.bind(1, backup);
      copy.exec();
    }
  }
  WriteTransaction transaction(connection);
  // Another process may have migrated while this one waited.
  const std::int64_t before = connection.integer_pragma("user_version");
  for (const Migration& migration : migrations) {
    if (migration.version <= before) continue;
    connection.execute(migration.sql);
    connection.execute("PRAGMA user_version=" + std::to_string(migration.version));
    SQLite::Statement history(connection.db(), "INSERT INTO schema_history VALUES (?, ?, 'assay')");
    history.bind(1, migration.version);
    history.bind(2, utc_now());
    history.exec();
  }
  SQLite::Statement check(connection.db(), "PRAGMA foreign_key_check");
  if (check.executeStep()) {
    throw_input("{}: the migration to version {} found rows without their owner; nothing changed",
                connection.path().string(), migrations.back().version);
  }
  transaction.commit();
}

}  // namespace assay::store
