// The grammar of Python 3.11: programs that `ast.parse` accepts and refuses; what EvalPlus makes of
// an answer.
#include "evals/humaneval/python_syntax.h"

#include <gtest/gtest.h>

#include "evals/humaneval/reference_code.h"

namespace assay::evals::humaneval {
namespace {

constexpr const char* kPrograms[] = {
    "",
    "\n\n# comment",
    "x = 1; y = 2;",
    "return 1",
    "a, *b = c = d, *e",
    "x: int = 3\n(y): str\na.b: c = yield",
    "x += yield x",
    "f(a, *b, c=1, **d)",
    "f(x for x in y)",
    "f(a)(b)[1:2, ::3, ..., *c].d = 1",
    "lambda a, /, b=1, *c, d, **e: (yield)",
    "def f(a, /, b: int = 1, *, c, d=2, **e) -> None: pass",
    "async def f():\n  async with a as b, c: await d\n  async for i in j: pass\n",
    "with (open(a) as b, c): pass",
    "with (a, b): pass",
    "with (yield): pass",
    "with a as (b, c), d as e.f: pass",
    "for x, *y in z:\n  pass\nelse:\n  pass",
    "try:\n  pass\nexcept* A as b:\n  pass\nelse:\n  pass\nfinally:\n  pass",
    "match x:\n  case [1, *_] | {'a': b, **c} if d: pass\n  case A(b, c=-1+2j) as e: pass\n",
    "match = 1\nmatch(x)\nmatch[x]\nprint(match, case := 1)",
    "class A(B, metaclass=C):\n  @d.e\n  def f(self): ...\n",
    "from . import a\nfrom .. b import (c as d, e,)\nimport f.g as h, i\nfrom ... import *",
    "del a, (b[0], c.d), [e]",
    "global a, b\nraise a from b\nassert a, b",
    "{**a, 'b': c}\n{*a, b}\n{a: b for c in d if e}\n{}\n{a for b in c}",
    "[x async for x in y]",
    "x = (y := 1, 2)",
    "if x:\n\tpass\n\n# at the margin\n\tpass",
    "x = '''a\nb''' \"c\" r'\\e' u'd'\nb'a' rb'\\x'",
    "f'{x!r:>{width}} {y=} {{}} {z:%H:%M} {(lambda: 1)()}'",
    "1if x else 2\n0x_1f + 0b1 + 0o7 + 1_0.5e-3j + .5 + 00",
    "x = \\\n  1",
    "(a\n+ b)\n",
    "not not -x ** -y @ z",
    "a < b <= c is not d not in e",
    "print(*a, sep='')",
    "\xc3\xa9t\xc3\xa9 = 1",
};

constexpr const char* kOthers[] = {
    "I cannot write this function.",
    "```python",
    "    x = 1",
    "def f():\nreturn 1",
    "if x:\n    a\n  b",
    "if x:\n\ta\n        b",
    "print x",
    "f(a=1, b)",
    "f(**a, *b)",
    "f(x for x in y, 1)",
    "def f(a=1, b): pass",
    "def f(*): pass",
    "def f(**a, b): pass",
    "lambda *, **a: 1",
    "1 = x",
    "f() = 1",
    "f() += 1",
    "(a, b) += 1",
    "a + b = c",
    "x = = 1",
    "for 1 in x: pass",
    "with a as 1: pass",
    "del f()",
    "del *a,",
    "try:\n  pass",
    "except: pass",
    "else: pass",
    "class: pass",
    "import",
    "from a import",
    "from a import (b, c",
    "x = (1, 2",
    "x = 1)",
    "x = [1}",
    "'abc",
    "'''abc",
    "'\\x1'",
    "'\\u12'",
    "b'\xc3\xa9'",
    "'a' b'b'",
    "f'{'",
    "f'}'",
    "f'{}'",
    "f'{a b}'",
    "f'{a!x}'",
    "012",
    "1abc",
    "0x",
    "1__0",
    "a $ b",
    "a ? b",
    "\xe2\x80\x9cquoted\xe2\x80\x9d",
    "x = 1 \\ ",
    "x = \\",
    "@a\nx = 1",
    "async x",
    "(*a)",
    "{**a, b}",
    "{a: b, c}",
    "[*a for a in b]",
    "a if b",
    "match x:\n  case 1, **b: pass\n",
    "a\x01",
    "True = 1",
    "x := 1",
    "return = 1",
    "a[]",
};

TEST(PythonSyntax, AcceptsPrograms) {
  for (const char* text : kPrograms) EXPECT_TRUE(is_python(text)) << text;
}

TEST(PythonSyntax, RefusesWhatIsNone) {
  for (const char* text : kOthers) EXPECT_FALSE(is_python(text)) << text;
}

TEST(PythonSyntax, EndsOnHostileText) {
  for (const char* piece : {"(", "[", "lambda:", "not ", "-", "{", "f'{", "if x:\n ", "a.", "**",
                            "match x:\n case ", "with (", "\\\n", "'''"}) {
    std::string text;
    for (int i = 0; i < 5001; ++i) text += piece;
    EXPECT_FALSE(is_python(text)) << piece;
  }
  std::string nested;
  for (std::size_t i = 0; i < 400; ++i) nested += std::string(i, ' ') + "if x:\n";
  EXPECT_FALSE(is_python(nested));
}

TEST(EvalPlusCode, TakesTheLongestProgram) {
  EXPECT_EQ(evalplus_code("Here:\n\nx = 1\ny = 2\n\nThat is all of it."), "\nx = 1\ny = 2");
  EXPECT_EQ(evalplus_code("no code here"), "no code here");
  EXPECT_EQ(evalplus_code(""), "");
}

}  // namespace
}  // namespace assay::evals::humaneval
