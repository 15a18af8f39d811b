// The kernels of kernels.h for CUDA.

#include <cuda_bf16.h>
#include <cuda_fp16.h>

typedef unsigned char uchar;
typedef unsigned int uint;

#define INLINE __device__ __forceinline__
#define MEMORY
#define PRIVATE
#define INTEGER_CONSTANT int
#define UNROLL _Pragma("unroll")
#define LARGER fmaxf
#define SMALLER fminf

#include "kernels.h"

#define KERNEL(NAME, FUNCTION, FROM, TO)                                                           \
  extern "C" __global__ void NAME(const FROM *input, const float *parameters, TO *output,          \
                                  Sizes sizes) {                                                   \
    FUNCTION(input, parameters, output, sizes, size_t(blockIdx.x) * blockDim.x + threadIdx.x);     \
  }

KERNELS(float, f32, 4)
KERNELS(__half, f16, 8)
KERNELS(__nv_bfloat16, bf16, 8)
