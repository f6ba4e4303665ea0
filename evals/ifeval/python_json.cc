#include "evals/extract/python_text.h"
#include "evals/ifeval/instruction.h"

namespace assay::evals {

namespace {

using View = std::u32string_view;
constexpr std::size_t kMaxIntegerDigits = 4300;  // beyond, CPython refuses the integer

// A recogniser with its own stack, so that nesting costs memory and not the call stack.
class Recogniser {
 public:
  explicit Recogniser(View text) : text_(text) {}

  bool accepts() {
    if (!value()) return false;
    for (;;) {
      blanks();
      if (open_.empty()) return at_ == text_.size();
      const char32_t close = open_.back() == U'{' ? U'}' : U']';
      if (take(close)) {
        open_.pop_back();
        continue;
      }
      if (!take(U',')) return false;
      if (open_.back() == U'{' && !key()) return false;
      if (!value()) return false;
    }
  }

 private:
  bool take(char32_t c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  bool take_word(View word) {
    if (!text_.substr(at_).starts_with(word)) return false;
    at_ += word.size();
    return true;
  }
  void blanks() {
    while (at_ < text_.size() && View(U" \t\n\r").find(text_[at_]) != View::npos) ++at_;
  }
  std::size_t digits() {
    const std::size_t start = at_;
    while (at_ < text_.size() && text_[at_] >= U'0' && text_[at_] <= U'9') ++at_;
    return at_ - start;
  }

  // One scalar or empty container, after any number of opening brackets.
  bool value() {
    for (;;) {
      blanks();
      if (take(U'[')) {
        blanks();
        if (take(U']')) return true;
        open_.push_back(U'[');
      } else if (take(U'{')) {
        blanks();
        if (take(U'}')) return true;
        open_.push_back(U'{');
        if (!key()) return false;
      } else {
        return scalar();
      }
    }
  }
  bool key() {
    blanks();
    if (!string()) return false;
    blanks();
    return take(U':');
  }
  bool scalar() {
    if (at_ < text_.size() && text_[at_] == U'"') return string();
    for (const View word : {U"null", U"true", U"false", U"NaN", U"Infinity", U"-Infinity"}) {
      if (take_word(word)) return true;
    }
    return number();
  }
  bool number() {
    take(U'-');
    std::size_t whole = 1;
    if (!take(U'0')) whole = digits();
    if (whole == 0) return false;
    bool integer = true;
    const auto part = [&](std::size_t skip) {
      const std::size_t start = at_;
      at_ += skip;
      if (digits() > 0) {
        integer = false;
      } else {
        at_ = start;
      }
    };
    if (at_ < text_.size() && text_[at_] == U'.') part(1);
    if (at_ < text_.size() && (text_[at_] == U'e' || text_[at_] == U'E')) {
      const View sign = text_.substr(at_ + 1, 1);
      part(sign == U"+" || sign == U"-" ? 2 : 1);
    }
    return !integer || whole <= kMaxIntegerDigits;
  }
  bool string() {
    if (!take(U'"')) return false;
    while (at_ < text_.size()) {
      const char32_t c = text_[at_++];
      if (c == U'"') return true;
      if (c < 0x20) return false;
      if (c != U'\\') continue;
      if (take(U'u')) {
        const View hex = text_.substr(at_, 4);
        if (hex.size() < 4 || hex.find_first_not_of(U"0123456789abcdefABCDEF") != View::npos) {
          return false;
        }
        at_ += 4;
      } else if (at_ >= text_.size() || View(U"\"\\/bfnrt").find(text_[at_++]) == View::npos) {
        return false;
      }
    }
    return false;
  }

  View text_;
  std::size_t at_ = 0;
  std::u32string open_;  // brackets not yet closed
};

}  // namespace

bool is_python_json(View text) { return Recogniser(text).accepts(); }

}  // namespace assay::evals
