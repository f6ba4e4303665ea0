#include "cli/examples.h"

namespace assay::cli {
namespace {

struct Example {
  const char* command;
  const char* lines;
};

/// A subcommand of a group is named with it. tests/e2e/docs_test.py checks that all options exist.
constexpr Example kExamples[] = {
    {"run",
     "  assay run suites/reference.jsonc --model Llama-3.1-8B-Instruct --data data --db r.db\n"
     "  assay run suites/reference.jsonc --model M --precision bf16 --precision fp8 --task gsm8k\n"
     "  assay run suites/reference.jsonc --model M --data data --dry-run\n"
     "  assay run suites/ci-regression.jsonc --db r.db --gate branch:main --junit gate.xml\n"},
    {"report",
     "  assay report --db results.db --html report.html\n"
     "  assay report RUN_A RUN_B --reference RUN_A --db results.db --markdown -\n"},
    {"compare",
     "  assay compare RUN_A RUN_B --db results.db\n"
     "  assay compare main RUN --db results.db --format markdown --flips 5\n"},
    {"gate",
     "  assay gate --baseline branch:main --candidate RUN --db results.db --junit gate.xml\n"},
    {"score",
     "  assay score gsm8k --data data --responses answers.jsonl --json\n"
     "  assay score humaneval --data data --responses samples.jsonl --verdicts verdicts.jsonl\n"},
    {"equal", "  echo '{\"a\": \"\\\\frac{1}{2}\", \"b\": \"0.5\"}' | assay equal\n"},
    {"extract", "  assay extract mmlu@meta-cot --responses answers.jsonl\n"},
    {"tokenize", "  echo 'Hello' | assay tokenize --model Llama-3.1-8B-Instruct\n"},
    {"quantize",
     "  assay quantize --model Llama-3.1-8B-Instruct --to fp8 --out Llama-3.1-8B-fp8\n"},
    {"generate",
     "  assay generate --model Llama-3.1-8B-Instruct --prompt 'Why?' --chat --max-tokens 64\n"
     "  assay generate --model M --precision fp8 --prompt 'Why?' --logprobs 5 --json\n"},
    {"serve", "  assay serve --model Llama-3.1-8B-Instruct --precision fp8 --port 8000\n"},
    {"bench latency",
     "  assay bench latency --model dummy:llama-3.1-8b --batch 1,8 --input 128 --output 64\n"},
    {"bench throughput",
     "  assay bench throughput --model dummy:llama-3.1-8b --input 1000 --output 1000\n"},
    {"bench serve",
     "  assay bench serve --model http://localhost:8000/v1 --rate 1,2,4 --slo-ttft 500\n"},
    {"bench kernels", "  assay bench kernels --filter BM_gemm --db bench.db\n"},
    {"models inspect", "  assay models inspect dummy:llama-3.3-70b\n"},
    {"suites expand", "  assay suites expand suites/reference.jsonc\n"},
    {"datasets fetch", "  assay datasets fetch gsm8k mmlu --data data\n"},
    {"datasets verify", "  assay datasets verify --data data\n"},
    {"runs list", "  assay runs list --db results.db\n"},
    {"runs export", "  assay runs export RUN --db results.db > samples.jsonl\n"},
};

}  // namespace

void add_examples(CLI::App& app) {
  for (const Example& example : kExamples) {
    const std::string path = example.command;
    const std::size_t space = path.find(' ');
    CLI::App* command = app.get_subcommand(path.substr(0, space));
    if (space != std::string::npos) command = command->get_subcommand(path.substr(space + 1));
    command->footer(std::string("Examples:\n") + example.lines + "\n" + command->get_footer());
  }
}

}  // namespace assay::cli
