# The CUDA backend's sources, for the device (engine/CMakeLists.txt) and for the host emulation (tests/engine/cuda).
set(ASSAY_CUDA_KERNELS
  ops/attention_exact.cu ops/attention_tensor.cu ops/embed.cu ops/gemm_exact.cu ops/gemm_mma.cu ops/logits.cu ops/peer_sum.cu ops/quantize.cu ops/rank_sum.cu ops/rms_norm.cu
  ops/rope_cache.cu ops/scale_outputs.cu ops/silu_mul.cu
  ops/transpose_scales.cu)
# Instructions that only sm_90a has.
set(ASSAY_CUDA_HOPPER_KERNELS ops/gemm_wgmma.cu)
set(ASSAY_CUDA_HOST
  cuda/algorithm_cache.cc cuda/cuda_executor.cc cuda/cuda_forward.cc cuda/device_exchange.cc cuda/device_model.cc cuda/device_ranks.cc cuda/matrix_layout.cc cuda/failure.cc cuda/gpu_ranks.cc cuda/peer_exchange.cc cuda/gemm_runner.cc
  cuda/library_files.cc cuda/library_scaling.cc cuda/step_plan.cc ops/device_gemm.cc ops/paged_attention.cc)
