// The verdict on one response, and how verdicts become metrics.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"

namespace assay::evals {

enum class Verdict {
  kCorrect,
  kIncorrect,  // no answer found is incorrect, with that as its reason
  kUnscored,   // the harness failed (sandbox, server): left out of the mean, counted beside it
};

/// What one response adds to a metric: `value` of at most `count` points. A metric's estimate is
/// sum(value) / sum(count); most metrics have count 1, IFEval's instruction level has one per
/// instruction.
struct ScorePart {
  std::string metric;
  double value = 0;
  double count = 1;
  friend bool operator==(const ScorePart&, const ScorePart&) = default;
};

struct Score {
  Verdict verdict = Verdict::kIncorrect;
  double value = 0;              // in [0, 1]
  std::string answer;            // extracted; "" when none was found
  std::string reason;            // why, in a few words; never empty
  Json detail;                   // benchmark's own (IFEval: strict and loose lists); null for none.
                                 // "vote": what a majority over repeats counts this answer as
  std::vector<ScorePart> parts;  // empty when unscored
  friend bool operator==(const Score&, const Score&) = default;
};

/// What maj@k counts: equal votes are one answer. "" for no answer, which never has a majority.
inline std::string vote_of(const Score& score) {
  const Json* vote = score.detail.is_object() ? score.detail.find("vote") : nullptr;
  return vote != nullptr && vote->is_string() ? vote->as_string() : score.answer;
}

enum class MetricKind {
  kMean,     // sum(value) / sum(count) over the samples; repeats are averaged per item first
  kMacro,    // mean over groups of the group's kMean
  kPassAtK,  // unbiased pass@k over repeats (Chen et al. 2021, eq. 1)
  kMajAtK,   // share of items whose most frequent vote over k repeats is correct
  kMeanOf,   // plain mean of other metrics, named in `of`
};

struct MetricSpec {
  std::string name;  // "accuracy", "macro_accuracy", "pass@1", "prompt_strict" ...
  MetricKind kind = MetricKind::kMean;
  std::string part;             // ScorePart::metric it is made of
  int k = 1;                    // kPassAtK, kMajAtK
  std::vector<std::string> of;  // kMeanOf
  friend bool operator==(const MetricSpec&, const MetricSpec&) = default;
};

}  // namespace assay::evals
