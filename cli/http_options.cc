#include "cli/http_options.h"

#include <chrono>

namespace assay::cli {
namespace {

constexpr double kMostSeconds = 86'400;

void add_seconds(CLI::App& command, const std::string& name, engine::HttpOptions::Milliseconds& out,
                 const std::string& help) {
  command
      .add_option_function<double>(
          name,
          [&out](double seconds) {
            out = std::chrono::milliseconds{static_cast<std::int64_t>(seconds * 1000)};
          },
          help + fmt::format("; default {} s", out.count() / 1000))
      ->check(CLI::Range(0.001, kMostSeconds))
      ->group("Servers");
}

}  // namespace

void add_http_options(CLI::App& command, std::string& model_name, engine::HttpOptions& http) {
  const std::string group = "Servers";
  command.add_option("--model-name", model_name, "The model's name there; default: the only one")
      ->envname("ASSAY_MODEL_NAME")
      ->group(group);
  command
      .add_option("--api-key-file", http.api_key_file,
                  "File with the key; default: from ASSAY_API_KEY, else OPENAI_API_KEY")
      ->group(group);
  command
      .add_option("--ca-file", http.ca_file,
                  "PEM file with trusted roots; default: the system's, or SSL_CERT_FILE")
      ->check(CLI::ExistingFile)
      ->group(group);
  command.add_flag("--insecure", http.insecure, "Do not check certificates; stored with the run")
      ->group(group);
  command
      .add_flag("--key-without-tls", http.key_without_tls,
                "Send the key over plain http to other machines too")
      ->group(group);
  command.add_flag("!--no-stream", http.stream, "Ask for whole answers, not for event streams")
      ->group(group);
  command.add_option("--attempts", http.attempts, "Of one request before it counts as failed")
      ->check(CLI::Range(1, 100))
      ->group(group)
      ->capture_default_str();
  add_seconds(command, "--connect-timeout", http.connect, "For connecting, TLS included");
  add_seconds(command, "--first-byte-timeout", http.first_byte, "For an answer's first byte");
  add_seconds(command, "--silence-timeout", http.silence, "Between two pieces of an answer");
  add_seconds(command, "--give-up-after", http.all_down, "When no server answers any more");
}

}  // namespace assay::cli
