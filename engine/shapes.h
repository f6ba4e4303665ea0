// Shapes of published Llama models, for dummy weights and benchmarks. No weights, no tokenizer.
// Source: the config.json of each model.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "engine/model_config.h"

namespace assay::engine {

/// The names that `known_shape` takes: "llama-3.2-1b", "llama-3.2-3b", "llama-3.1-8b", ...
std::span<const std::string> known_shape_names();

/// Throws: Error(kInput) for an unknown name, with the known ones.
ModelConfig known_shape(std::string_view name);

}  // namespace assay::engine
