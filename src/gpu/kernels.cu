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
#define LARGER larger
#define SMALLER smaller

// fmaxf and fminf take the other where one is not a number. From Ampere on there are instructions that
// don't.
INLINE float larger(float a, float b) {
#if __CUDA_ARCH__ >= 800
  asm("max.NaN.f32 %0, %1, %2;" : "=f"(a) : "f"(a), "f"(b));
  return a;
#else
  return a < b ? b : a;
#endif
}
INLINE float smaller(float a, float b) {
#if __CUDA_ARCH__ >= 800
  asm("min.NaN.f32 %0, %1, %2;" : "=f"(a) : "f"(a), "f"(b));
  return a;
#else
  return a > b ? b : a;
#endif
}

// The compiler splits the assignment of a pack into one of each lane, so that a warp would write its
// lines in pieces. As words, and said so, it is one.
template <typename P> INLINE void write_pack(void *to, const P &pack) {
  if constexpr (sizeof(P) == 16) {
    uint4 words;
    memcpy(&words, &pack, sizeof words);
    asm volatile("st.global.v4.b32 [%0], {%1, %2, %3, %4};" ::"l"(__cvta_generic_to_global(to)),
        "r"(words.x), "r"(words.y), "r"(words.z), "r"(words.w)
        : "memory");
  } else {
    *static_cast<P *>(to) = pack;
  }
}
#define WRITE_PACK write_pack

#include "kernels.h"

#define KERNEL(NAME, FUNCTION, FROM, TO)                                                           \
  extern "C" __global__ void NAME(const FROM *input, const float *parameters, TO *output,          \
                                  Sizes sizes) {                                                   \
    FUNCTION(input, parameters, output, sizes, size_t(blockIdx.x) * blockDim.x + threadIdx.x);     \
  }

KERNELS(float, f32, 4)
KERNELS(__half, f16, 8)
KERNELS(__nv_bfloat16, bf16, 8)
