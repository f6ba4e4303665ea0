#include "engine/generator.h"

#include "engine/generators/http/http.h"
#include "engine/generators/local.h"
#include "engine/generators/replay.h"

namespace assay::engine {

std::unique_ptr<Generator> make_generator(const EngineOptions& options) {
  if (options.model.starts_with("replay:")) return make_replay_generator(options);
  if (options.model.starts_with("http://") || options.model.starts_with("https://")) {
    return make_http_generator(options);
  }
  return make_local_generator(options);
}

}  // namespace assay::engine
