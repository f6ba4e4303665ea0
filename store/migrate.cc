#include "store/migrate.h"

#include <map>
#include <string>

#include "base/error.h"
#include "base/text.h"
#include "store/schema.h"
#include "store/store.h"

namespace assay::store {

std::span<const Migration> all_migrations() {
  static const std::vector<Migration> migrations = {
      {1, kSchema}, {kServedVersion, kSchema2}, {3, kSchema3}};
  return migrations;
}

namespace {

struct SchemaObject {
  std::string type;
  std::string sql;
};

using Schema = std::map<std::string, SchemaObject>;  // by name

Schema schema_of(SQLite::Database& db) {
  Schema out;
  SQLite::Statement row(db, "SELECT name, type, sql FROM sqlite_schema WHERE sql IS NOT NULL");
  while (row.executeStep()) {
    out[row.getColumn(0).getString()] = {row.getColumn(1).getString(),
                                         row.getColumn(2).getString()};
  }
  return out;
}

/// Of a store of a known version.
const Schema& schema_of_version(std::int64_t version) {
  static const std::map<std::int64_t, Schema> kSchemas = [] {
    SQLite::Database model(":memory:", SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
    std::map<std::int64_t, Schema> out;
    for (const Migration& migration : all_migrations()) {
      model.exec(migration.sql);
      out[migration.version] = schema_of(model);
    }
    return out;
  }();
  return kSchemas.at(version);
}

}  // namespace

void check_schema(Connection& connection, std::int64_t version) {
  const Schema found = schema_of(connection.db());
  for (const auto& [name, object] : schema_of_version(version)) {
    const auto match = found.find(name);
    if (match == found.end() || match->second.type != object.type ||
        match->second.sql != object.sql) {
      throw_input("{}: not an assay store: its {} \"{}\" is {}", connection.path().string(),
                  object.type, name, match == found.end() ? "missing" : "another");
    }
  }
  for (const auto& [name, object] : found) {
    if (object.type == "trigger") {
      throw_input("{}: holds a trigger \"{}\", which would run with every change: refused",
                  connection.path().string(), escaped(name, 100));
    }
  }
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
