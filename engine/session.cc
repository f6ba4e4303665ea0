#include "engine/session.h"

#include "base/error.h"
#include "base/text.h"
#include "engine/generators/http/http.h"
#include "engine/generators/local.h"
#include "engine/generators/replicas.h"

namespace assay::engine {

std::unique_ptr<Session> make_session(const EngineOptions& options) {
  if (options.model.starts_with("replay:")) {
    throw_input("--model {}: recorded responses have no speed; name a model or a server",
                escaped(options.model));
  }
  const bool served = is_served(options.model);
  if (served && options.processes != nullptr) {
    throw_input("--model {}: runs in one process; use --launcher none", escaped(options.model));
  }
  if (served && options.dp > 1) {
    throw_input("--dp {}: a server is not copied; give --model several addresses with commas",
                options.dp);
  }
  if (served) check_fast(options);
  if (served) return make_http_session(options);
  if (options.dp > 1 && options.processes != nullptr) {
    throw_input("--dp {}: copies are in one process; start it alone, or with --launcher none",
                options.dp);
  }
  return options.dp > 1 ? make_replica_session(options) : make_local_session(options);
}

}  // namespace assay::engine
