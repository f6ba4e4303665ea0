// The Python side of the sandbox, as text: our own scripts in evals/sandbox/harness/, made part of
// the program by the build.
#pragma once

namespace assay::evals {

extern const char* const kCodecScript;     // plain data as bytes; part of the next two
extern const char* const kProgramScript;   // runs a completion
extern const char* const kJudgeScript;     // runs the tests
extern const char* const kDiscoverScript;  // what the interpreter needs to see
extern const char* const kProbeScript;     // what a confined program can reach

}  // namespace assay::evals
