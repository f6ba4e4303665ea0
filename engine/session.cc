#include "engine/session.h"

#include "base/error.h"
#include "base/text.h"
#include "engine/generators/local.h"

namespace assay::engine {

std::unique_ptr<Session> make_session(const EngineOptions& options) {
  if (options.model.starts_with("replay:")) {
    throw_input("--model {}: recorded responses have no speed; name a model or a server",
                escaped(options.model));
  }
  if (options.model.starts_with("http://") || options.model.starts_with("https://")) {
    throw_input("--model {}: talking to servers is not built yet", escaped(options.model));
  }
  return make_local_session(options);
}

}  // namespace assay::engine
