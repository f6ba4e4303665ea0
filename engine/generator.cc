#include "engine/generator.h"

#include "engine/generators/http/http.h"
#include "engine/generators/local.h"
#include "engine/generators/replay.h"

namespace assay::engine {

bool is_served(const std::string& model) {
  return model.starts_with("http://") || model.starts_with("https://");
}

std::unique_ptr<Generator> make_generator(const EngineOptions& options) {
  if (options.model.starts_with("replay:")) return make_replay_generator(options);
  if (is_served(options.model)) return make_http_generator(options);
  return make_local_generator(options);
}

}  // namespace assay::engine
