// An NVIDIA GPU made of software: libcuda, libcublas and libcurand in one library, so that a build
// with `--features cuda` can be run, as it is, on a machine without a GPU. Kernels are run by an
// interpreter of their PTX (ptx.h); matrix products are plain loops.
//
// It is a strict device, so that what would go wrong on a real one now and then goes wrong here:
// - Work waits in its stream until somebody waits for the stream; streams are independent, and the
//   one called "per thread" is another one for each thread.
// - Memory holds NaNs when it is handed out, and is gone when it is freed. A kernel's access outside
//   of what was handed out, or one that is not aligned to its size, is an error that ends the
//   program.
// - While a stream is being captured nothing of it runs. Waiting for it, taking memory, making handles and
//   loading modules in the same thread end the capture, as does a kernel or a product that ran never before: on a real
//   device it might have to be loaded.
// - A handle's workspace is written with every product.
//
// GPU_LOG: a file to which is written at the end what the device was given: a line for each kernel with
// its launches, and the most memory that was in use.
// GPU_MEMORY: how many MiB it has, 16384 if nothing is said.
// GPU_LAUNCHES: after so many launches of kernels launches, graphs, products, waits and copies down fail.

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>

#include "ptx.h"

namespace {

enum Result { SUCCESS = 0, LAUNCH_FAILED = 719, INVALID_VALUE = 1, OUT_OF_MEMORY = 2, NOT_FOUND = 500, INVALID_HANDLE = 400,
              CAPTURE_UNSUPPORTED = 900, CAPTURE_INVALIDATED = 901 };

typedef std::function<void()> Work;

struct Graph {
  std::vector<Work> work;
};

struct Event {
  // What has to be done for it: so much of a stream's work.
  struct Stream *stream = nullptr;
  uint64_t upto = 0;
};

struct Stream {
  std::deque<Work> queue;
  uint64_t given = 0, done = 0;
  std::shared_ptr<Graph> capturing;
  std::thread::id captured_by;
  bool invalidated = false;
};

[[noreturn]] void die(const std::string &message) {
  fprintf(stderr, "the software GPU: %s\n", message.c_str());
  fflush(nullptr);
  _Exit(70);
}

struct Device {
  std::recursive_mutex mutex;
  std::map<uint64_t, uint64_t> memory; // address to size
  uint64_t in_use = 0, most_in_use = 0;
  std::map<uint64_t, std::unique_ptr<Stream>> streams;
  std::map<std::string, uint64_t> log;
  uint64_t instructions = 0, copied_up = 0, copied_down = 0, waits = 0;
  uint64_t last_address = 0, last_size = 0;
  const uint64_t size = number("GPU_MEMORY", 16384) << 20;
  uint64_t launches_left = number("GPU_LAUNCHES", ~uint64_t(0));

  static uint64_t number(const char *variable, uint64_t otherwise) {
    const char *text = getenv(variable);
    return text ? strtoull(text, nullptr, 10) : otherwise;
  }

  std::set<std::string> ran;

  // Whether this thread is capturing a stream; then what was asked for is an error, and so is the
  // capture. (Captures are those of a thread, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL.)
  bool disturbs() {
    bool any = false;
    for (auto &[key, stream] : streams)
      if (stream->capturing && stream->captured_by == std::this_thread::get_id()) stream->invalidated = any = true;
    return any;
  }

  // Notes what is going to run, or, in a capture, that it should have run before.
  void run_before(void *handle, const std::string &what) {
    Stream &s = stream(handle);
    if (!s.capturing) ran.insert(what);
    else if (!ran.count(what)) s.invalidated = true;
  }

  // As after a fault: whatever is asked fails from then on.
  bool is_broken() const { return launches_left == 0; }

  Stream &stream(void *handle) {
    uint64_t key = uint64_t(handle);
    // The stream "per thread".
    if (key == 2) {
      static std::atomic<uint64_t> threads{16};
      static thread_local uint64_t number = threads++;
      key = number;
    }
    auto &stream = streams[key];
    if (!stream) stream = std::make_unique<Stream>();
    return *stream;
  }

  void give(void *handle, const char *what, Work work) {
    Stream &s = stream(handle);
    if (s.capturing) {
      s.capturing->work.push_back([this, what, work] {
        log[std::string("recorded ") + what]++;
        work();
      });
      return;
    }
    log[what]++;
    s.queue.push_back(work);
    s.given++;
  }

