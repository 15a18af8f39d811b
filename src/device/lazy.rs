//! CUDA's libraries, found when they are first called.
//!
//! candle binds them when it is linked, so that a program built with CUDA does not even start on a
//! machine without it. Here are functions of the same names, which the linker takes in their
//! place: each jumps to the library's own, once that has been looked up. The libraries are then no
//! longer needed to start, and one program serves every machine.
//!
//! Other crates that are linked into the same program and call CUDA get these functions too, and by
//! way of them the libraries' own. Nobody else does: the names are hidden, so that a program or a
//! shared library that this crate is a part of doesn't show them to the libraries that it loads.
//!
//! They stand for the functions that this program calls; what the linker does not find here it
//! takes from the libraries as before (`readelf -d` shows whether there are such:
//! `docs/gpu.md`).

use std::arch::global_asm;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicPtr, Ordering};

use libloading::Library;

/// A library by what its functions' names begin with.
struct Named {
    prefixes: &'static [&'static str],
    /// Its files' names, newest first.
    files: &'static [&'static str],
    /// The network runs on it.
    needed: bool,
}

/// The libraries. A function is of the first that its name fits.
const LIBRARIES: [Named; 4] = [
    Named {
        prefixes: &["cublas"],
        files: &["libcublas.so.13", "libcublas.so.12"],
        needed: true,
    },
    Named {
        prefixes: &["curand"],
        files: &["libcurand.so.10"],
        needed: true,
    },
    // For kernels of candle's that no MobileNet has; they are registered when the program starts.
    Named {
        prefixes: &["cuda", "__cuda"],
        files: &["libcudart.so.13", "libcudart.so.12"],
        needed: false,
    },
    Named {
        prefixes: &["cu"],
        files: &["libcuda.so.1"],
        needed: true,
    },
];

/// Where they are looked for besides where the system does.
const FOLDERS: [&str; 5] = [
    "",
    "/usr/local/cuda/lib64/",
    "/usr/local/nvidia/lib64/",
    "/usr/lib/wsl/lib/",
    "/opt/cuda/lib64/",
];

/// Checks that those that the network needs are there, the driver first.
///
/// # Errors
/// The name of one that isn't.
pub fn check() -> Result<(), &'static str> {
    for (i, Named { files, needed, .. }) in LIBRARIES.iter().enumerate().rev() {
        if *needed && library(i).is_none() {
            return Err(files[0]);
        }
    }
    Ok(())
}

/// One of [`LIBRARIES`], opened once.
fn library(number: usize) -> Option<&'static Library> {
    static OPENED: [OnceLock<Option<Library>>; LIBRARIES.len()] =
        [const { OnceLock::new() }; LIBRARIES.len()];
    let open = || {
        let files = LIBRARIES[number].files.iter();
        let mut paths = files.flat_map(|file| FOLDERS.map(|folder| format!("{folder}{file}")));
        // SAFETY: CUDA's libraries may be opened at any time, and are never closed again.
        paths.find_map(|path| unsafe { Library::new(path) }.ok())
    };
    OPENED[number].get_or_init(open).as_ref()
}

/// A function: where the library has it, and behind that its name, ended by a zero.
#[repr(C)]
struct Entry {
    /// Null until it has been looked up. The assembly below reads it as `load` with
    /// `Ordering::Acquire` would.
    address: AtomicPtr<c_void>,
    name: [c_char; 0],
}

/// Looks a function up. What a library lacks is a function that fails.
///
/// # Safety
/// `entry` is one of those that the assembly below defines.
#[unsafe(no_mangle)]
unsafe extern "C" fn mobilenet_cuda_resolve(entry: *const Entry) -> *mut c_void {
    // SAFETY: the name stands behind the address, by the caller's promise.
    let name = unsafe { CStr::from_ptr((&raw const (*entry).name).cast()) };
    let text = name.to_str().unwrap_or_default();
    let of = |library: &Named| library.prefixes.iter().any(|p| text.starts_with(p));
    let number = LIBRARIES.iter().position(of);
    let library = number.and_then(library);
    // SAFETY: it is only passed on.
    let found = library.and_then(|library| unsafe {
        let symbol = library.get::<unsafe extern "C" fn()>(name.to_bytes_with_nul());
        symbol.ok().map(|symbol| *symbol as *mut c_void)
    });
    let address = found.unwrap_or(match text {
        "cuGetErrorName" | "cuGetErrorString" => describe_absence as *mut c_void,
        _ => fail as *mut c_void,
    });
    // Threads that do so at the same time write the same. What the library wrote when it was opened
    // is seen by who reads this.
    // SAFETY: the entry is the assembly's, by the caller's promise, and is there for good.
    unsafe { &(*entry).address }.store(address, Ordering::Release);
    address
}

