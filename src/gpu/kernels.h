// MobileNet V1's layers other than matrix products, for GPUs.
//
// Activations are [N, H, W, C]: neighbouring threads have neighbouring channels, so that every
// access is a whole line, and a pointwise layer is one matrix product of all pixels of a batch.
// Sums are taken in f32 whatever the type of the activations is.
//
// A pointwise layer is the product alone; its bias and its activation are applied by whoever reads
// it next (`input_bias`), which saves writing and reading the largest arrays once more.
//
// CUDA and Metal compile the same text, and so does a C++ compiler: tests/data/gpu/emulate.cpp runs
// it a thread at a time on the CPU, so that its arithmetic is tested where there is no GPU. Whoever
// includes it says what these words are: INLINE, MEMORY (where arrays lie), PRIVATE (where a thread's
// own lie), UNROLL, LARGER and SMALLER (of a and b; a, where that is not a number), WRITE_PACK (which
// stores a pack at once).

// The elements that a thread reads and writes at once.
template <typename T, int LANES> struct alignas(sizeof(T) * LANES) Pack {
  T lane[LANES];
};

// A parameter of so many channels in turn, in as few reads as can be: there are as many of them as
// pixels in a window, and in f32.
template <int LANES> INLINE void read(MEMORY const float *from, PRIVATE float *to) {
  constexpr int WIDTH = LANES % 4 == 0 ? 4 : 1;
  UNROLL
  for (int i = 0; i < LANES / WIDTH; i++) {
    const Pack<float, WIDTH> part = *(MEMORY const Pack<float, WIDTH> *)(from + i * WIDTH);
    UNROLL
    for (int l = 0; l < WIDTH; l++) to[i * WIDTH + l] = part.lane[l];
  }
}

constexpr INTEGER_CONSTANT COLOURS = 3;

// What is the same for all threads: sizes, what the padding puts before the input, the activation's
// upper end (6, or infinity), and for each colour the byte that becomes 0 and the scale of bytes. As
// `RawSizes` in `launch.rs`.
struct Sizes {
  uint images, height, width, channels;
  uint out_height, out_width;
  int before_rows, before_columns;
  float highest;
  float zero[COLOURS];
  float scale[COLOURS];
};

// What is not a number stays so, and is found in the answer.
INLINE float activate(float x, float highest) { return SMALLER(LARGER(x, 0.0f), highest); }

// Output columns that a thread computes in turn: it reads a window's columns once for all that
// share them. As in `launch.rs`.
constexpr INTEGER_CONSTANT STRIP = 4;

// Side of a window.
constexpr INTEGER_CONSTANT TAPS = 3;

// The part of the work that is a thread's: LANES channels of STRIP columns of a row.
struct Share {
  uint image, row, column, channel;
};

INLINE Share share_of(size_t thread_number, int lanes, Sizes sizes) {
  const uint groups = sizes.channels / lanes;
  const uint strips = (sizes.out_width + STRIP - 1) / STRIP;
  size_t i = thread_number;
  Share share;
  share.channel = uint(i % groups) * lanes;
  i /= groups;
  share.column = uint(i % strips) * STRIP;
  i /= strips;
  share.row = uint(i % sizes.out_height);
  share.image = uint(i / sizes.out_height);
  return share;
}

// The sums of a share, activated, to where they belong.
template <typename T, int LANES>
INLINE void write(MEMORY T *output, Share share, Sizes sizes, PRIVATE const float (*sums)[LANES]) {
  for (int s = 0; s < STRIP && share.column + s < sizes.out_width; s++) {
    Pack<T, LANES> values;
    for (int l = 0; l < LANES; l++) values.lane[l] = T(activate(sums[s][l], sizes.highest));
    const size_t pixel =
        (size_t(share.image) * sizes.out_height + share.row) * sizes.out_width + share.column + s;
    WRITE_PACK(output + pixel * sizes.channels + share.channel, values);
  }
}