  void run_to(Stream &s, uint64_t upto) {
    while (s.done < upto && !s.queue.empty()) {
      Work work = std::move(s.queue.front());
      s.queue.pop_front();
      s.done++;
      work();
    }
  }

  // Whether it may: not while it is captured.
  bool wait(Stream &s) {
    if (s.capturing) {
      s.invalidated = true;
      return false;
    }
    waits++;
    run_to(s, s.given);
    return true;
  }

  uint64_t allocate(size_t size) {
    const size_t whole = (size + 255) / 256 * 256 + 256;
    if (size > this->size || in_use > this->size - size) return 0;
    char *p = static_cast<char *>(aligned_alloc(256, whole));
    if (!p) return 0;
    memset(p, 0xff, whole);
    memory[uint64_t(p)] = size;
    in_use += size;
    most_in_use = std::max(most_in_use, in_use);
    return uint64_t(p);
  }

  void release(uint64_t address) {
    auto found = memory.find(address);
    if (found == memory.end()) die("memory is freed that was not handed out, or twice");
    in_use -= found->second;
    memory.erase(found);
    last_size = 0;
    memset(reinterpret_cast<void *>(address), 0xff, 1);
    free(reinterpret_cast<void *>(address));
  }

  // The memory behind an address, or nothing.
  char *at(uint64_t address, uint64_t size) {
    if (address < last_address || address + size > last_address + last_size) {
      auto found = memory.upper_bound(address);
      if (found == memory.begin()) return nullptr;
      --found;
      if (address + size > found->first + found->second) return nullptr;
      last_address = found->first, last_size = found->second;
    }
    return reinterpret_cast<char *>(address);
  }

  char *must(uint64_t address, uint64_t size, const char *what) {
    char *p = size ? at(address, size) : reinterpret_cast<char *>(address);
    if (!p) die(std::string(what) + ": outside of the memory that was handed out");
    return p;
  }

  ~Device() {
    const char *path = getenv("GPU_LOG");
    FILE *file = path ? fopen(path, "w") : nullptr;
    if (!file) return;
    for (const auto &[what, count] : log) fprintf(file, "%s %llu\n", what.c_str(), (unsigned long long)count);
    fprintf(file, "instructions %llu\nmost-memory %llu\nstill-in-use %llu\nwaits %llu\n", (unsigned long long)instructions,
            (unsigned long long)most_in_use, (unsigned long long)in_use, (unsigned long long)waits);
    fclose(file);
  }
};

Device &device() {
  static Device device;
  return device;
}

#define LOCKED std::lock_guard<std::recursive_mutex> lock(device().mutex)

struct Module {
  std::map<std::string, ptx::Function> functions;
};

// --- Matrix products -----------------------------------------------------------------------

enum { F32 = 0, F64 = 1, F16 = 2, BF16 = 14 };

int bytes_of(int type) { return type == F64 ? 8 : type == F32 ? 4 : 2; }

double element(const char *p, int type) {
  switch (type) {
  case F16: return ptx::half_to_float(*reinterpret_cast<const uint16_t *>(p));
  case BF16: return ptx::bfloat_to_float(*reinterpret_cast<const uint16_t *>(p));
  case F32: return *reinterpret_cast<const float *>(p);
  default: return *reinterpret_cast<const double *>(p);
  }
}

void put(char *p, int type, double x) {
  switch (type) {
  case F16: *reinterpret_cast<uint16_t *>(p) = ptx::float_to_half(float(x)); break;
  case BF16: *reinterpret_cast<uint16_t *>(p) = ptx::float_to_bfloat(float(x)); break;
  case F32: *reinterpret_cast<float *>(p) = float(x); break;
  default: *reinterpret_cast<double *>(p) = x;
  }
}

struct Product {
  bool transposed_a, transposed_b;
  int m, n, k;
  double alpha, beta;
  const void *a, *b;
  void *c;
  int type_a, type_b, type_c;
  long long lda, ldb, ldc, stride_a, stride_b, stride_c;
  int batch;

