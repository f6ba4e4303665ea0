// The engine on two real trained models against published log-probabilities: their READMEs' pass
// marks.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "base/file.h"
#include "engine/checkpoint.h"
#include "engine/generator.h"
#include "engine/ops/cpu_kernels.h"
#include "tests/support/oracle.h"
#include "tests/support/shared_data.h"

namespace assay::engine {
namespace {

std::vector<TokenId> ids_of(const Json& list) {
  std::vector<TokenId> out;
  for (const Json& id : list.as_array()) out.push_back(static_cast<TokenId>(id.as_int()));
  return out;
}

std::unique_ptr<Generator> open(const std::string& model, const std::string& precision,
                                const std::string& kv = "bf16") {
  return make_generator({.model = model, .precision = precision, .kv = kv, .threads = 2});
}

Completion complete(Generator& model, const Request& request) {
  Completion out;
  model.run({&request, 1}, [&](std::size_t, Completion completion) {
    out = std::move(completion);
    return true;
  });
  return out;
}

Request greedy(const std::vector<TokenId>& prompt, std::int64_t tokens) {
  Request request;
  request.prompt.form = PromptInput::Form::kIds;
  request.prompt.ids = prompt;
  request.sampling.max_tokens = tokens;
  request.sampling.ignore_eos = true;
  request.logprobs = 5;
  return request;
}

struct TeacherForced {
  double nll_change = 0;  // a generated token, against the oracle
  double top1 = 0;        // share of positions with the oracle's most likely token
  double kl = 0;          // mean divergence of the next-token distribution from the oracle's, nats
};

/// Feeds the reference's own tokens one by one to the engine and to the oracle.
TeacherForced teacher_forced(Generator& model, const Checkpoint& checkpoint, const Json& prompt) {
  TeacherForced out;
  test::Oracle oracle(checkpoint);
  std::vector<TokenId> ids = ids_of(prompt.at("prompt_ids"));
  std::vector<double> expected;
  for (const TokenId id : ids) expected = oracle.next(id);
  const std::vector<TokenId> generated = ids_of(prompt.at("gen_ids"));
  for (const TokenId next : generated) {
    Request request = greedy(ids, 1);
    request.logprobs = static_cast<int>(expected.size());
    const Completion one = complete(model, request);
    EXPECT_EQ(one.error, "");
    for (const auto& [id, value] : one.logprobs.at(0).top) {
      const double p = expected[static_cast<std::size_t>(id)];
      out.kl += std::exp(p) * (p - static_cast<double>(value));
      if (id == next) out.nll_change += p - static_cast<double>(value);
    }
    const auto best = std::max_element(expected.begin(), expected.end()) - expected.begin();
    out.top1 += one.ids.at(0) == best ? 1 : 0;
    ids.push_back(next);
    expected = oracle.next(next);
  }
  const auto count = static_cast<double>(generated.size());
  return {out.nll_change / count, out.top1 / count, out.kl / count};
}

class ReferenceModel : public ::testing::TestWithParam<const char*> {};

TEST_P(ReferenceModel, OracleRepeatsTheReferenceTextAndLogProbabilities) {
  ASSAY_SHARED_OR_SKIP(folder, std::string("models/") + GetParam());
  const Json reference = parse_json(read_file(folder / "reference.json"), "reference.json");
  const Checkpoint checkpoint = Checkpoint::open(folder);
  for (const Json& prompt : reference.at("prompts").as_array()) {
    test::Oracle oracle(checkpoint);
    std::vector<double> next;
    for (const TokenId id : ids_of(prompt.at("prompt_ids"))) next = oracle.next(id);
    const std::vector<TokenId> expected = ids_of(prompt.at("gen_ids"));
    const auto& logprobs = prompt.at("gen_logprobs_float64").as_array();
    for (std::size_t i = 0; i < expected.size(); ++i) {
      const auto best = std::max_element(next.begin(), next.end()) - next.begin();
      ASSERT_EQ(best, expected[i]) << i;
      EXPECT_NEAR(next[static_cast<std::size_t>(best)], logprobs[i].as_double(), 1e-5);
      next = oracle.next(expected[i]);
    }
  }
}

TEST_P(ReferenceModel, Bf16RepeatsTheReferenceText) {
  ASSAY_SHARED_OR_SKIP(folder, std::string("models/") + GetParam());
  const Json reference = parse_json(read_file(folder / "reference.json"), "reference.json");
  const auto model = open(folder, "bf16");
  for (const Json& prompt : reference.at("prompts").as_array()) {
    const std::vector<TokenId> expected = ids_of(prompt.at("gen_ids"));
    const Completion completion = complete(
        *model,
        greedy(ids_of(prompt.at("prompt_ids")), static_cast<std::int64_t>(expected.size())));
    // Where the two best tokens are closer than BF16 noise, either may follow.
    if (prompt.at("min_top1_margin").as_double() > 0.01) {
      EXPECT_EQ(completion.ids, expected) << completion.text;
    }
    const TeacherForced forced = teacher_forced(*model, Checkpoint::open(folder), prompt);
    EXPECT_GE(forced.top1, 0.96);
    EXPECT_LE(std::abs(forced.nll_change), 0.005);
    EXPECT_LE(forced.kl, 1e-3);
  }
}

TEST_P(ReferenceModel, Fp8StaysWithinThePassMarks) {
  ASSAY_SHARED_OR_SKIP(folder, std::string("models/") + GetParam());
  const Json reference = parse_json(read_file(folder / "reference.json"), "reference.json");
  for (const char* kv : {"bf16", "fp8"}) {
    const auto model = open(folder, "fp8", kv);
    TeacherForced all;
    double prompts = 0;
    for (const Json& prompt : reference.at("prompts").as_array()) {
      const TeacherForced forced = teacher_forced(*model, Checkpoint::open(folder), prompt);
      all.top1 += forced.top1;
      all.nll_change += forced.nll_change;
      all.kl += forced.kl;
      ++prompts;
    }
    fmt::print("fp8, kv {}: top-1 {:.3f}, NLL change {:+.4f}, KL {:.4f}\n", kv, all.top1 / prompts,
               all.nll_change / prompts, all.kl / prompts);
    EXPECT_GE(all.top1 / prompts, 0.93) << kv;
    EXPECT_LE(std::abs(all.nll_change / prompts), 0.04) << kv;
    EXPECT_LE(all.kl / prompts, 0.02) << kv;
  }
}

INSTANTIATE_TEST_SUITE_P(Models, ReferenceModel, ::testing::Values("stories260K", "aidreams260K"),
                         [](const auto& instance) { return std::string(instance.param); });

/// Token ids, log-probabilities and continuation scores of a mixed set of requests, as text.
std::vector<std::string> fingerprints(const std::string& model, EngineOptions options) {
  options.model = model;
  options.chat_format = "plain";
  const auto generator = make_generator(options);
  std::vector<Request> requests;
  const std::string story =
      "Once upon a time, there was a little girl named Lily. She loved to play. ";
  for (int i = 0; i < 12; ++i) {
    Request request;
    request.id = "r" + std::to_string(i);
    std::string text;
    for (int k = 0; k < 1 + i % 4; ++k) text += story;
    request.prompt.text = text + std::string(static_cast<std::size_t>(i), 'a');
    request.sampling.max_tokens = 5 + i;
    request.sampling.temperature = i % 3 == 0 ? 0.8 : 0;
    request.logprobs = 3;
    if (i % 4 == 3) request.continuations = {" big", " small dog", " big"};
    requests.push_back(std::move(request));
  }
  std::vector<std::string> out(requests.size());
  generator->run(requests, [&](std::size_t index, const Completion& completion) {
    std::string print = completion.error;
    for (const TokenLogprob& token : completion.logprobs) {
      print += fmt::format("{}:{:a} ", token.id, token.logprob);
      for (const auto& [id, value] : token.top) print += fmt::format("({} {:a})", id, value);
    }
    for (const ContinuationScore& score : completion.continuations) {
      print += fmt::format("[{:a} {}]", score.logprob, score.greedy);
    }
    out[index] = print;
    return true;
  });
  return out;
}

/// Every setting that needs no calibration, and a mixed one.
const char* const kSettings[] = {
    "bf16",       "fp8",
    "fp8-tensor", "w8a16-fp8",
    "fp8-block",  "int8",
    "int4-g128",  "nvfp4",
    "mxfp4",      "fp8[lm_head=fp8-block,*.k_proj=int4-g128,layers.0.*=bf16]"};

/// The cache's type and the matrices' settings do not meet in any kernel: both caches with two
/// settings are enough.
std::vector<const char*> caches_for(std::string_view precision) {
  if (precision == "bf16" || precision == "fp8") return {"bf16", "fp8"};
  return {"fp8"};
}

TEST(BatchInvariance, ResultsDoNotDependOnBatchThreadsOrPrefixCache) {
  ASSAY_SHARED_OR_SKIP(folder, "models/stories260K");
  for (const char* precision : kSettings) {
    for (const char* kv : caches_for(precision)) {
      EngineOptions base{.precision = precision, .kv = kv, .threads = 1, .max_batch = 1};
      base.prefix_cache = false;
      const auto alone = fingerprints(folder, base);
      for (const std::string& print : alone) EXPECT_FALSE(print.empty());
      for (const std::int64_t batch : {2, 7, 64}) {
        for (const int threads : {1, 3}) {
          for (const bool prefix : {false, true}) {
            EngineOptions options = base;
            options.max_batch = batch;
            options.threads = threads;
            options.prefix_cache = prefix;
            EXPECT_EQ(fingerprints(folder, options), alone)
                << precision << " " << kv << " " << batch << " " << threads << " " << prefix;
          }
        }
      }
    }
  }
}

TEST(BatchInvariance, ResultsDoNotDependOnTheNumberOfRanks) {
  for (const char* name : {"stories260K", "aidreams260K"}) {
    ASSAY_SHARED_OR_SKIP(folder, std::string("models/") + name);
    for (const char* precision : kSettings) {
      for (const char* kv : caches_for(precision)) {
        const EngineOptions one{.precision = precision, .kv = kv, .threads = 1};
        const auto expected = fingerprints(folder, one);
        const std::int64_t heads = load_model_config(folder).heads;
        for (const int ranks : {2, 4, 8}) {
          if (heads % ranks != 0) continue;
          EngineOptions options = one;
          options.tp = ranks;
          options.threads = ranks == 2 ? 4 : 1;
          EXPECT_EQ(fingerprints(folder, options), expected)
              << name << " " << precision << " " << kv << " " << ranks;
        }
      }
    }
  }
}

TEST(BatchInvariance, ResultsDoNotDependOnTheKernelVariant) {
  ASSAY_SHARED_OR_SKIP(folder, "models/stories260K");
  for (const char* precision : kSettings) {
    for (const char* kv : caches_for(precision)) {
      const EngineOptions options{.precision = precision, .kv = kv, .threads = 2};
      setenv("ASSAY_CPU_KERNELS", "scalar", 1);
      const auto expected = fingerprints(folder, options);
      for (const std::string& variant : available_cpu_kernels()) {
        setenv("ASSAY_CPU_KERNELS", variant.c_str(), 1);
        EXPECT_EQ(fingerprints(folder, options), expected)
            << precision << " " << kv << " " << variant;
      }
      unsetenv("ASSAY_CPU_KERNELS");
    }
  }
}

TEST(Scoring, AContinuationScoresTheSumOfItsSteps) {
  ASSAY_SHARED_OR_SKIP(folder, "models/stories260K");
  const auto model = open(folder, "bf16");
  Request request;
  request.prompt.text = "Once upon a time, there was a";
  request.continuations = {" little girl named Lily"};
  const Completion scored = complete(*model, request);
  ASSERT_EQ(scored.continuations.size(), 1U);
  const ContinuationScore& score = scored.continuations[0];
  std::vector<TokenId> ids = scored.prompt_ids;
  double sum = 0;
  for (std::size_t i = 0; i < score.ids.size(); ++i) {
    Request step = greedy(ids, 1);
    step.logprobs = 512;
    const Completion one = complete(*model, step);
    for (const auto& [id, value] : one.logprobs.at(0).top) {
      if (id != score.ids[i]) continue;
      EXPECT_EQ(value, score.logprobs[i]);
      sum += static_cast<double>(score.logprobs[i]);
    }
    ids.push_back(score.ids[i]);
  }
  EXPECT_NEAR(score.logprob, sum, 1e-5);
}

TEST(Local, UnknownSettingsAndTooLargeModelsAreRefusedInOneLine) {
  EXPECT_NE(test::error_message([] {
              make_generator({.model = "dummy:llama-3.2-1b", .precision = "fp9"});
            }).find("fp8"),
            std::string::npos);
  const std::string large = test::error_message(
      [] { make_generator({.model = "dummy:llama-3.1-405b", .precision = "bf16"}); });
  EXPECT_NE(large.find("GiB"), std::string::npos) << large;
}

TEST(Local, LongPromptsFailAloneOrAreTruncatedAndCounted) {
  ASSAY_SHARED_OR_SKIP(folder, "models/stories260K");
  for (const bool truncate : {false, true}) {
    const auto model = make_generator({.model = folder,
                                       .precision = "bf16",
                                       .max_context = 64,
                                       .long_prompts = truncate ? "truncate" : "error"});
    Request request;
    request.prompt.text = std::string(400, 'x');
    request.sampling.max_tokens = 8;
    const Completion completion = complete(*model, request);
    if (truncate) {
      EXPECT_EQ(completion.error, "");
      EXPECT_EQ(completion.prompt_ids.size(), 56U);
      EXPECT_EQ(completion.prompt_ids.front(), 1);
      EXPECT_GT(completion.truncated_prompt_tokens, 100);
    } else {
      EXPECT_NE(completion.error.find("context"), std::string::npos);
    }
  }
}

TEST(Local, StopStringsAreCutWithWhatFollows) {
  ASSAY_SHARED_OR_SKIP(folder, "models/stories260K");
  const auto model = open(folder, "bf16");
  Request request;
  request.prompt.text = "Once upon a time, there was a little girl";
  request.sampling.max_tokens = 60;
  const Completion whole = complete(*model, request);
  const std::size_t dot = whole.text.find(". ");
  ASSERT_NE(dot, std::string::npos) << whole.text;
  request.sampling.stop = {". "};
  const Completion cut = complete(*model, request);
  EXPECT_EQ(cut.text, whole.text.substr(0, dot));
  EXPECT_EQ(cut.finish_reason, FinishReason::kStop);
}

}  // namespace
}  // namespace assay::engine
