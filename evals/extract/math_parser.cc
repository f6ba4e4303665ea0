// Recursive descent over the tokens of an answer. Every failure is an exception that ends here.
#include <algorithm>
#include <set>
#include <utility>

#include "evals/extract/latex_tokens.h"
#include "evals/extract/math_node.h"
#include "evals/extract/math_words.h"

namespace assay::evals {
namespace {

using Kind = MathNode::Kind;
using Token = LatexToken;

constexpr std::size_t kMaxBytes = 8192;
constexpr int kMaxDepth = 40;

struct SyntaxError {};

class Parser {
 public:
  explicit Parser(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

  MathNode run() {
    MathNode node = list();
    if (!at_end()) throw SyntaxError{};
    return node;
  }
  bool has_list = false;

 private:
  const Token& now() const { return tokens_[at_]; }
  const Token& ahead(std::size_t count = 1) const {
    return tokens_[std::min(at_ + count, tokens_.size() - 1)];
  }
  bool at_end() const { return now().kind == Token::Kind::kEnd; }
  bool sign(std::string_view text) const {
    return now().kind == Token::Kind::kSign && now().text == text;
  }
  bool command(std::string_view text) const {
    return now().kind == Token::Kind::kCommand && now().text == text;
  }
  bool number() const { return now().kind == Token::Kind::kNumber; }
  bool take_sign(std::string_view text) { return sign(text) && ++at_ > 0; }
  bool take_command(std::string_view text) { return command(text) && ++at_ > 0; }
  /// The text of the next token, whatever it is; the end is none.
  const std::string& take() {
    if (at_end()) throw SyntaxError{};
    return tokens_[at_++].text;
  }
  void expect_sign(std::string_view text) {
    if (!take_sign(text)) throw SyntaxError{};
  }

  struct Depth {
    explicit Depth(int& depth) : depth_(depth) {
      if (++depth_ > kMaxDepth) throw SyntaxError{};
    }
    ~Depth() { --depth_; }
    Depth(const Depth&) = delete;
    Depth& operator=(const Depth&) = delete;
    int& depth_;
  };

  bool separator() {
    bool found = false;
    while (sign(",") || sign(";") || now().kind == Token::Kind::kSeparator) {
      found = true;
      ++at_;
    }
    return found;
  }

  MathNode list() {
    std::vector<MathNode> items = items_until_end();
    if (items.size() == 1) return std::move(items[0]);
    has_list = true;
    return make(Kind::kList, "", std::move(items));
  }

  std::vector<MathNode> items_until_end() {
    std::vector<MathNode> items;
    do items.push_back(relation());
    while (separator() && !at_end());
    return items;
  }

  std::string relation_operator() {
    if (sign("=") || sign("<") || sign(">")) return take();
    if (now().kind != Token::Kind::kCommand) return "";
    std::string meaning(relation_meaning(now().text));
    if (!meaning.empty()) ++at_;
    return meaning;
  }

  MathNode relation() {
    const Depth depth(depth_);
    MathNode first = unions();
    std::vector<MathNode> items;
    std::string operators;
    for (std::string op = relation_operator(); !op.empty(); op = relation_operator()) {
      if (items.empty()) items.push_back(std::move(first));
      operators += (operators.empty() ? "" : " ") + op;
      items.push_back(unions());
    }
    if (items.empty()) return first;
    return make(Kind::kRelation, operators, std::move(items));
  }

  MathNode unions() {
    MathNode first = ratio();
    while (command("cup") || command("setminus") || command("backslash") || command("cap")) {
      if (command("cap")) throw SyntaxError{};
      const Kind kind = command("cup") ? Kind::kUnion : Kind::kSetMinus;
      ++at_;
      MathNode second = ratio();
      if (kind == Kind::kUnion && first.kind == kind) {
        first.items.push_back(std::move(second));
      } else {
        first = make(kind, "", {std::move(first), std::move(second)});
      }
    }
    return first;
  }

  MathNode ratio() {
    const std::size_t start = at_;
    MathNode first = sum();
    if (!sign(":") && !command("colon")) return first;
    std::vector<MathNode> items;
    items.push_back(std::move(first));
    while (take_sign(":") || take_command("colon")) items.push_back(sum());
    const bool time = items.size() == 2 && items[0].kind == Kind::kNumber &&
                      tokens_[start].text.size() <= 2 && tokens_[start + 2].text.size() == 2;
    if (time && items[1].kind == Kind::kUnit) {
      std::string half = items[1].text.substr(0, 1);
      return make(Kind::kTime, tokens_[start].text + ":" + tokens_[start + 2].text + " " + half);
    }
    return make(Kind::kRatio, time ? "time" : "", std::move(items));
  }

  MathNode sum() {
    const Depth depth(depth_);
    std::vector<MathNode> items;
    bool first = true;
    while (true) {
      if (take_sign("+")) {
        items.push_back(product());
      } else if (take_sign("-")) {
        items.push_back(make(Kind::kNegate, "", {product()}));
      } else if (command("pm") || command("mp")) {
        const std::string text = command("pm") ? "+-" : "-+";
        ++at_;
        items.push_back(make(Kind::kPlusMinus, text, {product()}));
      } else if (first) {
        items.push_back(product());
      } else {
        break;
      }
      first = false;
    }
    if (items.size() == 1) return std::move(items[0]);
    return make(Kind::kSum, "", std::move(items));
  }

  MathNode product() {
    MathNode left = factor();
    while (true) {
      if (take_command("cdot") || take_command("times") || take_sign("*") || take_command("ast")) {
        left = make(Kind::kProduct, "", {std::move(left), signed_factor()});
      } else if (take_sign("/") || take_command("div")) {
        left = make(Kind::kQuotient, "", {std::move(left), signed_factor()});
      } else if (now().kind == Token::Kind::kWord) {
        left = unit(std::move(left));
      } else if (starts_factor()) {
        if (number() && ahead(0).blank && mixed(left)) continue;
        if (number()) throw SyntaxError{};
        const bool whole =
            left.kind == Kind::kNumber && tokens_[at_ - 1].kind == Token::Kind::kNumber;
        const bool fraction = command("frac");
        MathNode right = factor();
        if (whole && fraction && proper(right)) {
          left = make(Kind::kSum, "", {std::move(left), std::move(right)});
        } else {
          left = make(Kind::kProduct, "", {std::move(left), std::move(right)});
        }
      } else {
        return left;
      }
    }
  }

  MathNode signed_factor() {
    if (take_sign("-")) return make(Kind::kNegate, "", {factor()});
    take_sign("+");
    return factor();
  }

  /// "7 3/4": number, blank, number, slash, number.
  bool mixed(MathNode& left) {
    const bool fits =
        left.kind == Kind::kNumber && ahead().text == "/" && ahead(2).kind == Token::Kind::kNumber;
    if (!fits) return false;
    MathNode top = make(Kind::kNumber, now().text);
    MathNode bottom = make(Kind::kNumber, ahead(2).text);
    at_ += 3;
    left = make(Kind::kSum, "",
                {std::move(left), make(Kind::kQuotient, "", {std::move(top), std::move(bottom)})});
    return true;
  }

  MathNode unit(MathNode left) {
    std::string text;
    while (now().kind == Token::Kind::kWord) text += (text.empty() ? "" : " ") + take();
    if (take_sign("^")) text += "^" + script_text();
    return make(left.kind == Kind::kWord ? Kind::kWord : Kind::kUnit, text, {std::move(left)});
  }

  bool starts_factor() const {
    switch (now().kind) {
      case Token::Kind::kNumber:
      case Token::Kind::kLetter:
        return true;
      case Token::Kind::kCommand:
        return !ends_operand(now().text);
      case Token::Kind::kSign:
        return sign("(") || sign("[") || sign("{") || (sign("|") && bars_ == 0);
      default:
        return false;
    }
  }

  MathNode factor() {
    const Depth depth(depth_);
    MathNode node = atom();
    while (true) {
      if (take_sign("!")) {
        node = make(Kind::kCall, "factorial", {std::move(node)});
      } else if (take_command("degree")) {
        node = make(Kind::kDegree, "", {std::move(node)});
      } else if (take_command("%") || take_sign("%")) {
        node = make(Kind::kUnit, "percent", {std::move(node)});
      } else if (take_sign("^")) {
        node = make(Kind::kPower, "", {std::move(node), script()});
      } else {
        return node;
      }
    }
  }

  MathNode script() {
    if (sign("{")) return group();
    if (take_sign("-")) return make(Kind::kNegate, "", {atom()});
    return atom();
  }

  /// A subscript or a unit's power as text.
  std::string script_text() {
    std::string out;
    if (!take_sign("{")) return take();
    while (!take_sign("}")) out += take();
    return out;
  }

  MathNode group() {
    expect_sign("{");
    MathNode node = list();
    expect_sign("}");
    return node;
  }

  /// An argument of \frac: a group, or one digit, letter or command.
  MathNode argument() {
    if (sign("{")) return group();
    if (number() && now().text.size() > 1) {
      Token& token = tokens_[at_];
      MathNode digit = make(Kind::kNumber, token.text.substr(0, 1));
      token.text.erase(0, 1);
      token.blank = false;
      return digit;
    }
    return atom();
  }

  MathNode atom() {
    const Depth depth(depth_);
    const Token token = now();
    switch (token.kind) {
      case Token::Kind::kNumber:
        return number_atom();
      case Token::Kind::kLetter:
        ++at_;
        return symbol(token.text);
      case Token::Kind::kCommand:
        ++at_;
        return command_atom(token.text);
      case Token::Kind::kWord:
        return unit(make(Kind::kWord, ""));
      case Token::Kind::kSign:
        return sign_atom();
      default:
        throw SyntaxError{};
    }
  }

  MathNode number_atom() {
    std::string text = take();
    if (command("overline") && text.find('.') != std::string::npos) {
      ++at_;
      return make(Kind::kNumber, text + "(" + script_text() + ")");
    }
    std::size_t letters = 0;
    while (ahead(letters).kind == Token::Kind::kLetter ||
           ahead(letters).kind == Token::Kind::kNumber) {
      ++letters;
    }
    if (ahead(letters).text == "_" && ahead(letters).kind == Token::Kind::kSign) {
      for (; letters > 0; --letters) text += take();
      ++at_;
      return make(Kind::kBased, text + "_" + script_text());
    }
    return make(Kind::kNumber, text);
  }

  MathNode symbol(std::string name) {
    while (take_sign("'")) name += "'";
    if (take_sign("_")) name += "_" + script_text();
    const bool function = (name[0] == 'f' || name[0] == 'g' || name[0] == 'h') && sign("(");
    if (!function) return make(Kind::kSymbol, name);
    ++at_;
    std::vector<MathNode> items = items_until_end();
    expect_sign(")");
    return make(Kind::kCall, name, std::move(items));
  }

  MathNode sign_atom() {
    if (sign("{")) return group();
    if (sign("(") || sign("[")) return bracket();
    if (take_sign("-")) return make(Kind::kNegate, "", {product()});
    if (take_sign("|")) {
      ++bars_;
      MathNode inside = sum();
      --bars_;
      expect_sign("|");
      return make(Kind::kCall, "abs", {std::move(inside)});
    }
    throw SyntaxError{};
  }

  MathNode bracket() {
    const int bars = std::exchange(bars_, 0);
    const std::string open = take();
    std::vector<MathNode> items = items_until_end();
    bars_ = bars;
    if (!sign(")") && !sign("]")) throw SyntaxError{};
    const std::string close = take();
    if (items.size() == 1) return std::move(items[0]);
    return make(Kind::kTuple, open + close, std::move(items));
  }

  MathNode command_atom(const std::string& name) {
    if (name == "frac") {
      MathNode top = argument();
      return make(Kind::kQuotient, "", {std::move(top), argument()});
    }
    if (name == "binom") {
      MathNode top = argument();
      return make(Kind::kCall, name, {std::move(top), argument()});
    }
    if (name == "sqrt") return root();
    if (name == "begin") return matrix();
    if (name == "{") return braces();
    if (name == "currency") return make(Kind::kUnit, "dollar", {factor()});
    if (name == "emptyset" || name == "varnothing") return make(Kind::kSet, "");
    if (name == "lfloor" || name == "lceil") {
      MathNode inside = sum();
      if (!take_command(name == "lfloor" ? "rfloor" : "rceil")) throw SyntaxError{};
      return make(Kind::kCall, name == "lfloor" ? "floor" : "ceil", {std::move(inside)});
    }
    if (name == "langle") {
      std::vector<MathNode> items = items_until_end();
      if (!take_command("rangle")) throw SyntaxError{};
      return make(Kind::kTuple, "<>", std::move(items));
    }
    if (is_accent(name)) return make(Kind::kCall, name, {argument()});
    if (is_function(name)) return function(name);
    if (is_refused(name)) throw SyntaxError{};
    return symbol(name == "inf" ? "infty" : name);
  }

  MathNode root() {
    MathNode index = make(Kind::kNumber, "2");
    if (take_sign("[")) {
      index = sum();
      expect_sign("]");
    }
    MathNode inside = sign("{") ? group() : atom();
    return make(Kind::kCall, "root", {std::move(inside), std::move(index)});
  }

  MathNode braces() {
    const int bars = std::exchange(bars_, 0);
    std::vector<MathNode> items;
    if (!command("}")) items = items_until_end();
    bars_ = bars;
    if (!take_command("}")) throw SyntaxError{};
    return make(Kind::kSet, "", std::move(items));
  }

  MathNode function(std::string name) {
    std::vector<MathNode> items;
    MathNode power;
    bool raised = false;
    while (sign("_") || sign("^")) {
      if (take_sign("_")) {
        items.push_back(sign("{") ? group() : argument());
      } else {
        ++at_;
        power = script();
        raised = true;
      }
    }
    const bool inverse = raised && power.kind == Kind::kNegate && power.items[0].text == "1";
    if (inverse) {
      name = "arc" + name;
      raised = false;
    }
    items.insert(items.begin(), function_argument());
    MathNode call = make(Kind::kCall, name, std::move(items));
    if (!raised) return call;
    return make(Kind::kPower, "", {std::move(call), std::move(power)});
  }

  MathNode function_argument() {
    if (sign("(") || sign("{") || sign("[")) return atom();
    MathNode left = signed_factor();
    while (starts_factor() && !sign("(") && !sign("[") && !number()) {
      if (now().kind == Token::Kind::kCommand && is_function(now().text)) break;
      left = make(Kind::kProduct, "", {std::move(left), factor()});
    }
    if (sign("/") && ahead().kind == Token::Kind::kNumber) {
      ++at_;
      left = make(Kind::kQuotient, "", {std::move(left), atom()});
    }
    return left;
  }

  MathNode matrix() {
    const std::string environment = script_text();
    if (environment == "array") script_text();
    static const std::set<std::string_view> kKnown = {"pmatrix",     "bmatrix", "matrix",
                                                      "smallmatrix", "array",   "Bmatrix"};
    if (!kKnown.contains(environment)) throw SyntaxError{};
    MathNode node = make(Kind::kMatrix, "");
    std::size_t columns = 0;
    std::size_t column = 0;
    while (true) {
      node.items.push_back(relation());
      ++column;
      if (take_sign("&")) continue;
      const bool line = take_command("newrow");
      if (line || command("end")) {
        if (columns != 0 && column != columns) throw SyntaxError{};
        columns = std::exchange(column, 0);
      }
      if (take_command("end")) break;
      if (!line) throw SyntaxError{};
    }
    script_text();
    node.text = std::to_string(columns);
    return node;
  }

  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  int depth_ = 0;
  int bars_ = 0;  // open absolute values at this bracket level
};

}  // namespace

std::optional<ParsedMath> parse_math(std::string_view text, CommaReading reading) {
  if (text.size() > kMaxBytes) return std::nullopt;
  LatexTokens tokens = latex_tokens(latex_clean(text), reading);
  Parser parser(std::move(tokens.tokens));
  try {
    ParsedMath out;
    out.node = parser.run();
    out.has_list = parser.has_list;
    out.ambiguous_comma = tokens.ambiguous_comma;
    return out;
  } catch (const SyntaxError&) {
    return std::nullopt;
  }
}

}  // namespace assay::evals
