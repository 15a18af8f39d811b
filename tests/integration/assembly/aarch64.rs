//! What compilers make of the kernels for 64-bit Arm.

use super::{Kernel, Syntax, faults};

pub(super) const SYNTAX: Syntax = Syntax {
    // That of another machine's binutils comes first: tests may run in an emulator.
    objdump: &["aarch64-linux-gnu-objdump", "objdump"],
    options: &[],
    jumps: &["b.", "cbz", "cbnz", "tbz", "tbnz", "b "],
    vectors: &["\tq", "\td", "\ts", ", q", ", d", "{v"],
    stack: &["[sp"],
    frame: ("mov\tx29, sp", "[x29"),
};

pub(super) const KERNELS: &[Kernel] = &[
    // 4 steps of the depth, 7 pixels by 3 vectors.
    Kernel {
        symbol: "3cpu7kernels4neon9pointwise",
        product: "fmla",
        products: 84,
        loops: 1,
        spills: 0,
    },
    // 2 rows of 7 pixels by 9 weights, of stride 1 and 2.
    Kernel {
        symbol: "3cpu7kernels4neon9depthwise",
        product: "fmla",
        products: 126,
        loops: 2,
        spills: 0,
    },
    // 8 pixels by 3 vectors.
    Kernel {
        symbol: "3cpu7kernels4neon4stem",
        product: "fmla",
        products: 24,
        loops: 1,
        spills: 0,
    },
    // In bf16: 4 pairs of pixels by 4 of channels.
    Kernel {
        symbol: "3cpu4bf164neon9pointwise",
        product: "bfmmla",
        products: 16,
        loops: 1,
        spills: 0,
    },
    // A row of 7 pixels by 9 weights, of stride 1 and 2.
    Kernel {
        symbol: "3cpu4bf164neon9depthwise",
        product: "fmla",
        products: 63,
        loops: 2,
        spills: 0,
    },
    // 7 pixels by 2 vectors.
    Kernel {
        symbol: "3cpu4bf164neon4stem",
        product: "bfdot",
        products: 14,
        loops: 1,
        spills: 0,
    },
    // In eight bits: 4 steps of two values, 8 pixels by 2 vectors, to bytes and to words.
    Kernel {
        symbol: "4int87kernels4neon9pointwise",
        product: "smlal",
        products: 128,
        loops: 2,
        spills: 0,
    },
    // 4 pixels by 9 weights of 8 channels, of either stride, from bytes and from words.
    Kernel {
        symbol: "4int87kernels4neon9depthwise",
        product: "smlal",
        products: 72,
        loops: 4,
        spills: 0,
    },
    // 8 pixels by 2 vectors of two values.
    Kernel {
        symbol: "4int87kernels4neon4stem",
        product: "smlal",
        products: 32,
        loops: 2,
        spills: 0,
    },
    // 4 steps of four values, 8 pixels by 2 vectors.
    Kernel {
        symbol: "4int87kernels12neon_dotprod9pointwise",
        product: "udot",
        products: 64,
        loops: 2,
        spills: 0,
    },
    // Twice 4 pairs of pixels by 4 of channels.
    Kernel {
        symbol: "4int87kernels9neon_i8mm9pointwise",
        product: "usmmla",
        products: 32,
        loops: 2,
        spills: 0,
    },
];

/// The check notices what it is there for.
#[test]
fn a_spilled_sum_is_noticed() {
    let kernel = |spills| Kernel {
        symbol: "kernel",
        product: "fmla",
        products: 2,
        loops: 1,
        spills,
    };
    let product = "1004:\tfmla\tv1.4s, v2.4s, v3.s[0]\n";
    let code = |body: &str| {
        format!("1000:\tmov\tx0, x1\n{product}{body}100c:\tb.ne\t1004 <somewhere>  // b.any\n")
    };
    let good = code("1008:\tfmla\tv4.4s, v2.4s, v3.s[1]\n");
    assert_eq!(faults(&good, &kernel(0), &SYNTAX), "");
    // Not unrolled.
    assert!(faults(&code(""), &kernel(0), &SYNTAX).contains("2 products"));
    for access in ["ldr\tq7, [sp, #32]", "stp\tq0, q1, [sp, #64]"] {
        let spilled = good.replace("100c:", &format!("1009:\t{access}\n100c:"));
        assert!(
            faults(&spilled, &kernel(0), &SYNTAX).contains("[sp"),
            "{access}"
        );
        assert_eq!(faults(&spilled, &kernel(1), &SYNTAX), "");
    }
    // An address is no vector.
    let address = good.replace("100c:", "1009:\tldr\tx7, [sp, #32]\n100c:");
    assert_eq!(faults(&address, &kernel(0), &SYNTAX), "");
}
