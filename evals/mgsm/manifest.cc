#include "evals/mgsm/manifest.h"

#include <array>
#include <string>
#include <string_view>

namespace assay::evals {
namespace {

using datasets::FileFormat;
using datasets::Manifest;

struct Language {
  std::string_view code;
  std::string_view sha256;
};

constexpr std::array<Language, 11> kLanguages = {{
    {"bn", "6b00bc7cc635547e866989284afa924d789b5affa2eb8de623c385dd943ad977"},
    {"de", "4dfea30fede44b813e2e496f5f0534049e83c7cc8aed6e00600b30ec62053626"},
    {"en", "50021d0f28cc957edcb44e7806425b1c7fbd648ddcb9e0a8ec689d10e57d40fa"},
    {"es", "5bd27ebdf00140cec845c5298dc17715f5cd57d8edda6df1976db40bf3f0750a"},
    {"fr", "36207c1c03fd7cd3ea491441eb755408199f94e4a647851df531bbaedc99d606"},
    {"ja", "59a2b50debe77981fd784cb3b2bef1505e3abf2a37116dc9d7a366ab029b4637"},
    {"ru", "6bd30fd2e80c5bac23f566fb4ae0e6a55a19578401fbf9a01fb21beb3645fef8"},
    {"sw", "2bac828d77229e65d7c7197b1ad4a2cb5b1fe99b163f2cbdd66501de6a2115c4"},
    {"te", "dd6b1452c244bb2e4ba254c01ea84137f80c1cefc57d69c23b0ed88b9c0f36b7"},
    {"th", "f3932dc5ad8e9d0ea82b017adc1e1461dd647af861e7166d6741986602a0cfd6"},
    {"zh", "b2fa63151022370a0de1f4211c8c284eae74b0f5a3b003b1d5982c0d4a73f661"},
}};

const std::string kSource =
    "https://raw.githubusercontent.com/google-research/url-nlp/"
    "452a21ad3dae5668c06ceeac21ff073e1e40f9be/mgsm/";

Manifest make() {
  Manifest manifest{.name = "mgsm",
                    .title = "MGSM: grade-school word problems in eleven languages",
                    .licence = "CC-BY-4.0",
                    .homepage = "https://github.com/google-research/url-nlp",
                    .revision = "452a21ad3dae5668c06ceeac21ff073e1e40f9be"};
  for (const Language& language : kLanguages) {
    const std::string name = "mgsm_" + std::string(language.code) + ".tsv";
    manifest.files.push_back({.path = "mgsm/" + name,
                              .split = "test",
                              .group = std::string(language.code),
                              .format = FileFormat::kTsv,
                              .columns = {"question", "answer"},
                              .sha256 = std::string(language.sha256),
                              .records = 250,
                              .url = kSource + name});
  }
  // Upstream has the worked examples as Python source; this is their JSON form.
  manifest.files.push_back(
      {.path = "mgsm/exemplars.json",
       .split = "exemplars",
       .format = FileFormat::kJson,
       .required = {"EXEMPLAR_NUMBER_ANSWERS", "EXEMPLAR_EQUATION_SOLUTIONS", "MGSM_EXEMPLARS"},
       .sha256 = "3cd92eb866e05315a6dbd78be698e74301dd96e282057d6d1446a1e0e1cd1ad1",
       .records = 1});
  return manifest;
}

}  // namespace

const Manifest& mgsm_manifest() {
  static const Manifest manifest = make();
  return manifest;
}

}  // namespace assay::evals
