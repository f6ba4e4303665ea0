#include "engine/generator.h"

#include "base/error.h"
#include "base/text.h"
#include "engine/generators/http/http.h"
#include "engine/generators/local.h"
#include "engine/generators/replay.h"
#include "engine/generators/replicas.h"

namespace assay::engine {

bool is_served(const std::string& model) {
  return model.starts_with("http://") || model.starts_with("https://");
}

void check_fast(const EngineOptions& options) {
  if (!options.fast) return;
  throw_input("--model {}: --fast is for models that run on this machine's GPUs; leave it out",
              escaped(options.model));
}

std::unique_ptr<Generator> make_generator(const EngineOptions& options) {
  const bool local = !options.model.starts_with("replay:") && !is_served(options.model);
  if (!local) check_fast(options);
  if (options.processes != nullptr && !local) {
    throw_input("--model {}: runs in one process; use --launcher none", escaped(options.model));
  }
  if (options.model.starts_with("replay:")) return make_replay_generator(options);
  if (is_served(options.model)) return make_http_generator(options);
  if (options.dp > 1 && options.processes != nullptr) {
    throw_input("--dp {}: copies are in one process; start it alone, or with --launcher none",
                options.dp);
  }
  return options.dp > 1 ? make_replicas(options) : make_local_generator(options);
}

}  // namespace assay::engine
