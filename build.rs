//! Compiles the kernels for NVIDIA GPUs, where they are wanted.

#[cfg(not(feature = "cuda"))]
fn main() {
    println!("cargo::rerun-if-changed=build.rs");
}

/// With the toolkit and for the architecture that candle's own kernels are compiled with and for.
#[cfg(feature = "cuda")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=src/gpu/kernels.cu");
    println!("cargo::rerun-if-changed=src/gpu/kernels.h");
    let output = std::path::PathBuf::from(std::env::var("OUT_DIR")?);
    cudaforge::KernelBuilder::new()
        .source_files(vec!["src/gpu/kernels.cu"])
        .out_dir(&output)
        .arg("-std=c++17")
        .arg("-O3")
        .build_ptx()?;
    Ok(())
}
