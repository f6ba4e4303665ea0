// The protocols of GPQA: order of the answers, prompt, rule for the letter.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "evals/benchmark.h"
#include "evals/gpqa/order.h"

namespace assay::evals::gpqa {

/// How the letter is found.
enum class Finder {
  kOwn,
  kMetaCot,
  kMetaShort,
  kSimpleEvals,
  kLmEvalStrict,  // the flexible rule is reported beside it
  kLikelihood,    // of "(A)" to "(D)"
  kHelm,
  kOpenCompass,
};

struct Rules {
  OrderRule order = OrderRule::kSimpleEvals;
  Finder finder = Finder::kOwn;
  std::string_view template_path;  // "" for our own words
  bool lm_eval_texts = false;      // texts are cleaned as lm-eval does
  bool bare_chat = true;           // false: the model's template with its system block
  bool plain_text = false;         // raw text, no chat
};

std::span<const Protocol> protocols();
/// Of one of `protocols()`; a null or foreign pointer means the first.
const Rules& rules_of(const Protocol* protocol);

}  // namespace assay::evals::gpqa