  // Column by column, as BLAS has it: C[m x n] = alpha A[m x k] B[k x n] + beta C.
  void run() const {
    for (int i = 0; i < batch; i++) {
      auto base = [&](const void *p, long long stride, int type) {
        return reinterpret_cast<uint64_t>(p) + uint64_t(stride * i * bytes_of(type));
      };
      auto extent = [](long long columns, long long rows, long long ld, int type) {
        return uint64_t((columns - 1) * ld + rows) * bytes_of(type);
      };
      if (m == 0 || n == 0) continue;
      const char *pa = device().must(base(a, stride_a, type_a),
                                     extent(transposed_a ? m : k, transposed_a ? k : m, lda, type_a), "a product's A");
      const char *pb = device().must(base(b, stride_b, type_b),
                                     extent(transposed_b ? k : n, transposed_b ? n : k, ldb, type_b), "a product's B");
      char *pc = device().must(base(c, stride_c, type_c), extent(n, m, ldc, type_c), "a product's C");
      std::vector<float> rows(size_t(m) * k);
      for (int x = 0; x < m; x++)
        for (int z = 0; z < k; z++)
          rows[size_t(z) * m + x] =
              float(element(pa + (transposed_a ? x * lda + z : z * lda + x) * bytes_of(type_a), type_a));
      std::vector<float> sums(m);
      for (int y = 0; y < n; y++) {
        std::fill(sums.begin(), sums.end(), 0.0f);
        for (int z = 0; z < k; z++) {
          const float v = float(element(pb + (transposed_b ? z * ldb + y : y * ldb + z) * bytes_of(type_b), type_b));
          const float *row = rows.data() + size_t(z) * m;
          for (int x = 0; x < m; x++) sums[x] += row[x] * v;
        }
        for (int x = 0; x < m; x++) {
          char *p = pc + (y * ldc + x) * bytes_of(type_c);
          put(p, type_c, alpha * double(sums[x]) + (beta != 0 ? beta * element(p, type_c) : 0));
        }
      }
    }
  }
};

struct Blas {
  void *stream = nullptr;
  uint64_t workspace = 0, size = 0;
};

} // namespace

