# Sourced: finds the machine's CUDA toolkit, or installs what is needed of it from PyPI (into target/cuda), and sets
# CUDA_HOME, with `nvcc` in its `bin`. Where neither can be had it says so and ends the script.

if ! echo 'int main() {}' | c++ -x c++ -fsyntax-only - 2> /dev/null; then
    echo "skipped: no C++ compiler"
    exit 0
fi
if [ -z "${CUDA_HOME:-}" ] && command -v nvcc > /dev/null; then
    CUDA_HOME=$(dirname "$(dirname "$(readlink -f "$(command -v nvcc)")")")
fi
if [ -z "${CUDA_HOME:-}" ]; then
    toolkit=$PWD/target/cuda
    if [ ! -x "$toolkit/home/bin/nvcc" ]; then
        if ! python3 -m venv "$toolkit" 2> /dev/null; then
            echo "skipped: neither nvcc nor a Python that could install it"
            exit 0
        fi
        if ! "$toolkit/bin/python" -m pip install --quiet --disable-pip-version-check \
            'nvidia-cuda-nvcc==13.0.*' 'nvidia-cuda-crt==13.0.*' 'nvidia-nvvm==13.0.*' \
            'nvidia-cuda-runtime==13.0.*' 'nvidia-cuda-cccl==13.0.*'; then
            echo "skipped: nvcc could not be installed"
            exit 0
        fi
        home=$(dirname "$(dirname "$(find "$toolkit/lib" -path '*/bin/nvcc' | head -n 1)")")
        if [ "$home" = . ]; then
            echo "the packages have no nvcc where it is looked for"
            exit 1
        fi
        chmod +x "$home"/bin/* "$home"/nvvm/bin/*
        # What programs are linked with. They look for CUDA's functions when they run
        # (src/device/lazy.rs), so that these need not have any.
        mkdir -p "$home/lib64"
        for library in cuda cudart cublas cublasLt curand nvrtc; do
            cc -shared -o "$home/lib64/lib$library.so" -x c /dev/null
        done
        ln -sfn "$home" "$toolkit/home"
    fi
    CUDA_HOME=$toolkit/home
fi
export CUDA_HOME PATH="$CUDA_HOME/bin:$PATH"