/// In place of a function that is not there: an error of the driver's (no device), and one that
/// the other libraries know no name for. What registers kernels takes it for a handle, and hands it
/// on to others that are not there.
extern "C" fn fail() -> c_int {
    const NO_DEVICE: c_int = 100;
    NO_DEVICE
}

/// In place of the driver's own words.
///
/// # Safety
/// `text` can be written to.
unsafe extern "C" fn describe_absence(_: c_int, text: *mut *const c_char) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { *text = c"CUDA's driver is not there".as_ptr() };
    0
}

#[cfg(target_arch = "x86_64")]
macro_rules! function {
    ($name:expr) => {
        concat!(
            ".pushsection .text.mobilenet_cuda,\"ax\",@progbits\n",
            ".globl ",
            $name,
            "\n.hidden ",
            $name,
            "\n.type ",
            $name,
            ",@function\n.p2align 4\n",
            $name,
            ":\n",
            "endbr64\n",
            "movq .Lentry_",
            $name,
            "(%rip), %r11\n",
            "testq %r11, %r11\n",
            "jz 1f\n",
            "jmp *%r11\n",
            "1: leaq .Lentry_",
            $name,
            "(%rip), %r11\n",
            "jmp mobilenet_cuda_lazy\n",
            ".size ",
            $name,
            ", .-",
            $name,
            "\n.popsection\n",
            ".pushsection .data.mobilenet_cuda,\"aw\",@progbits\n.p2align 3\n",
            ".Lentry_",
            $name,
            ": .quad 0\n.asciz \"",
            $name,
            "\"\n.popsection\n",
        )
    };
}

#[cfg(target_arch = "aarch64")]
macro_rules! function {
    ($name:expr) => {
        concat!(
            ".pushsection .text.mobilenet_cuda,\"ax\",%progbits\n",
            ".globl ",
            $name,
            "\n.hidden ",
            $name,
            "\n.type ",
            $name,
            ",%function\n.p2align 4\n",
            $name,
            ":\n",
            "bti c\n",
            "adrp x16, .Lentry_",
            $name,
            "\n",
            "add x16, x16, :lo12:.Lentry_",
            $name,
            "\n",
            "ldar x17, [x16]\n",
            "cbz x17, 1f\n",
            "br x17\n",
            "1: b mobilenet_cuda_lazy\n",
            ".size ",
            $name,
            ", .-",
            $name,
            "\n.popsection\n",
            ".pushsection .data.mobilenet_cuda,\"aw\",%progbits\n.p2align 3\n",
            ".Lentry_",
            $name,
            ": .quad 0\n.asciz \"",
            $name,
            "\"\n.popsection\n",
        )
    };
}

/// Defines functions of these names.
macro_rules! lazy {
    ($($name:ident)*) => {
        $(global_asm!(function!(stringify!($name)), options(raw, att_syntax));)*
    };
}

// Keeps what the caller passes in registers, has the function looked up, and goes there.
#[cfg(target_arch = "x86_64")]
global_asm!(
    ".pushsection .text.mobilenet_cuda,\"ax\",@progbits",
    ".globl mobilenet_cuda_lazy",
    ".hidden mobilenet_cuda_lazy",
    ".type mobilenet_cuda_lazy,@function",
    ".p2align 4",
    "mobilenet_cuda_lazy:",
    "pushq %rdi",
    "pushq %rsi",
    "pushq %rdx",
    "pushq %rcx",
    "pushq %r8",
    "pushq %r9",
    "pushq %rax",
    "subq $128, %rsp",
    "movups %xmm0, (%rsp)",
    "movups %xmm1, 16(%rsp)",
    "movups %xmm2, 32(%rsp)",
    "movups %xmm3, 48(%rsp)",
    "movups %xmm4, 64(%rsp)",
    "movups %xmm5, 80(%rsp)",
    "movups %xmm6, 96(%rsp)",
    "movups %xmm7, 112(%rsp)",
    "movq %r11, %rdi",
    "call mobilenet_cuda_resolve",
    "movq %rax, %r11",
    "movups (%rsp), %xmm0",
    "movups 16(%rsp), %xmm1",
    "movups 32(%rsp), %xmm2",
    "movups 48(%rsp), %xmm3",
    "movups 64(%rsp), %xmm4",
    "movups 80(%rsp), %xmm5",
    "movups 96(%rsp), %xmm6",
    "movups 112(%rsp), %xmm7",
    "addq $128, %rsp",
    "popq %rax",
    "popq %r9",
    "popq %r8",
    "popq %rcx",
    "popq %rdx",
    "popq %rsi",
    "popq %rdi",
    "jmp *%r11",
    ".size mobilenet_cuda_lazy, .-mobilenet_cuda_lazy",
    ".popsection",
    options(att_syntax)
);