extern "C" {

// --- libcuda -------------------------------------------------------------------------------

int cuInit(unsigned) { return SUCCESS; }
int cuDriverGetVersion(int *version) { return *version = 13000, SUCCESS; }
int cuDeviceGetCount(int *count) { return *count = 1, SUCCESS; }
int cuDeviceGet(int *found, int number) { return number == 0 ? (*found = 0, SUCCESS) : 101; }
int cuDeviceGetName(char *name, int size, int) { return snprintf(name, size, "software"), SUCCESS; }
int cuDeviceTotalMem_v2(size_t *bytes, int) { return *bytes = device().size, SUCCESS; }
int cuDeviceGetAttribute(int *value, int attribute, int) {
  switch (attribute) {
  case 75: *value = 9; break;                  // compute capability
  case 76: *value = 0; break;
  case 115: *value = 1; break;                 // memory pools
  case 1: *value = 1024; break;                // threads a block
  case 16: *value = 132; break;                // multiprocessors
  default: *value = 0;
  }
  return SUCCESS;
}
int cuDevicePrimaryCtxRetain(void **context, int) { return *context = reinterpret_cast<void *>(16), SUCCESS; }
int cuDevicePrimaryCtxRelease_v2(int) { return SUCCESS; }
int cuCtxSetCurrent(void *) { return SUCCESS; }
int cuCtxGetCurrent(void **context) { return *context = reinterpret_cast<void *>(16), SUCCESS; }
int cuCtxCreate_v2(void **context, unsigned, int) { return *context = reinterpret_cast<void *>(16), SUCCESS; }
int cuCtxDestroy_v2(void *) { return SUCCESS; }
int cuCtxSynchronize() {
  LOCKED;
  for (auto &[key, stream] : device().streams)
    if (!device().wait(*stream)) return CAPTURE_UNSUPPORTED;
  return SUCCESS;
}

int cuGetErrorName(int error, const char **text) {
  switch (error) {
  case LAUNCH_FAILED: *text = "CUDA_ERROR_LAUNCH_FAILED"; break;
  case OUT_OF_MEMORY: *text = "CUDA_ERROR_OUT_OF_MEMORY"; break;
  case 101: *text = "CUDA_ERROR_INVALID_DEVICE"; break;
  case NOT_FOUND: *text = "CUDA_ERROR_NOT_FOUND"; break;
  case CAPTURE_UNSUPPORTED: *text = "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED"; break;
  case CAPTURE_INVALIDATED: *text = "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED"; break;
  default: *text = "CUDA_ERROR_UNKNOWN";
  }
  return SUCCESS;
}
int cuGetErrorString(int error, const char **text) { return cuGetErrorName(error, text); }

int cuStreamCreate(void **handle, unsigned) {
  LOCKED;
  static uint64_t next = 1 << 20;
  *handle = reinterpret_cast<void *>(next += 16);
  device().stream(*handle);
  return SUCCESS;
}
int cuStreamCreateWithPriority(void **handle, unsigned flags, int) { return cuStreamCreate(handle, flags); }
int cuStreamDestroy_v2(void *handle) {
  LOCKED;
  // What it was given is still done.
  device().wait(device().stream(handle));
  return SUCCESS;
}
int cuStreamSynchronize(void *handle) {
  LOCKED;
  if (device().is_broken()) return LAUNCH_FAILED;
  return device().wait(device().stream(handle)) ? SUCCESS : CAPTURE_UNSUPPORTED;
}
int cuStreamIsCapturing(void *handle, int *status) {
  LOCKED;
  Stream &stream = device().stream(handle);
  *status = !stream.capturing ? 0 : stream.invalidated ? 2 : 1;
  return SUCCESS;
}
int cuStreamBeginCapture_v2(void *handle, int) {
  LOCKED;
  if (uint64_t(handle) <= 1) return CAPTURE_UNSUPPORTED;
  Stream &stream = device().stream(handle);
  if (stream.capturing) return INVALID_VALUE;
  stream.capturing = std::make_shared<Graph>();
  stream.captured_by = std::this_thread::get_id();
  stream.invalidated = false;
  return SUCCESS;
}
int cuStreamEndCapture(void *handle, void **graph) {
  LOCKED;
  Stream &stream = device().stream(handle);
  *graph = nullptr;
  if (!stream.capturing) return INVALID_VALUE;
  auto captured = std::move(stream.capturing);
  stream.capturing = nullptr;
  if (stream.invalidated) return CAPTURE_INVALIDATED;
  *graph = new Graph(*captured);
  return SUCCESS;
}
int cuGraphInstantiateWithFlags(void **exec, void *graph, unsigned long long) {
  return *exec = new Graph(*static_cast<Graph *>(graph)), SUCCESS;
}
int cuGraphUpload(void *, void *) { return SUCCESS; }
int cuGraphLaunch(void *exec, void *handle) {
  LOCKED;
  if (device().is_broken()) return LAUNCH_FAILED;
  const Graph graph = *static_cast<Graph *>(exec);
  device().give(handle, "graph-launch", [graph] {
    for (const Work &work : graph.work) work();
  });
  return SUCCESS;
}
int cuGraphExecDestroy(void *exec) { return delete static_cast<Graph *>(exec), SUCCESS; }
int cuGraphDestroy(void *graph) { return delete static_cast<Graph *>(graph), SUCCESS; }

int cuEventCreate(void **event, unsigned) { return *event = new Event, SUCCESS; }
int cuEventDestroy_v2(void *event) { return delete static_cast<Event *>(event), SUCCESS; }
int cuEventRecord(void *event, void *handle) {
  LOCKED;
  Stream &stream = device().stream(handle);
  *static_cast<Event *>(event) = {&stream, stream.given};
  device().log["event-record"]++;
  return SUCCESS;
}
int cuEventQuery(void *) { return SUCCESS; }
int cuEventSynchronize(void *event) {
  LOCKED;
  Event &e = *static_cast<Event *>(event);
  if (e.stream) device().run_to(*e.stream, e.upto);
  return SUCCESS;
}
int cuEventElapsedTime_v2(float *ms, void *, void *) { return *ms = 1, SUCCESS; }
int cuStreamWaitEvent(void *handle, void *event, unsigned) {
  LOCKED;
  const Event e = *static_cast<Event *>(event);
  Stream &stream = device().stream(handle);
  if (stream.capturing && e.stream != &stream) {
    stream.invalidated = true;
    return 905; // work from outside of the capture
  }
  if (e.stream && e.stream != &stream)
    device().give(handle, "event-wait", [e] { device().run_to(*e.stream, e.upto); });
  return SUCCESS;
}

int cuDeviceGetDefaultMemPool(void **pool, int) { return *pool = reinterpret_cast<void *>(32), SUCCESS; }
int cuMemPoolSetAttribute(void *pool, int attribute, void *value) {
  // What it keeps of freed memory.
  if (pool != reinterpret_cast<void *>(32) || attribute != 4) return INVALID_VALUE;
  LOCKED;
  device().log["keeps"] = *static_cast<uint64_t *>(value);
  return SUCCESS;
}
int cuMemGetInfo_v2(size_t *available, size_t *total) {
  LOCKED;
  *total = device().size;
  *available = *total - device().in_use;
  return SUCCESS;
}
int cuMemAlloc_v2(uint64_t *address, size_t size) {
  LOCKED;
  if (device().disturbs()) return CAPTURE_UNSUPPORTED;
  return (*address = device().allocate(size)) ? SUCCESS : OUT_OF_MEMORY;
}
int cuMemAllocAsync(uint64_t *address, size_t size, void *handle) {
  LOCKED;
  if (device().is_broken()) return LAUNCH_FAILED;
  if (device().stream(handle).capturing) die("memory is taken during a capture");
  device().log["allocate"]++;
  if ((*address = device().allocate(size))) return SUCCESS;
  // What is freed before it in the stream can be had.
  device().wait(device().stream(handle));
  return (*address = device().allocate(size)) ? SUCCESS : OUT_OF_MEMORY;
}
int cuMemFree_v2(uint64_t address) {
  LOCKED;
  for (auto &[key, stream] : device().streams) device().wait(*stream);
  device().release(address);
  return SUCCESS;
}
int cuMemFreeAsync(uint64_t address, void *handle) {
  LOCKED;
  if (device().stream(handle).capturing) die("memory is freed during a capture");
  device().give(handle, "free", [address] { device().release(address); });
  return SUCCESS;
}
int cuMemcpyHtoDAsync_v2(uint64_t to, const void *from, size_t size, void *handle) {
  LOCKED;
  // Memory that is not pinned is read before the call returns.
  auto staged = std::make_shared<std::vector<char>>(static_cast<const char *>(from), static_cast<const char *>(from) + size);
  device().copied_up += size;
  device().give(handle, "copy-up", [=] { memcpy(device().must(to, size, "a copy up"), staged->data(), size); });
  return SUCCESS;
}
int cuMemcpyDtoHAsync_v2(void *to, uint64_t from, size_t size, void *handle) {
  LOCKED;
  if (device().is_broken()) return LAUNCH_FAILED;
  Stream &stream = device().stream(handle);
  device().log["copy-down"]++;
  if (!device().wait(stream)) return CAPTURE_UNSUPPORTED;
  memcpy(to, device().must(from, size, "a copy down"), size);
  return SUCCESS;
}
int cuMemcpyDtoDAsync_v2(uint64_t to, uint64_t from, size_t size, void *handle) {
  LOCKED;
  device().give(handle, "copy", [=] {
    memmove(device().must(to, size, "a copy's end"), device().must(from, size, "a copy's start"), size);
  });
  return SUCCESS;
}
int cuMemsetD8Async(uint64_t to, unsigned char value, size_t size, void *handle) {
  LOCKED;
  device().give(handle, "fill", [=] { memset(device().must(to, size, "a fill"), value, size); });
  return SUCCESS;
}
int cuMemsetD8_v2(uint64_t to, unsigned char value, size_t size) {
  LOCKED;
  memset(device().must(to, size, "a fill"), value, size);
  return SUCCESS;
}

int cuModuleLoadData(void **module, const void *image) {
  LOCKED;
  if (device().disturbs()) return CAPTURE_UNSUPPORTED;
  try {
    *module = new Module{ptx::Parser::parse(static_cast<const char *>(image))};
  } catch (const std::exception &error) {
    fprintf(stderr, "the software GPU: %s\n", error.what());
    return INVALID_VALUE;
  }
  return SUCCESS;
}
int cuModuleUnload(void *) { return SUCCESS; }
int cuModuleGetFunction(void **function, void *module, const char *name) {
  auto &functions = static_cast<Module *>(module)->functions;
  auto found = functions.find(name);
  if (found == functions.end()) return NOT_FOUND;
  *function = &found->second;
  return SUCCESS;
}
int cuFuncSetAttribute(void *, int, int) { return SUCCESS; }

int cuLaunchKernel(void *handle, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
                   unsigned, void *stream, void **arguments, void **) {
  LOCKED;
  if (device().is_broken()) return LAUNCH_FAILED;
  device().launches_left--;
  const auto &function = *static_cast<ptx::Function *>(handle);
  if (!function.refused.empty()) die(function.name + " can't be interpreted: " + function.refused);
  if (!gx || !gy || !gz || gy > 65535 || gz > 65535 || uint64_t(bx) * by * bz > 1024) return INVALID_VALUE;
  device().run_before(stream, function.name);
  auto parameters = std::make_shared<std::vector<char>>(function.parameter_bytes);
  for (size_t i = 0; i < function.parameters.size(); i++)
    memcpy(parameters->data() + function.parameters[i].offset, arguments[i], function.parameters[i].size);
  device().give(stream, function.name.c_str(), [=, &function] {
    ptx::Memory memory = [](uint64_t address, int size) { return device().at(address, size); };
    try {
      device().instructions += ptx::run(function, parameters->data(), memory, {gx, gy, gz}, {bx, by, bz});
    } catch (const std::exception &error) {
      die(error.what());
    }
  });
  return SUCCESS;
}

// --- libcublas -----------------------------------------------------------------------------

int cublasCreate_v2(void **handle) {
  LOCKED;
  if (device().disturbs()) return 1;
  return *handle = new Blas, 0;
}
// It waits for the whole device.
int cublasDestroy_v2(void *handle) {
  const int result = cuCtxSynchronize();
  delete static_cast<Blas *>(handle);
  return result ? 14 : 0;
}
int cublasSetStream_v2(void *handle, void *stream) { return static_cast<Blas *>(handle)->stream = stream, 0; }
int cublasSetMathMode(void *, int) { return 0; }
int cublasSetWorkspace_v2(void *handle, void *workspace, size_t size) {
  if (uint64_t(workspace) % 256) return 7;
  Blas &blas = *static_cast<Blas *>(handle);
  blas.workspace = uint64_t(workspace), blas.size = size;
  return 0;
}

int cublasGemmStridedBatchedEx(void *handle, int ta, int tb, int m, int n, int k, const void *alpha, const void *a,
                               int type_a, int lda, long long stride_a, const void *b, int type_b, int ldb,
                               long long stride_b, const void *beta, void *c, int type_c, int ldc,
                               long long stride_c, int batch, int compute, int) {
  LOCKED;
  // The types of alpha and beta: CUBLAS_COMPUTE_16F is 64, _32F is 68 and more, _64F is 70.
  auto scalar = [&](const void *p) {
    return compute == 64 ? element(static_cast<const char *>(p), F16)
                         : element(static_cast<const char *>(p), compute == 70 ? F64 : F32);
  };
  const Product product = {ta != 0, tb != 0, m, n, k, scalar(alpha), scalar(beta), a, b, c, type_a, type_b, type_c,
                           lda, ldb, ldc, stride_a, stride_b, stride_c, batch};
  if (device().is_broken()) return 13;
  const Blas blas = *static_cast<Blas *>(handle);
  device().run_before(blas.stream, "product " + std::to_string(type_c));
  device().give(blas.stream, "product", [product, blas] {
    // A page of it: all of it would take longer than the product.
    if (blas.size) {
      char *workspace = device().must(blas.workspace, blas.size, "a workspace");
      memset(workspace, 0xff, std::min<uint64_t>(blas.size, 4096));
    }
    product.run();
  });
  return 0;
}
int cublasGemmEx(void *handle, int ta, int tb, int m, int n, int k, const void *alpha, const void *a, int type_a,
                 int lda, const void *b, int type_b, int ldb, const void *beta, void *c, int type_c, int ldc,
                 int compute, int algorithm) {
  return cublasGemmStridedBatchedEx(handle, ta, tb, m, n, k, alpha, a, type_a, lda, 0, b, type_b, ldb, 0, beta, c,
                                    type_c, ldc, 0, 1, compute, algorithm);
}

// --- libcurand -----------------------------------------------------------------------------

int curandCreateGenerator(void **generator, int) { return *generator = reinterpret_cast<void *>(16), 0; }
int curandDestroyGenerator(void *) { return 0; }
int curandSetPseudoRandomGeneratorSeed(void *, unsigned long long) { return 0; }
int curandSetGeneratorOffset(void *, unsigned long long) { return 0; }
int curandSetStream(void *, void *) { return 0; }

} // extern "C"