// Depthwise 3x3 convolution with bias and activation.
//
// parameters: [9][C] taps by row and column, [C] bias, and, if INPUT_BIAS, [C] bias of the layer
// before, which is applied with its activation to what is read.
template <typename T, int LANES, int STRIDE, bool INPUT_BIAS>
INLINE void depthwise(MEMORY const T *input, MEMORY const float *parameters, MEMORY T *output,
                      Sizes sizes, size_t thread_number) {
  const Share share = share_of(thread_number, LANES, sizes);
  if (share.image >= sizes.images) return;
  const uint channels = sizes.channels;
  MEMORY const float *taps = parameters + share.channel;
  MEMORY const float *bias = taps + TAPS * TAPS * channels;

  float sums[STRIP][LANES];
  float before[LANES];
  read<LANES>(bias, sums[0]);
  for (int s = 1; s < STRIP; s++)
    for (int l = 0; l < LANES; l++) sums[s][l] = sums[0][l];
  if (INPUT_BIAS) read<LANES>(bias + channels, before);
  const int first_row = int(share.row) * STRIDE - sizes.before_rows;
  const int first_column = int(share.column) * STRIDE - sizes.before_columns;
  for (int r = 0; r < TAPS; r++) {
    const int row = first_row + r;
    // Zeros around the input add nothing.
    if (row < 0 || row >= int(sizes.height)) continue;
    const size_t line = (size_t(share.image) * sizes.height + row) * sizes.width;
    float weights[TAPS][LANES];
    for (int k = 0; k < TAPS; k++) read<LANES>(taps + (r * TAPS + k) * channels, weights[k]);
    UNROLL
    for (int c = 0; c < (STRIP - 1) * STRIDE + TAPS; c++) {
      const int column = first_column + c;
      if (column < 0 || column >= int(sizes.width)) continue;
      const Pack<T, LANES> values =
          *(MEMORY const Pack<T, LANES> *)(input + (line + column) * channels + share.channel);
      float x[LANES];
      for (int l = 0; l < LANES; l++) {
        x[l] = float(values.lane[l]);
        if (INPUT_BIAS) x[l] = activate(x[l] + before[l], sizes.highest);
      }
      UNROLL
      for (int s = 0; s < STRIP; s++) {
        const int k = c - s * STRIDE;
        if (k < 0 || k >= TAPS) continue;
        for (int l = 0; l < LANES; l++) sums[s][l] += x[l] * weights[k][l];
      }
    }
  }
  write<T, LANES>(output, share, sizes, sums);
}

// The stem: a full 3x3 convolution of stride 2 from pixels [N, H, W, 3], with bias and activation.
// Bytes are scaled on the way.
//
// parameters: [27][C] weights by row, column and colour, then [C] bias.
template <typename Pixel, typename T, int LANES>
INLINE void stem(MEMORY const Pixel *input, MEMORY const float *parameters, MEMORY T *output,
                 Sizes sizes, size_t thread_number) {
  constexpr int STRIDE = 2;
  const Share share = share_of(thread_number, LANES, sizes);
  if (share.image >= sizes.images) return;
  const uint channels = sizes.channels;
  MEMORY const float *weights = parameters + share.channel;
  MEMORY const float *bias = weights + TAPS * TAPS * COLOURS * channels;

  float sums[STRIP][LANES];
  read<LANES>(bias, sums[0]);
  for (int s = 1; s < STRIP; s++)
    for (int l = 0; l < LANES; l++) sums[s][l] = sums[0][l];
  constexpr int COLUMNS = (STRIP - 1) * STRIDE + TAPS;
  const int first_column = int(share.column) * STRIDE - sizes.before_columns;
  for (int r = 0; r < TAPS; r++) {
    const int row = int(share.row) * STRIDE - sizes.before_rows + r;
    if (row < 0 || row >= int(sizes.height)) continue;
    const size_t line = (size_t(share.image) * sizes.height + row) * sizes.width;
    // All that the strip's windows have in this row, whose columns they share. Zeros are around it.
    float x[COLUMNS][COLOURS];
    UNROLL
    for (int c = 0; c < COLUMNS; c++) {
      const int column = first_column + c;
      const bool inside = column >= 0 && column < int(sizes.width);
      UNROLL
      for (int colour = 0; colour < COLOURS; colour++) {
        const float value = inside ? float(input[(line + column) * COLOURS + colour]) : 0.0f;
        const bool scaled = sizeof(Pixel) == 1 && inside;
        x[c][colour] = scaled ? (value - sizes.zero[colour]) * sizes.scale[colour] : value;
      }
    }
    UNROLL
    for (int k = 0; k < TAPS; k++) {
      UNROLL
      for (int colour = 0; colour < COLOURS; colour++) {
        float weight[LANES];
        read<LANES>(weights + ((r * TAPS + k) * COLOURS + colour) * channels, weight);
        UNROLL
        for (int s = 0; s < STRIP; s++)
          for (int l = 0; l < LANES; l++) sums[s][l] += x[s * STRIDE + k][colour] * weight[l];
      }
    }
  }
  write<T, LANES>(output, share, sizes, sums);
}

