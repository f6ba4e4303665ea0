// The requests of a load: how long their prompts and answers are, and prompts of random tokens.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "engine/request.h"
#include "engine/session.h"
#include "store/store.h"

namespace assay::suites {

struct RequestLength {
  std::int64_t input = 0;
  std::int64_t output = 0;
  friend bool operator==(const RequestLength&, const RequestLength&) = default;
};

/// One object a line, {"input": 512, "output": 128}: tokens.
/// Throws: Error(kInput) with file and line; for an empty file too.
std::vector<RequestLength> read_lengths(const std::filesystem::path& file);

/// Of every generated response of a stored run: what its tasks' prompts and answers were long.
/// Throws: Error(kInput) when the run has no such response.
std::vector<RequestLength> stored_lengths(const store::Store& store, const store::RunRecord& run);

/// Prompt ids are drawn from [first_id, first_id + ids).
struct Vocabulary {
  std::int64_t first_id = 0;
  std::int64_t ids = 0;
};
/// The ordinary tokens of the session's model. A server does not tell how many it has: then 100 to
/// 10,000, which every model has.
Vocabulary vocabulary_of(const engine::Session& session);

struct Workload {
  std::vector<RequestLength> lengths;  // not empty; request i takes a seeded draw, or the only one
  Vocabulary vocabulary;
  std::uint64_t seed = 0;
  std::uint64_t stream = 0;  // case and repetition: no two have a prompt in common
};

/// Of request `index`: a function of the workload and the index alone.
RequestLength length_of(const Workload& workload, std::int64_t index);
/// Greedy, exactly as many output tokens as asked for (end-of-text is ignored), no two prompts with
/// a common beginning.
engine::Request request_of(const Workload& workload, std::int64_t index);

}  // namespace assay::suites
