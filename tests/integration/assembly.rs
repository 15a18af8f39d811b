//! The machine code of the release build's kernels: that their loops are unrolled as they are meant
//! to be and keep their sums in registers. A spilled sum leaves every answer right and halves the
//! speed. Needs `objdump` (binutils).

use std::process::Command;

/// What a kernel's innermost loops have to look like.
struct Kernel {
    /// As its path is mangled.
    symbol: &'static str,
    /// What its products' instructions begin with.
    product: &'static str,
    /// How the loop over the widest tile multiplies: so many times, and in so many loops.
    products: usize,
    loops: usize,
    /// Vectors on the stack that a loop may touch, in instructions: a weight that no register was
    /// left for.
    spills: usize,
}

const KERNELS: [Kernel; 13] = [
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

#[test]
fn sums_stay_in_registers() {
    if cfg!(debug_assertions) {
        return crate::skipped::skip("not a release build");
    }
    let program = env!("CARGO_BIN_EXE_mobilenet");
    let Some(symbols) = objdump(&["-t", program]) else {
        return crate::skipped::skip("there is no objdump");
    };
    let mut wrong = String::new();
    for kernel in KERNELS {
        let (start, stop) = function(&symbols, kernel.symbol).expect(kernel.symbol);
        let range = [
            format!("--start-address={start:#x}"),
            format!("--stop-address={stop:#x}"),
        ];
        let options = ["-d", "--no-show-raw-insn", "-M", "intel"];
        let code = objdump(&[&options[..], &[&range[0], &range[1], program]].concat());
        wrong += &faults(&code.expect("disassembled"), &kernel);
    }
    assert!(wrong.is_empty(), "{wrong}");
}

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
    assert_eq!(faults(&good, &kernel(0)), "");
    // Not unrolled.
    assert!(faults(&code(product), &kernel(0)).contains("2 products"));
    let spilled = code(
        &[
            product,
            "1006:\tvfmadd213ps zmm2,zmm0,ZMMWORD PTR [rsp+0x240]\n",
        ]
        .concat(),
    );
    assert!(faults(&spilled, &kernel(0)).contains("[rsp+0x240]"));
    assert_eq!(faults(&spilled, &kernel(1)), "");
    // A frame's pointer is the stack too, and what is outside of the loop doesn't matter.
    let framed = good.replace("mov rax,rdi", "mov    rbp,rsp");
    assert!(faults(&framed, &kernel(0)).contains("[rbp+rax*1+0x0]"));
    let before = format!("fff:\tvmovaps ZMMWORD PTR [rsp+0x40],zmm9\n{good}");
    assert_eq!(faults(&before, &kernel(0)), "");
}

/// What is wrong with a kernel's code, a line each.
fn faults(code: &str, kernel: &Kernel) -> String {
    let instructions: Vec<(u64, &str)> = code.lines().filter_map(instruction).collect();
    let mut stack = vec!["[rsp"];
    if instructions
        .iter()
        .any(|(_, text)| *text == "mov    rbp,rsp")
    {
        stack.push("[rbp");
    }
    let mut wrong = String::new();
    let mut whole = 0;
    for body in inner_loops(&instructions) {
        let products = body
            .iter()
            .filter(|(_, text)| text.starts_with(kernel.product))
            .count();
        whole += usize::from(products >= kernel.products);
        let spilled = body.iter().filter(|(_, text)| {
            text.contains("mm") && stack.iter().any(|pointer| text.contains(pointer))
        });
        let spilled: Vec<_> = spilled.map(|(_, text)| *text).collect();
        if products > 0 && spilled.len() > kernel.spills {
            wrong += &format!(
                "{}: a loop of {products} products: {spilled:?}\n",
                kernel.symbol
            );
        }
    }
    if whole < kernel.loops {
        let Kernel {
            symbol,
            products,
            loops,
            ..
        } = kernel;
        wrong += &format!("{symbol}: {whole} loops of {products} products, not {loops}\n");
    }
    wrong
}

/// The loops that no other loop is in: from a jump's target to the jump back there.
fn inner_loops<'a>(code: &'a [(u64, &'a str)]) -> Vec<&'a [(u64, &'a str)]> {
    let index = |address| code.binary_search_by_key(&address, |(at, _)| *at).ok();
    let back = code.iter().enumerate().filter_map(|(end, (_, text))| {
        let target = text.strip_prefix('j')?.split_whitespace().nth(1)?;
        let start = index(u64::from_str_radix(target, 16).ok()?)?;
        (start <= end).then_some((start, end))
    });
    let loops: Vec<_> = back.collect();
    let inner = loops.iter().filter(|(start, end)| {
        let within = |other: &&(usize, usize)| other.0 >= *start && other.1 <= *end;
        loops.iter().filter(within).count() == 1
    });
    inner.map(|(start, end)| &code[*start..=*end]).collect()
}

/// `  37b7c0:\tpush   rbp`
fn instruction(line: &str) -> Option<(u64, &str)> {
    let (address, text) = line.split_once(":\t")?;
    let address = u64::from_str_radix(address.trim(), 16).ok()?;
    Some((address, text.trim()))
}

/// Where a function begins and ends, from a table of symbols:
/// `000000000037b7c0 l     F .text  00000000000018c4  NAME`
fn function(symbols: &str, name: &str) -> Option<(u64, u64)> {
    let line = symbols
        .lines()
        .find(|line| line.contains(" F ") && line.contains(name))?;
    let mut words = line.split_whitespace();
    let start = u64::from_str_radix(words.next()?, 16).ok()?;
    let size = words.skip_while(|word| *word != ".text").nth(1)?;
    Some((start, start + u64::from_str_radix(size, 16).ok()?))
}

fn objdump(arguments: &[&str]) -> Option<String> {
    let output = Command::new("objdump")
        .arg("-w")
        .args(arguments)
        .output()
        .ok()?;
    assert!(output.status.success(), "objdump {arguments:?}");
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}
