#include "engine/generator.h"

#include "base/error.h"
#include "base/text.h"
#include "engine/generators/local.h"
#include "engine/generators/replay.h"

namespace assay::engine {

std::unique_ptr<Generator> make_generator(const EngineOptions& options) {
  if (options.model.starts_with("replay:")) return make_replay_generator(options);
  if (options.model.starts_with("http://") || options.model.starts_with("https://")) {
    throw_input("--model {}: talking to servers is not built yet", escaped(options.model));
  }
  return make_local_generator(options);
}

}  // namespace assay::engine
