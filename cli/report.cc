// assay report: the stored runs as one HTML page.
#include <fmt/format.h>

#include <memory>
#include <string>

#include "base/file.h"
#include "base/log.h"
#include "cli/command.h"
#include "cli/commands.h"
#include "cli/store_path.h"
#include "reports/page_data.h"
#include "reports/render_html.h"

namespace assay::cli {
namespace {

struct ReportArguments {
  std::string db;
  std::string html;
  reports::PageOptions page;
};

ExitCode report(const ReportArguments& a) {
  const store::Store store =
      store::Store::open(store_path(a.db, false), store::OpenMode::kReadOnly);
  write_file_atomic(a.html, reports::render_html(reports::load_page(store, a.page)));
  log_info("report: {}", a.html);
  return ExitCode::kOk;
}

}  // namespace

void add_report(CLI::App& app, Chosen& chosen) {
  CLI::App* command = app.add_subcommand("report", "The leaderboard and comparison page");
  auto a = std::make_shared<ReportArguments>();
  command->add_option("RUN", a->page.runs,
                      "Runs to show; default: the newest of each model and setting");
  command->add_option("--db", a->db, "Result store")->envname("ASSAY_DB");
  command->add_option("--html", a->html, "File to write")->required();
  command->add_option("--title", a->page.title, "Title of the page");
  command->add_option("--reference", a->page.reference,
                      "Run that differences refer to; default: the bf16 one, else the first");
  command->add_flag("--include-restricted", a->page.include_restricted,
                    "Show texts of data sets whose authors ask that they are not published");
  command->callback([&chosen, a] { chosen.action = [a] { return report(*a); }; });
}

}  // namespace assay::cli
