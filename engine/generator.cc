#include "engine/generator.h"

#include "base/error.h"
#include "base/text.h"
#include "engine/generators/local.h"
#include "engine/generators/replay.h"
#include "engine/generators/replicas.h"

namespace assay::engine {

std::unique_ptr<Generator> make_generator(const EngineOptions& options) {
  const bool local = !options.model.starts_with("replay:") && !options.model.starts_with("http");
  if (options.processes != nullptr && !local) {
    throw_input("--model {}: runs in one process; use --launcher none", escaped(options.model));
  }
  if (options.model.starts_with("replay:")) return make_replay_generator(options);
  if (options.model.starts_with("http://") || options.model.starts_with("https://")) {
    throw_input("--model {}: talking to servers is not built yet", escaped(options.model));
  }
  if (options.dp > 1 && options.processes != nullptr) {
    throw_input("--dp {}: copies are in one process; start it alone, or with --launcher none",
                options.dp);
  }
  return options.dp > 1 ? make_replicas(options) : make_local_generator(options);
}

}  // namespace assay::engine
