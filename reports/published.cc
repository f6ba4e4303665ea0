#include "reports/published.h"

#include "base/error.h"
#include "base/object_reader.h"
#include "reports/html.h"

namespace assay::reports {

std::vector<PublishedScore> parse_published(std::string_view text, std::string_view source) {
  const Json document = parse_jsonc(text, source);
  const JsonSource origin{std::string(source), std::string(text)};
  ObjectReader file(document, origin, "");
  std::vector<PublishedScore> out;
  for (const Json& entry : file.required("scores").as_array()) {
    ObjectReader row(entry, origin, "scores[" + std::to_string(out.size()) + "]");
    PublishedScore score{.model = row.required_string("model"),
                         .setting = row.string("setting", ""),
                         .task = row.required_string("task"),
                         .metric = row.required_string("metric"),
                         .value = row.required("value").as_double(),
                         .protocol = row.required_string("protocol"),
                         .source = row.required_string("source")};
    if (score.value < 0 || score.value > 1) {
      row.fail(row.required("value"), "value", "a share between 0 and 1 is expected");
    }
    row.finish();
    out.push_back(std::move(score));
  }
  file.finish();
  return out;
}

std::vector<PublishedScore> built_in_published() {
  return parse_published(kPublishedScores, "published.jsonc");
}

}  // namespace assay::reports
