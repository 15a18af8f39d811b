// The kernels of kernels.h for Metal, behind which the program puts that file's text: a library
// that is compiled from text can't include files.

#include <metal_stdlib>
using namespace metal;

#define INLINE inline
#define MEMORY device
#define PRIVATE thread
#define INTEGER_CONSTANT constant int
#define UNROLL _Pragma("unroll")
#define LARGER(a, b) (a < b ? b : a)
#define SMALLER(a, b) (a > b ? b : a)

template <typename P, typename T> INLINE void write_pack(device T *to, P pack) {
  *(device P *)to = pack;
}
#define WRITE_PACK write_pack

#define KERNEL(NAME, FUNCTION, FROM, TO)                                                           \
  kernel void NAME(device const FROM *input [[buffer(0)]],                                         \
                   device const float *parameters [[buffer(1)]],                                   \
                   device TO *output [[buffer(2)]], constant Sizes &sizes [[buffer(3)]],           \
                   uint thread_number [[thread_position_in_grid]]) {                               \
    FUNCTION(input, parameters, output, sizes, thread_number);                                     \
  }
