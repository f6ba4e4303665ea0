#include "engine/session.h"

#include "base/error.h"
#include "base/text.h"
#include "engine/generators/http/http.h"
#include "engine/generators/local.h"

namespace assay::engine {

std::unique_ptr<Session> make_session(const EngineOptions& options) {
  if (options.model.starts_with("replay:")) {
    throw_input("--model {}: recorded responses have no speed; name a model or a server",
                escaped(options.model));
  }
  if (is_served(options.model)) return make_http_session(options);
  return make_local_session(options);
}

}  // namespace assay::engine
