//! What compilers make of the kernels for x86-64.

use super::{Kernel, Syntax, faults};

pub(super) const SYNTAX: Syntax = Syntax {
    objdump: &["objdump"],
    options: &["-M", "intel"],
    jumps: &["j"],
    vectors: &["mm"],
    stack: &["[rsp"],
    frame: ("mov    rbp,rsp", "[rbp"),
};

pub(super) const KERNELS: &[Kernel] = &[
    // 14 pixels by 2 vectors.
    Kernel {
        symbol: "3cpu7kernels6avx5129pointwise",
        product: "vfm",
        products: 28,
        loops: 1,
        spills: 0,
    },
    // 6 pixels by 2 vectors.
    Kernel {
        symbol: "3cpu7kernels4avx29pointwise",
        product: "vfm",
        products: 12,
        loops: 1,
        spills: 0,
    },
    // 2 rows of 7 pixels by 9 weights, of stride 1 and 2.
    Kernel {
        symbol: "3cpu7kernels6avx5129depthwise",
        product: "vfm",
        products: 126,
        loops: 2,
        spills: 0,
    },
    // A row of 7 pixels: 7 sums, 9 weights and a value in 16 registers.
    Kernel {
        symbol: "3cpu7kernels4avx29depthwise",
        product: "vfm",
        products: 63,
        loops: 2,
        spills: 4,
    },
    // As the pointwise product.
    Kernel {
        symbol: "3cpu7kernels6avx5124stem",
        product: "vfm",
        products: 28,
        loops: 1,
        spills: 0,
    },
    Kernel {
        symbol: "3cpu7kernels4avx24stem",
        product: "vfm",
        products: 12,
        loops: 1,
        spills: 0,
    },
    // In bf16, as in f32, but for a stride of 2, of which a row is taken at a time.
    Kernel {
        symbol: "3cpu4bf166avx5129pointwise",
        product: "vdpbf16ps",
        products: 28,
        loops: 1,
        spills: 0,
    },
    // 14 sums, 9 weights and what is widened.
    Kernel {
        symbol: "3cpu4bf166avx5129depthwise",
        product: "vfm",
        products: 63,
        loops: 3,
        spills: 6,
    },
    Kernel {
        symbol: "3cpu4bf166avx5124stem",
        product: "vdpbf16ps",
        products: 28,
        loops: 1,
        spills: 0,
    },
    // In eight bits: 14 pixels by 2 vectors.
    Kernel {
        symbol: "4int87kernels11avx512_vnni9pointwise",
        product: "vpdpbusd",
        products: 28,
        loops: 1,
        spills: 0,
    },
    Kernel {
        symbol: "4int87kernels11avx512_vnni4stem",
        product: "vpmaddwd",
        products: 14,
        loops: 1,
        spills: 0,
    },
    Kernel {
        symbol: "4int87kernels8avx_vnni9pointwise",
        product: "{vex} vpdpbusd",
        products: 12,
        loops: 1,
        spills: 0,
    },
    // 6 pixels by 2 vectors.
    Kernel {
        symbol: "4int87kernels4avx29pointwise",
        product: "vpmaddwd",
        products: 12,
        loops: 1,
        spills: 0,
    },
];

/// The check notices what it is there for.
#[test]
fn a_spilled_sum_is_noticed() {
    let code = |body: &str| format!("1000:\tmov rax,rdi\n{body}100c:\tjne    1004 <somewhere>\n");
    let kernel = |spills| Kernel {
        symbol: "kernel",
        product: "vfm",
        products: 2,
        loops: 1,
        spills,
    };
    let product = "1004:\tvfmadd231ps zmm1,zmm2,zmm3\n";
    let good = code(
        &[
            product,
            "1006:\tvfmadd231ps zmm4,zmm2,DWORD BCST [rbp+rax*1+0x0]\n",
        ]
        .concat(),
    );
    assert_eq!(faults(&good, &kernel(0), &SYNTAX), "");
    // Not unrolled.
    assert!(faults(&code(product), &kernel(0), &SYNTAX).contains("2 products"));
    let spilled = code(
        &[
            product,
            "1006:\tvfmadd213ps zmm2,zmm0,ZMMWORD PTR [rsp+0x240]\n",
        ]
        .concat(),
    );
    assert!(faults(&spilled, &kernel(0), &SYNTAX).contains("[rsp+0x240]"));
    assert_eq!(faults(&spilled, &kernel(1), &SYNTAX), "");
    // A frame's pointer is the stack too, and what is outside of the loop doesn't matter.
    let framed = good.replace("mov rax,rdi", "mov    rbp,rsp");
    assert!(faults(&framed, &kernel(0), &SYNTAX).contains("[rbp+rax*1+0x0]"));
    let before = format!("fff:\tvmovaps ZMMWORD PTR [rsp+0x40],zmm9\n{good}");
    assert_eq!(faults(&before, &kernel(0), &SYNTAX), "");
}
