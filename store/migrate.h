// Numbered changes of the schema. Private to store/.
#pragma once

#include <span>
#include <string>

#include "store/sqlite.h"

namespace assay::store {

inline constexpr std::int64_t kApplicationId = 0x41535359;  // "ASSY"

inline constexpr std::int64_t kServedVersion = 2;  // from then on there is a table `served`

struct Migration {
  std::int64_t version = 0;  // user_version afterwards
  std::string sql;
};

/// Every migration of this program, in order; the first makes an empty file a store.
std::span<const Migration> all_migrations();

/// Refuses a file whose tables, indices or views are not those that the migrations up to `version`
/// make, or that has a trigger: a query would run what somebody else wrote. Further tables, views
/// and indices are nobody's business. Throws: Error(kInput) naming the object.
void check_schema(Connection& connection, std::int64_t version);

/// Applies what the file lacks, all in one transaction, then checks foreign keys. An older store is
/// copied to "<file>.v<N>.backup" first.
void migrate(Connection& connection, std::span<const Migration> migrations);

}  // namespace assay::store
