// Calls functions by way of the assembly in src/device/lazy.rs: what they are given has to arrive whatever
// looking them up does to the registers, in registers and on the stack, and what they return has to come back.
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static int resolved, bad;

static long many(long a, long b, long c, long d, long e, long f, long g, long h, long i, long j, double k, double l,
                 double m, double n, double o, double p, double q, double r, double s) {
  const int whole = a == 1 && b == 2 && c == 3 && d == 4 && e == 5 && f == 6 && g == 7 && h == 8 && i == 9 && j == 10;
  const int parts = k == 0.5 && l == 1.5 && m == 2.5 && n == 3.5 && o == 4.5 && p == 5.5 && q == 6.5 && r == 7.5 && s == 8.5;
  return whole && parts ? 4711 : -1;
}

// Returned in memory that the caller names.
struct Large {
  long values[6];
};
static struct Large large(int a, double b) {
  struct Large result;
  for (int i = 0; i < 6; i++) result.values[i] = a * 10 + i + (long)b;
  return result;
}

static double sum(int count, ...) {
  va_list list;
  va_start(list, count);
  double total = 0;
  for (int i = 0; i < count; i++) total += va_arg(list, double);
  va_end(list);
  return total;
}

static int missing(void) { return 100; }

// In the place of Rust's; leaves nothing in the registers that a call may change.
void *mobilenet_cuda_resolve(void **entry) {
  const char *name = (const char *)(entry + 1);
  resolved++;
  void *found = !strcmp(name, "cuMany")    ? (void *)many
                : !strcmp(name, "cuLarge") ? (void *)large
                : !strcmp(name, "cuSum")   ? (void *)sum
                                           : (void *)missing;
  *entry = found;
#ifdef __aarch64__
  __asm__ volatile("movi v0.16b, #255\n movi v1.16b, #255\n movi v2.16b, #255\n movi v3.16b, #255\n"
                   "movi v4.16b, #255\n movi v5.16b, #255\n movi v6.16b, #255\n movi v7.16b, #255\n"
                   "mov x1, #-1\n mov x2, #-1\n mov x3, #-1\n mov x4, #-1\n mov x5, #-1\n mov x6, #-1\n"
                   "mov x7, #-1\n mov x8, #-1\n mov x16, #-1\n mov x17, #-1\n" ::
                       : "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "x1", "x2", "x3", "x4", "x5", "x6", "x7",
                         "x8", "x16", "x17");
#else
  // The frame has to be where calls have theirs: movaps faults if it isn't.
  float aligned[4] __attribute__((aligned(16)));
  __asm__ volatile("pcmpeqd %%xmm0, %%xmm0\n pcmpeqd %%xmm1, %%xmm1\n pcmpeqd %%xmm2, %%xmm2\n pcmpeqd %%xmm3, %%xmm3\n"
                   "pcmpeqd %%xmm4, %%xmm4\n pcmpeqd %%xmm5, %%xmm5\n pcmpeqd %%xmm6, %%xmm6\n pcmpeqd %%xmm7, %%xmm7\n"
                   "movaps %%xmm0, %0\n"
                   "mov $-1, %%rdi\n mov $-1, %%rsi\n mov $-1, %%rdx\n mov $-1, %%rcx\n mov $-1, %%r8\n mov $-1, %%r9\n"
                   "mov $-1, %%r10\n mov $-1, %%r11\n"
                   : "=m"(aligned)
                   :
                   : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "rdi", "rsi", "rdx", "rcx",
                     "r8", "r9", "r10", "r11");
#endif
  return found;
}

long cuMany(long, long, long, long, long, long, long, long, long, long, double, double, double, double, double, double,
            double, double, double);
struct Large cuLarge(int, double);
double cuSum(int, ...);
int cuMissing(int);

static void check(int right, const char *what) {
  if (right) return;
  printf("%s: not what was given\n", what);
  bad++;
}

int main(void) {
  for (int i = 0; i < 3; i++) {
    check(cuMany(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 7.5, 8.5) == 4711, "many");
    const struct Large result = cuLarge(7, 2.0);
    for (int k = 0; k < 6; k++) check(result.values[k] == 72 + k, "large");
    check(cuSum(4, 1.0, 2.0, 3.0, 4.0) == 10.0, "sum");
    check(cuMissing(1) == 100, "missing");
  }
  // Each is looked up once.
  check(resolved == 4, "the number of lookups");
  return bad != 0;
}