// The global average pool [N, C] in f32 of a pointwise layer's products [N, H, W, C], to which its
// bias and activation are applied.
//
// parameters: [C] bias.
template <typename T>
INLINE void average(MEMORY const T *input, MEMORY const float *parameters, MEMORY float *output,
                    Sizes sizes, size_t thread_number) {
  if (thread_number >= size_t(sizes.images) * sizes.channels) return;
  const uint channel = uint(thread_number % sizes.channels);
  const uint pixels = sizes.height * sizes.width;
  MEMORY const T *x =
      input + (thread_number / sizes.channels) * pixels * sizes.channels + channel;
  const float bias = parameters[channel];
  float sum = 0.0f;
  // Many reads at a time: they don't wait for one another, and there is little else to do.
  constexpr int AT_ONCE = 8;
  uint p = 0;
  for (; p + AT_ONCE <= pixels; p += AT_ONCE) {
    float values[AT_ONCE];
    UNROLL
    for (uint i = 0; i < AT_ONCE; i++) values[i] = float(x[size_t(p + i) * sizes.channels]);
    UNROLL
    for (uint i = 0; i < AT_ONCE; i++) sum += activate(values[i] + bias, sizes.highest);
  }
  for (; p < pixels; p++) sum += activate(float(x[size_t(p) * sizes.channels]) + bias, sizes.highest);
  output[thread_number] = sum / float(pixels);
}

// Every kernel with its name: KERNEL(name, function, from, to). A thread has one channel, for any
// number of them, or 16 bytes of channels where that divides it.
#define STRIDES(T, NAME, LANES)                                                                    \
  KERNEL(depthwise_##NAME##_##LANES##_s1, (depthwise<T, LANES, 1, false>), T, T)                   \
  KERNEL(depthwise_##NAME##_##LANES##_s2, (depthwise<T, LANES, 2, false>), T, T)                   \
  KERNEL(depthwise_biased_##NAME##_##LANES##_s1, (depthwise<T, LANES, 1, true>), T, T)             \
  KERNEL(depthwise_biased_##NAME##_##LANES##_s2, (depthwise<T, LANES, 2, true>), T, T)
#define STEMS(T, NAME, LANES)                                                                      \
  KERNEL(stem_u8_##NAME##_##LANES, (stem<uchar, T, LANES>), uchar, T)                              \
  KERNEL(stem_f32_##NAME##_##LANES, (stem<float, T, LANES>), float, T)
#define KERNELS(T, NAME, LANES)                                                                    \
  STRIDES(T, NAME, 1)                                                                              \
  STRIDES(T, NAME, LANES)                                                                          \
  STEMS(T, NAME, 1)                                                                                \
  STEMS(T, NAME, LANES)                                                                            \
  KERNEL(average_##NAME, (average<T>), T, float)
