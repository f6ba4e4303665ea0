// How fast a machine is at a moment, by the same short work each time: for telling whether two
// moments were alike, not as a bound. engine/roofline.h measures, store/machine_speed.h compares.
#pragma once

namespace assay {

/// 0: not measured.
struct MachineSpeed {
  double read_bytes_per_s = 0;  // by all threads, of a block that few caches hold
  double flops_per_s = 0;       // by all threads; fused multiply-adds in FP32 count as two
  double loops_per_s = 0;       // empty loops of a thread team: how near the cores are; 0: 1 thread
};

}  // namespace assay
