// How far a setting's numbers are from those of the BF16 reference on the same text: divergence of
// the next-token distributions, and the error that has gathered in the residual stream after each
// layer.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/generator.h"

namespace assay::engine {

struct NumericsOptions {
  std::string text;            // the text itself
  std::int64_t tokens = 2048;  // at most so many of it
  std::int64_t window = 256;   // tokens that see each other
  std::string reference = "bf16";
};

struct LayerError {
  double relative = 0;  // root mean square of the difference over that of the reference
  double snr_db = 0;    // -20 log10(relative); 0 when there is no difference
};

struct Numerics {
  std::int64_t tokens = 0;  // positions whose distributions were compared
  double kl_mean = 0;       // of the reference from the setting, nats
  double kl_p50 = 0, kl_p90 = 0, kl_p99 = 0, kl_p999 = 0, kl_max = 0;
  double top1 = 0;  // share of positions with the reference's most likely token
  double perplexity = 0;
  double perplexity_reference = 0;
  std::vector<LayerError> layers;
};

/// Runs the reference and `options`' setting window by window, both on the CPU and in memory
/// together. Does not depend on threads. `reference` is a setting with a BF16 cache.
/// Throws: Error(kInput) for a text of fewer than two tokens, a device other than the CPU, or
/// logits that are not finite.
Numerics measure_numerics(const EngineOptions& options, const NumericsOptions& how);

}  // namespace assay::engine
