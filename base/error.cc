#include "base/error.h"

namespace assay {

ExitCode Error::exit_code() const {
  switch (kind_) {
    case ErrorKind::kInput:
      return ExitCode::kInput;
    case ErrorKind::kIncomplete:
      return ExitCode::kIncomplete;
    case ErrorKind::kIncomparable:
      return ExitCode::kIncomparable;
    case ErrorKind::kEnvironment:
      return ExitCode::kEnvironment;
    case ErrorKind::kInterrupted:
      return ExitCode::kInterrupted;
    case ErrorKind::kTerminated:
      return ExitCode::kTerminated;
  }
  return ExitCode::kBug;
}

}  // namespace assay