#[cfg(target_arch = "aarch64")]
global_asm!(
    ".pushsection .text.mobilenet_cuda,\"ax\",%progbits",
    ".globl mobilenet_cuda_lazy",
    ".hidden mobilenet_cuda_lazy",
    ".type mobilenet_cuda_lazy,%function",
    ".p2align 4",
    "mobilenet_cuda_lazy:",
    "stp x29, x30, [sp, #-224]!",
    "mov x29, sp",
    "stp x0, x1, [sp, #16]",
    "stp x2, x3, [sp, #32]",
    "stp x4, x5, [sp, #48]",
    "stp x6, x7, [sp, #64]",
    "str x8, [sp, #80]",
    "stp q0, q1, [sp, #96]",
    "stp q2, q3, [sp, #128]",
    "stp q4, q5, [sp, #160]",
    "stp q6, q7, [sp, #192]",
    "mov x0, x16",
    "bl mobilenet_cuda_resolve",
    "mov x17, x0",
    "ldp x0, x1, [sp, #16]",
    "ldp x2, x3, [sp, #32]",
    "ldp x4, x5, [sp, #48]",
    "ldp x6, x7, [sp, #64]",
    "ldr x8, [sp, #80]",
    "ldp q0, q1, [sp, #96]",
    "ldp q2, q3, [sp, #128]",
    "ldp q4, q5, [sp, #160]",
    "ldp q6, q7, [sp, #192]",
    "ldp x29, x30, [sp], #224",
    "br x17",
    ".size mobilenet_cuda_lazy, .-mobilenet_cuda_lazy",
    ".popsection",
);

lazy! {
    cuCtxCreate_v2 cuCtxDestroy_v2 cuCtxGetCurrent cuCtxSetCurrent cuCtxSynchronize cuDeviceGet
    cuDeviceGetAttribute cuDeviceGetCount cuDeviceGetDefaultMemPool cuDeviceGetName
    cuDevicePrimaryCtxRelease_v2 cuDevicePrimaryCtxRetain cuDeviceTotalMem_v2 cuDriverGetVersion
    cuEventCreate cuEventDestroy_v2 cuEventElapsedTime_v2 cuEventQuery cuEventRecord
    cuEventSynchronize cuFuncSetAttribute cuGetErrorName cuGetErrorString cuGraphDestroy
    cuGraphExecDestroy cuGraphInstantiateWithFlags cuGraphLaunch cuInit cuLaunchKernel
    cuMemAllocAsync cuMemAlloc_v2 cuMemFreeAsync cuMemFree_v2 cuMemGetInfo_v2
    cuMemPoolSetAttribute cuMemcpyDtoDAsync_v2 cuMemcpyDtoHAsync_v2 cuMemcpyHtoDAsync_v2
    cuMemcpyPeerAsync cuMemsetD8Async cuMemsetD8_v2 cuModuleGetFunction cuModuleLoad
    cuModuleLoadData cuModuleUnload cuStreamBeginCapture_v2 cuStreamCreate
    cuStreamCreateWithPriority cuStreamDestroy_v2 cuStreamEndCapture cuStreamIsCapturing
    cuStreamSynchronize cuStreamWaitEvent cublasCreate_v2 cublasDestroy_v2
    cublasDgemmStridedBatched cublasGemmEx cublasGemmStridedBatchedEx cublasSetMathMode
    cublasSetStream_v2 cublasSetWorkspace_v2 cublasSgemmStridedBatched curandCreateGenerator
    curandDestroyGenerator curandGenerateNormal curandGenerateNormalDouble curandGenerateUniform
    curandGenerateUniformDouble curandSetGeneratorOffset curandSetPseudoRandomGeneratorSeed
    curandSetStream
    __cudaGetKernel __cudaInitModule __cudaLaunchKernel __cudaLaunchKernel_ptsz
    __cudaPopCallConfiguration __cudaPushCallConfiguration __cudaRegisterFatBinary
    __cudaRegisterFatBinaryEnd __cudaRegisterFunction __cudaRegisterVar
    __cudaUnregisterFatBinary cudaDeviceGetAttribute cudaFree cudaFreeAsync cudaFreeAsync_ptsz
    cudaFuncGetAttributes cudaFuncSetAttribute cudaGetDevice cudaGetDeviceCount cudaGetErrorName
    cudaGetErrorString cudaGetLastError cudaLaunchKernel cudaLaunchKernel_ptsz cudaMalloc
    cudaMallocAsync cudaMallocAsync_ptsz cudaMemsetAsync cudaMemsetAsync_ptsz
    cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags cudaPeekAtLastError cudaSetDevice
    cudaStreamSynchronize cudaStreamSynchronize_ptsz
}
