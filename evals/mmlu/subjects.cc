#include "evals/mmlu/subjects.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace assay::evals::mmlu {
namespace {

constexpr std::array<std::string_view, 18> kStem = {
    "abstract_algebra",         "astronomy",
    "college_biology",          "college_chemistry",
    "college_computer_science", "college_mathematics",
    "college_physics",          "computer_security",
    "conceptual_physics",       "electrical_engineering",
    "elementary_mathematics",   "high_school_biology",
    "high_school_chemistry",    "high_school_computer_science",
    "high_school_mathematics",  "high_school_physics",
    "high_school_statistics",   "machine_learning"};
constexpr std::array<std::string_view, 13> kHumanities = {"formal_logic",
                                                          "high_school_european_history",
                                                          "high_school_us_history",
                                                          "high_school_world_history",
                                                          "international_law",
                                                          "jurisprudence",
                                                          "logical_fallacies",
                                                          "moral_disputes",
                                                          "moral_scenarios",
                                                          "philosophy",
                                                          "prehistory",
                                                          "professional_law",
                                                          "world_religions"};
constexpr std::array<std::string_view, 12> kSocialSciences = {"econometrics",
                                                              "high_school_geography",
                                                              "high_school_government_and_politics",
                                                              "high_school_macroeconomics",
                                                              "high_school_microeconomics",
                                                              "high_school_psychology",
                                                              "human_sexuality",
                                                              "professional_psychology",
                                                              "public_relations",
                                                              "security_studies",
                                                              "sociology",
                                                              "us_foreign_policy"};

}  // namespace

std::string_view category_of(std::string_view subject) {
  if (std::ranges::find(kStem, subject) != kStem.end()) return "stem";
  if (std::ranges::find(kHumanities, subject) != kHumanities.end()) return "humanities";
  if (std::ranges::find(kSocialSciences, subject) != kSocialSciences.end()) {
    return "social_sciences";
  }
  return "other";
}

std::string_view lm_eval_category_of(std::string_view subject) {
  return subject == "anatomy" ? "stem" : category_of(subject);
}

std::string spoken(std::string_view subject) { return replace_all(subject, "_", " "); }

}  // namespace assay::evals::mmlu
