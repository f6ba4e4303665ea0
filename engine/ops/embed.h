// Rows of the embedding matrix for the tokens of a step.
#pragma once

#include "engine/cuda/runtime.h"
#include "engine/ops/logits.h"
#include "engine/ops/number.h"
#include "engine/request.h"

namespace assay::engine {

/// The tokens of a step's rows: known ones, and those that the step before it has chosen. Device
/// memory.
struct StepTokens {
  const TokenId* ids = nullptr;         // [rows], each in [0, vocabulary)
  const int* from = nullptr;            // [rows]: an index of `before`, or negative: ids has the
                                        // token; null: all of them
  const LogitAnswer* before = nullptr;  // of the step before; not finite counts as token 0
};

/// Device memory, 16-byte aligned.
struct EmbedArgs {
  bf16* out = nullptr;  // [rows, cols]
  StepTokens tokens;
  const bf16* table = nullptr;  // [vocabulary, ld]
  int rows = 0;
  int cols = 0;
  int ld = 0;  // >= cols
};

/// Enqueues on `stream`: out[r] = the row of the table for row r's token.
void embed_cuda(CudaStream stream, const EmbedArgs& args);

/// Where ranks have parts of the vocabulary. Device memory.
struct EmbedPartArgs {
  float* out = nullptr;  // [rows, cols]
  StepTokens tokens;
  const bf16* table = nullptr;  // [count, ld]
  int first = 0;                // id of the table's first row
  int count = 0;
  int rows = 0;
  int cols = 0;
  int ld = 0;  // >= cols
};

/// Enqueues on `stream`: out[r] = the token's row, or zeros where another rank has it.
void embed_part_cuda(CudaStream stream, const EmbedPartArgs& args);

}  // namespace assay::engine
