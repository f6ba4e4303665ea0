// assay serve: an OpenAI-compatible server on the built-in engine, and the report in a browser.
#include <fmt/format.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/commands.h"
#include "cli/engine_options.h"
#include "cli/processes.h"
#include "cli/store_path.h"
#include "engine/server/server.h"
#include "reports/page_data.h"
#include "reports/published.h"
#include "reports/render_html.h"

namespace assay::cli {
namespace {

constexpr std::size_t kMaxPageBytes = 10'000'000;
constexpr std::size_t kMinTokenBytes = 16;

struct ServeArguments {
  engine::EngineOptions engine;
  engine::ServerOptions server;
  std::string launcher = "auto";
  std::string token_file;
  std::string reports;
  std::int64_t drain_s = 10;
  std::int64_t max_body_mb = 8;
};

/// From a file or the environment: arguments are seen by every user of the machine.
std::string read_token(const std::string& file) {
  std::string token;
  if (!file.empty()) {
    token = trim_ascii(read_file(file));
  } else if (const char* value = std::getenv("ASSAY_SERVE_TOKEN"); value != nullptr) {
    token = trim_ascii(value);
  } else {
    return "";
  }
  if (token.size() < kMinTokenBytes) {
    throw_input("{}: the token is shorter than {} characters; `openssl rand -hex 24` makes one",
                file.empty() ? "ASSAY_SERVE_TOKEN" : escaped(file), kMinTokenBytes);
  }
  return token;
}

engine::HttpReply report_page(const std::string& db) {
  const store::Store store = store::Store::open(store_path(db, false), store::OpenMode::kReadOnly);
  reports::PageOptions options;
  options.published = reports::built_in_published();
  options.sample_bytes = static_cast<std::int64_t>(kMaxPageBytes * 97 / 100);
  engine::HttpReply reply;
  reply.content_type = "text/html; charset=utf-8";
  reply.body = reports::render_html(reports::load_page(store, options), kMaxPageBytes);
  return reply;
}

ExitCode serve(ServeArguments a, engine::ProcessGroup* processes) {
  a.engine.processes = processes;
  a.engine.tp = ranks_of(processes, a.engine.tp);
  a.server.token = read_token(a.token_file);
  a.server.truncate_prompts = a.engine.long_prompts == "truncate";
  a.server.drain_time = std::chrono::seconds(a.drain_s);
  a.server.max_body_bytes = static_cast<std::size_t>(a.max_body_mb) << 20;
  std::vector<engine::PageRoute> pages;
  if (!a.reports.empty()) {
    (void)store::Store::open(store_path(a.reports, false), store::OpenMode::kReadOnly);
    pages.push_back({"/reports", [db = a.reports] { return report_page(db); }});
  }
  const auto session = engine::make_session(a.engine);
  engine::Server server(*session, a.server, std::move(pages));
  const bool six = a.server.address.find(':') != std::string::npos;
  const std::string root = fmt::format("http://{}{}{}:{}", six ? "[" : "", a.server.address,
                                       six ? "]" : "", server.port());
  log_info("serving {} in {} on {}/v1{}", session->info().name, session->info().setting, root,
           a.reports.empty() ? "" : ", the report on " + root + "/reports");
  fmt::print("{}/v1\n", root);
  std::fflush(stdout);
  switch (server.run(true)) {
    case SIGINT:
      return ExitCode::kInterrupted;
    case SIGTERM:
      return ExitCode::kTerminated;
    default:
      return ExitCode::kOk;
  }
}

}  // namespace

void add_serve(CLI::App& app, Chosen& chosen) {
  CLI::App* command = app.add_subcommand("serve", "An OpenAI-compatible HTTP server on a model");
  auto a = std::make_shared<ServeArguments>();
  add_engine_options(*command, a->engine);
  add_copies_option(*command, a->engine);
  add_launcher_option(*command, a->launcher);
  engine::ServerOptions& s = a->server;
  command->add_option("--listen", s.address, "IP address to listen on")->capture_default_str();
  command->add_option("--port", s.port, "0: any that is free")->capture_default_str();
  command->add_option("--token-file", a->token_file,
                      "File with the bearer token that clients must send; or ASSAY_SERVE_TOKEN");
  command->add_flag("--no-token", s.open, "Listen beyond loopback without one");
  command
      ->add_option("--host-name", s.hosts,
                   "Name that clients use for this machine; may be repeated")
      ->allow_extra_args(false);
  command->add_option("--served-name", s.model_name, "Name of the model for clients");
  command->add_option("--reports", a->reports, "Result store whose report is shown on /reports");
  command->add_option("--max-connections", s.max_connections)
      ->check(CLI::Range(1, 65536))
      ->capture_default_str();
  command->add_option("--max-queue", s.max_queue, "Answers in the making, all clients together")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  command->add_option("--max-body", a->max_body_mb, "MiB of one request")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  command->add_option("--drain", a->drain_s, "Seconds that answers may still take after a signal")
      ->check(CLI::Range(0, 3600))
      ->capture_default_str();
  command->callback([&chosen, a] {
    chosen.action = [a] {
      const auto lead = [&](engine::ProcessGroup* group) { return serve(*a, group); };
      return with_processes(a->launcher, a->engine.threads, lead);
    };
  });
}

}  // namespace assay::cli
