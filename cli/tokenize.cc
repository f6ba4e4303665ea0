// assay tokenize: text on stdin to token ids on stdout, and back.
#include <fmt/format.h>

#include <iostream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/commands.h"
#include "engine/tokenizer_load.h"

namespace assay::cli {
namespace {

using engine::TokenId;

struct TokenizeOptions {
  std::string model;
  std::string file;
  std::string names = "llama-3.1";
  bool decode = false;
  bool special = false;
  bool bos = false;
  bool json = false;
};

std::vector<TokenId> encode(const engine::Tokenizer& tokenizer, std::string_view text, bool special,
                            bool bos) {
  std::vector<TokenId> ids = tokenizer.encode(text, special);
  if (bos) {
    if (!tokenizer.bos()) throw_input("--bos: this tokenizer has no token that begins a text");
    ids.insert(ids.begin(), *tokenizer.bos());
  }
  return ids;
}

TokenId checked_id(std::int64_t id, const engine::Tokenizer& tokenizer) {
  if (id < 0 || id >= tokenizer.vocab_size()) {
    throw_input("token id {} is outside the vocabulary of {} tokens", id, tokenizer.vocab_size());
  }
  return static_cast<TokenId>(id);
}

/// Ids separated by blanks, line ends or commas; brackets are skipped.
std::vector<TokenId> parse_ids(std::string_view text, const engine::Tokenizer& tokenizer) {
  constexpr std::string_view kBetween = " \t\r\n,[]";
  std::vector<TokenId> out;
  for (std::size_t at = text.find_first_not_of(kBetween); at != std::string_view::npos;
       at = text.find_first_not_of(kBetween, at)) {
    const std::size_t end = std::min(text.find_first_of(kBetween, at), text.size());
    const auto id = parse_int(text.substr(at, end - at));
    if (!id) throw_input("stdin: \"{}\" is no token id", escaped(text.substr(at, end - at), 60));
    out.push_back(checked_id(*id, tokenizer));
    at = end;
  }
  return out;
}

std::string read_stdin() {
  return {std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>()};
}

/// One JSON line in, one out.
std::string answer_line(std::string_view line, const std::string& source,
                        const engine::Tokenizer& tokenizer, const TokenizeOptions& options) {
  const Json request = parse_json(line, source);
  const Json* special_key = request.find("special");
  const bool special = special_key != nullptr ? special_key->as_bool() : options.special;
  Json answer;
  if (options.decode) {
    std::vector<TokenId> ids;
    for (const Json& id : request.at("ids").as_array()) {
      ids.push_back(checked_id(id.as_int(), tokenizer));
    }
    answer.set("text", tokenizer.decode(ids, {.show_special = special, .continues = false}));
  } else {
    Json ids{Json::Array{}};
    for (const TokenId id :
         encode(tokenizer, request.at("text").as_string(), special, options.bos)) {
      ids.push_back(std::int64_t{id});
    }
    answer.set("ids", std::move(ids));
  }
  return answer.dump();
}

void tokenize_lines(const engine::Tokenizer& tokenizer, const TokenizeOptions& options) {
  std::string line;
  for (std::int64_t number = 1; std::getline(std::cin, line); ++number) {
    if (trim_ascii(line).empty()) continue;
    const std::string source = fmt::format("stdin:{}", number);
    try {
      fmt::print("{}\n", answer_line(line, source, tokenizer, options));
    } catch (const Error& error) {
      const std::string message = error.what();
      throw Error(error.kind(), message.starts_with(source) ? message : source + ": " + message);
    }
  }
}

ExitCode tokenize(const TokenizeOptions& options) {
  const engine::LoadedTokenizer loaded = engine::load_tokenizer(
      options.model, {.file = options.file, .names = engine::special_names_from(options.names)});
  const engine::Tokenizer& tokenizer = *loaded.tokenizer;
  if (options.json) {
    tokenize_lines(tokenizer, options);
  } else if (options.decode) {
    const std::string text = tokenizer.decode(
        parse_ids(read_stdin(), tokenizer), {.show_special = options.special, .continues = false});
    std::cout.write(text.data(), static_cast<std::streamsize>(text.size())).flush();
  } else {
    const std::vector<TokenId> ids = encode(tokenizer, read_stdin(), options.special, options.bos);
    fmt::print("{}\n", fmt::join(ids, " "));
  }
  return ExitCode::kOk;
}

}  // namespace

void add_tokenize(CLI::App& app, Chosen& chosen) {
  auto options = std::make_shared<TokenizeOptions>();
  CLI::App* command = app.add_subcommand("tokenize", "Text on stdin to token ids, and back");
  command->add_option("--model", options->model, "Folder with tokenizer.json or tokenizer.model")
      ->required();
  command->add_flag("--decode", options->decode, "Token ids on stdin to text");
  command->add_flag("--special", options->special,
                    "Names of special tokens in the text become their ids; --decode shows them");
  command->add_flag("--bos", options->bos, "Begin with the token that begins a text");
  command->add_flag("--json", options->json,
                    "One JSON object a line in ({\"text\", \"special\"}, with --decode {\"ids\"}) "
                    "and out");
  command->add_option("--tokenizer", options->file,
                      "Which file, where a folder has both: json (default) or model");
  command->add_option("--special-names", options->names,
                      "Special tokens of tokenizer.model: llama-3.1 (default), llama-3.0, meta");
  command->callback(
      [&chosen, options] { chosen.action = [options] { return tokenize(*options); }; });
}

}  // namespace assay::cli
