// A step of the scheduler as the flat arrays that the device reads, and the plan of captured steps.
// Pure functions of the batch: tested without a device.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/batch.h"
#include "engine/ops/logits.h"
#include "engine/ops/paged_attention.h"

namespace assay::engine {

/// What decides which kernels with which sizes a step runs. Steps of equal shape may replay the
/// same captured graph.
struct StepShape {
  int rows = 0;          // with rows that fill up a captured step
  int spans = 1;         // of 512 positions, of the longest sequence; a power of two
  int decode_tiles = 0;  // of attention: sequences with one row
  int prompt_tiles = 0;  // pieces of sequences with more
  bool decode = false;   // one row a sequence, logits of every row: can be captured
  bool operator==(const StepShape&) const = default;
};

/// Rows of captured steps, ascending.
const std::vector<int>& captured_rows();
/// The smallest captured number of rows that holds `rows`; 0 when none does.
int captured_rows_for(int rows);

/// Places of the arrays in one block of memory, each at a multiple of 256 bytes.
struct StepLayout {
  StepLayout(const StepShape& shape, std::int64_t sequences, std::int64_t queries);
  std::size_t ids = 0;         // int [rows]
  std::size_t from = 0;        // int [rows]
  std::size_t positions = 0;   // int [rows]
  std::size_t sequence = 0;    // int [rows]
  std::size_t query_rows = 0;  // int [queries]
  std::size_t asks = 0;        // LogitAsk [queries]
  std::size_t tiles = 0;       // AttentionTile [decode_tiles + prompt_tiles]
  std::size_t page_table = 0;  // int [sequences, spans * 8]
  std::size_t bytes = 0;
};

/// The arrays of one step.
struct StepPlan {
  StepShape shape;
  std::vector<int> ids, positions, sequence, query_rows, page_table;
  std::vector<int> from;  // [rows]: query of the step before that chooses the row's token; or -1
  std::vector<LogitAsk> asks;
  std::vector<AttentionTile> tiles;
  std::vector<int> top_counts;               // one a query; empty: nobody wants any
  std::vector<int> target_rows, target_ids;  // one a wanted log-probability; rows are queries
  int most_top = 0;
};

/// Spans of tiles of one row that wait to be folded, in one step. Sequences beyond it are read by
/// one block each, which gives the same bits.
inline constexpr int kPartialSpans = 8192;

struct StepLimits {
  std::int64_t heads = 1;
  std::int64_t kv_heads = 1;
  std::int64_t vocab = 1;
  std::int32_t scratch_page = 0;    // which rows that fill up read and write
  bool capture = false;             // fill decode steps up to a captured number of rows
  std::int64_t max_rows = 1 << 20;  // of a step, filled up or not
  int partial_spans = kPartialSpans;
};

StepPlan plan_step(const Batch& batch, const StepLimits& limits);
/// Writes the plan's arrays into `block` [layout.bytes].
void write_step(const StepPlan& plan, const StepLayout& layout, std::byte* block);

/// Query tokens of a prompt's attention tile: 16 rows of a tensor-core tile hold tokens x group,
/// and a block has four such tiles.
int attention_tile_tokens(std::int64_t heads, std::int64_t kv_heads);

/// Turns what the device answered into what the scheduler wants. `targets`: logits of
/// plan.target_ids; `top` [queries, most_top].
std::vector<LogitResult> step_results(const Batch& batch, const StepPlan& plan,
                                      const LogitAnswer* answers, const float* targets,
                                      const TopEntry* top);

}  // namespace assay::engine
