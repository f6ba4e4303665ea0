// What is asked of rows of logits, answered on the device: only the answers go to the host.
//
// Statistics are the CPU kernel `logit_stats`'s, bit for bit. A token is drawn with integer
// weights floor(2^44 exp((logit - max) / T)), whose sums are exact in any order; the CPU sampler
// draws with FP64 weights, so the two agree but for probabilities that lie within about 2^-24 of a
// boundary.
#pragma once

#include <cstdint>

#include "engine/cuda/runtime.h"

namespace assay::engine {

/// What a row is asked for; device memory.
struct LogitAsk {
  int wants_sum = 0;       // the log-sum-exp
  int samples = 0;         // 0: the chosen token is the argmax
  float per_degree = 0;    // log2(e) / temperature
  int top_k = 0;           // 0: off
  double top_p = 1;        // 1: off
  float min_p = 0;         // 0: off
  std::uint32_t draw = 0;  // uniform in [0, 2^24)
};

struct LogitAnswer {
  float max = 0;
  int argmax = 0;  // ties to the lowest id
  int chosen = 0;
  int finite = 0;  // 0: a NaN or an infinity; nothing else is set then
  double sum = 0;  // of exp(logit - max), when wanted
  float chosen_logit = 0;
  int unused = 0;
};

struct TopEntry {
  int id = 0;
  float logit = 0;
};

/// Device memory.
struct LogitsArgs {
  const float* logits = nullptr;  // [rows, ld]
  int ld = 0;
  int rows = 0;
  int vocab = 0;                   // <= 2^17 + 2^16
  const LogitAsk* asks = nullptr;  // [rows]
  LogitAnswer* answers = nullptr;  // [rows]
};

/// Statistics and the chosen token of each row.
void logits_cuda(CudaStream stream, const LogitsArgs& args);

/// The `counts[r]` largest logits of each row, by (logit descending, id ascending), in no order.
struct TopLogitsArgs {
  const float* logits = nullptr;  // [rows, ld]
  int ld = 0;
  int rows = 0;
  int vocab = 0;
  const int* counts = nullptr;  // [rows], each at most `most` and `vocab`
  TopEntry* out = nullptr;      // [rows, most]
  int most = 0;
};
void top_logits_cuda(CudaStream stream, const TopLogitsArgs& args);

/// out[i] = logits[rows[i], ids[i]].
struct GatherLogitsArgs {
  const float* logits = nullptr;
  int ld = 0;
  int count = 0;
  const int* rows = nullptr;
  const int* ids = nullptr;
  float* out = nullptr;
};
void gather_logits_cuda(CudaStream stream, const GatherLogitsArgs& args);

}  // namespace assay::engine
