#include "cli/engine_options.h"

#include "cli/http_options.h"

namespace assay::cli {

void add_engine_options(CLI::App& command, engine::EngineOptions& options) {
  command
      .add_option("--model", options.model,
                  "Folder with a Hugging Face checkpoint, dummy:NAME, replay:FILE.jsonl, or the "
                  "address of a server's API, http(s)://HOST/v1; several with commas")
      ->envname("ASSAY_MODEL")
      ->required();
  command.add_option("--device", options.device, "cpu, cuda or auto")->envname("ASSAY_DEVICE");
  command
      .add_option("--precision", options.precision,
                  "Setting of weights and activations, NAME or NAME[PATTERN=NAME,...]; default "
                  "fp8, or a quantized checkpoint's own")
      ->envname("ASSAY_PRECISION");
  command.add_option("--kv", options.kv, "KV cache: bf16, fp8, fp8-tensor or fp8-head")
      ->envname("ASSAY_KV");
  command.add_option("--calibrate", options.calibrate,
                     "Text file for static scales that the model has not");
  command.add_option("--tp", options.tp, "Tensor-parallel ranks")->check(CLI::Range(1, 1024));
  add_tp_invariant_flags(command, [&options](bool on) { options.tp_invariant = on; });
  add_fast_flag(command, options.fast);
  command.add_option("--threads", options.threads, "CPU threads; 0: all this process may use")
      ->envname("ASSAY_THREADS")
      ->check(CLI::Range(0, 4096));
  command
      .add_option("--max-batch", options.max_batch,
                  "Sequences at once; 0: by memory. For a server: requests at once; 0: 32")
      ->check(CLI::NonNegativeNumber);
  command.add_option("--max-context", options.max_context, "Longest sequence; 0: the model's")
      ->check(CLI::NonNegativeNumber);
  command.add_option("--seed", options.seed, "Of sampling");
  command.add_option("--chat-format", options.chat_format,
                     "auto, or a format for models without a known template: plain, llama-3.1 ...");
  command
      .add_option("--long-prompts", options.long_prompts,
                  "Prompts beyond the context: error, or truncate the oldest tokens")
      ->check(CLI::IsMember({"error", "truncate"}));
  add_http_options(command, options.model_name, options.http);
}

void add_tp_invariant_flags(CLI::App& command, const std::function<void(bool)>& set) {
  command.add_flag_callback(
      "--tp-invariant", [set] { set(true); }, "The same bits for every --tp (default)");
  command.add_flag_callback(
      "--no-tp-invariant", [set] { set(false); },
      "A rank's inputs of o_proj and down_proj in one sum with one scale");
}

CLI::Option* add_fast_flag(CLI::App& command, bool& fast) {
  return command.add_flag(
      "--fast", fast,
      "GPUs: the fastest product for each shape; bits may depend on the batch and on --tp");
}

void add_copies_option(CLI::App& command, engine::EngineOptions& options) {
  command.add_option("--dp", options.dp, "Copies of the model that answer different requests")
      ->check(CLI::Range(1, 1024));
}

}  // namespace assay::cli
