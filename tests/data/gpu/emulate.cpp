// The kernels of src/gpu/kernels.h on a CPU, a thread at a time: its text, or, with a file's name as
// an argument, the PTX that nvcc made of it.
//
// Reads a launch from stdin: the kernel's name in 64 bytes, the number of threads (u64), `Sizes`,
// the lengths in bytes of input, parameters and output (u64 each), input, parameters. Writes the
// output. Half of the threads of the last block have nothing to do, as on a GPU.

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <vector>

typedef unsigned char uchar;
typedef unsigned int uint;

#define INLINE static inline
#define MEMORY
#define PRIVATE
#define INTEGER_CONSTANT int
#define UNROLL
#define LARGER(a, b) (a < b ? b : a)
#define SMALLER(a, b) (a > b ? b : a)

template <typename P> INLINE void write_pack(void *to, const P &pack) { *static_cast<P *>(to) = pack; }
#define WRITE_PACK write_pack

// The upper half of a float, rounded to nearest even; what it holds is finite.
struct bfloat {
  uint16_t bits;
  bfloat() = default;
  explicit bfloat(float x) {
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    bits = uint16_t((u + 0x7fff + (u >> 16 & 1)) >> 16);
  }
  explicit operator float() const {
    uint32_t u = uint32_t(bits) << 16;
    float x;
    memcpy(&x, &u, sizeof x);
    return x;
  }
};

#include "../../../src/gpu/kernels.h"

#include "device/ptx.h"

typedef void (*Thread)(const void *, const float *, void *, Sizes, size_t);
static std::map<std::string, Thread> kernels;

#define KERNEL(NAME, FUNCTION, FROM, TO)                                                           \
  static void thread_of_##NAME(const void *input, const float *parameters, void *output,           \
                               Sizes sizes, size_t number) {                                       \
    FUNCTION((const FROM *)input, parameters, (TO *)output, sizes, number);                        \
  }                                                                                                \
  static bool known_##NAME = (kernels[#NAME] = thread_of_##NAME, true);

KERNELS(float, f32, 4)
KERNELS(bfloat, bf16, 8)

template <typename T> static T take() {
  T value;
  if (fread(&value, sizeof value, 1, stdin) != 1) exit(2);
  return value;
}

// Threads of a block, of which the last ones have nothing to do.
static const uint64_t BLOCK = 64;

// Runs the kernel of this name in a file of PTX.
static void interpret(const char *path, const std::string &name, uint64_t blocks, Sizes sizes,
                      std::vector<uchar> &input, std::vector<float> &parameters,
                      std::vector<uchar> &output) {
  FILE *file = fopen(path, "r");
  std::string text;
  char part[4096];
  for (size_t n; file && (n = fread(part, 1, sizeof part, file)) > 0;) text.append(part, n);
  if (file) fclose(file);
  const ptx::Function function = ptx::Parser::parse(text, name);
  if (!function.refused.empty()) throw ptx::Error(name + ": " + function.refused);
  struct {
    const void *input, *parameters;
    void *output;
    Sizes sizes;
  } arguments = {input.data(), parameters.data(), output.data(), sizes};
  auto within = [](uint64_t address, int size, const void *begin, size_t len) {
    const auto first = reinterpret_cast<uint64_t>(begin);
    return address >= first && address + size <= first + len;
  };
  ptx::Memory memory = [&](uint64_t address, int size) -> char * {
    const bool known = within(address, size, input.data(), input.size()) ||
                       within(address, size, parameters.data(), 4 * parameters.size()) ||
                       within(address, size, output.data(), output.size());
    return known ? reinterpret_cast<char *>(address) : nullptr;
  };
  ptx::run(function, reinterpret_cast<const char *>(&arguments), memory, {uint32_t(blocks), 1, 1},
           {uint32_t(BLOCK), 1, 1});
}

int main(int arguments, char **argument) {
  char name[65] = {0};
  if (fread(name, 64, 1, stdin) != 1) return 2;
  const uint64_t threads = take<uint64_t>();
  const Sizes sizes = take<Sizes>();
  const uint64_t in = take<uint64_t>(), parameter = take<uint64_t>(), out = take<uint64_t>();
  // Without room around them, so that an address sanitizer sees what goes beyond.
  std::vector<uchar> input(in), output(out);
  std::vector<float> parameters(parameter / sizeof(float));
  if (in && fread(input.data(), in, 1, stdin) != 1) return 2;
  if (parameter && fread(parameters.data(), parameter, 1, stdin) != 1) return 2;
  const uint64_t blocks = (threads + BLOCK - 1) / BLOCK;
  if (arguments > 1) {
    interpret(argument[1], name, blocks, sizes, input, parameters, output);
  } else {
    if (!kernels.count(name)) {
      fprintf(stderr, "no kernel %s\n", name);
      return 1;
    }
    for (uint64_t i = 0; i < blocks * BLOCK; i++)
      kernels[name](input.data(), parameters.data(), output.data(), sizes, i);
  }
  return out && fwrite(output.data(), out, 1, stdout) != 1;
}
