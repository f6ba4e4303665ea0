// assay report: the stored runs as one HTML page, and its content as Markdown, CSV and JSON.
#include <fmt/format.h>

#include <memory>
#include <string>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "cli/command.h"
#include "cli/commands.h"
#include "cli/store_path.h"
#include "reports/page_data.h"
#include "reports/page_json.h"
#include "reports/page_text.h"
#include "reports/published.h"
#include "reports/render_html.h"

namespace assay::cli {
namespace {

struct ReportArguments {
  std::string db;
  std::string html;
  std::string markdown;
  std::string csv;
  std::string json;
  std::string published;
  double max_mb = 10;
  reports::PageOptions page;
};

void write(const std::string& file, const std::string& content) {
  if (file.empty()) return;
  if (file == "-") {
    fmt::print("{}", content);
    return;
  }
  write_file_atomic(file, content);
  log_info("report: {} ({:.1f} MB)", file, static_cast<double>(content.size()) / 1e6);
}

ExitCode report(ReportArguments a) {
  if (a.html.empty() && a.markdown.empty() && a.csv.empty() && a.json.empty()) {
    throw_input("assay report: nothing to write; name --html, --markdown, --csv or --json FILE");
  }
  a.page.all_published = !a.published.empty();
  a.page.published = a.published.empty()
                         ? reports::built_in_published()
                         : reports::parse_published(read_file(a.published), a.published);
  const double max_bytes = 1e6 * a.max_mb;
  a.page.sample_bytes = static_cast<std::int64_t>(0.97 * max_bytes);
  if (a.html.empty() && a.json.empty()) a.page.sample_bytes = 0;
  const store::Store store =
      store::Store::open(store_path(a.db, false), store::OpenMode::kReadOnly);
  const reports::Page page = reports::load_page(store, a.page);
  if (!a.html.empty()) {
    write(a.html, reports::render_html(page, static_cast<std::size_t>(max_bytes)));
  }
  if (!a.markdown.empty()) write(a.markdown, reports::page_markdown(page));
  if (!a.csv.empty()) write(a.csv, reports::page_csv(page));
  if (!a.json.empty()) write(a.json, reports::report_json(page).dump() + "\n");
  return ExitCode::kOk;
}

}  // namespace

void add_report(CLI::App& app, Chosen& chosen) {
  CLI::App* command = app.add_subcommand("report", "The leaderboard and comparison page");
  auto a = std::make_shared<ReportArguments>();
  command->add_option("RUN", a->page.runs,
                      "Runs to show; default: the newest of each model and setting");
  command->add_option("--db", a->db, "Result store")->envname("ASSAY_DB");
  command->add_option("--html", a->html, "The page, one file without outside references");
  command->add_option("--markdown", a->markdown, "Its figures as Markdown; - is standard output");
  command->add_option("--csv", a->csv, "Its figures as CSV, one a row");
  command->add_option("--json", a->json, "All of it as JSON");
  command->add_option("--title", a->page.title, "Title of the page");
  command->add_option("--reference", a->page.reference,
                      "Run that differences refer to; default: the bf16 one, else the first");
  command->add_option("--published", a->published,
                      "File of published scores to show as rows of their own");
  command->add_option("--max-size", a->max_mb, "Size of the page in MB; samples are left out")
      ->check(CLI::Range(0.5, 500.0))
      ->capture_default_str();
  command->add_flag("--include-restricted", a->page.include_restricted,
                    "Show texts of data sets whose authors ask that they are not published");
  command->callback([&chosen, a] { chosen.action = [a] { return report(*a); }; });
}

}  // namespace assay::cli
