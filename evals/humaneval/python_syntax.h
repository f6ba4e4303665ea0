// Whether text is a Python 3.11 program, as `ast.parse` decides it: grammar alone, so that a
// `return` at the margin or an unknown name is no fault. Nothing is run.
// Source: The Python Language Reference 3.11, chapter 10. Pure; any thread; work is linear in the
// text but for nested `with` and `match` heads, which are read twice.
#pragma once

#include <cstddef>
#include <string_view>

namespace assay::evals::humaneval {

/// True for a program, the empty one included. Otherwise `fault_line` (if not null) is the line
/// (from 0) of the token where reading stopped, or npos when it stopped at the end of the text.
bool is_python(std::string_view source, std::size_t* fault_line = nullptr);

}  // namespace assay::evals::humaneval
