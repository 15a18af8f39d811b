//! The machine code of the release build's kernels: that their loops are unrolled as they are meant
//! to be and keep their sums in registers. A spilled sum leaves every answer right and halves the
//! speed. Needs `objdump` (binutils).

use std::process::Command;

#[cfg(target_arch = "aarch64")]
mod aarch64;
#[cfg(target_arch = "x86_64")]
mod x86_64;

#[cfg(target_arch = "aarch64")]
use aarch64::{KERNELS, SYNTAX};
#[cfg(target_arch = "x86_64")]
use x86_64::{KERNELS, SYNTAX};

/// How a disassembler writes what is looked for.
struct Syntax {
    /// Disassemblers, the first of which that is here is taken, and what they are told.
    objdump: &'static [&'static str],
    options: &'static [&'static str],
    /// What jumps begin with.
    jumps: &'static [&'static str],
    /// A part of each vector's name.
    vectors: &'static [&'static str],
    /// How places on the stack begin.
    stack: &'static [&'static str],
    /// The instruction that makes of a register a pointer to the stack, and how places begin then.
    frame: (&'static str, &'static str),
}

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

#[test]
fn sums_stay_in_registers() {
    if cfg!(debug_assertions) {
        return crate::skipped::skip("not a release build");
    }
    let program = env!("CARGO_BIN_EXE_mobilenet");
    let found = SYNTAX.objdump.iter().find_map(|tool| {
        let symbols = objdump(tool, &["-t", program])?;
        Some((tool, symbols))
    });
    let Some((tool, symbols)) = found else {
        return crate::skipped::skip("there is no objdump");
    };
    let mut wrong = String::new();
    for kernel in KERNELS {
        let (start, stop) = function(&symbols, kernel.symbol).expect(kernel.symbol);
        let range = [
            format!("--start-address={start:#x}"),
            format!("--stop-address={stop:#x}"),
        ];
        let options = ["-d", "--no-show-raw-insn", &range[0], &range[1]];
        let code = objdump(tool, &[&options[..], SYNTAX.options, &[program]].concat());
        wrong += &faults(&code.expect("disassembled"), kernel, &SYNTAX);
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// What is wrong with a kernel's code, a line each.
fn faults(code: &str, kernel: &Kernel, syntax: &Syntax) -> String {
    let instructions: Vec<(u64, &str)> = code.lines().filter_map(instruction).collect();
    let mut stack = syntax.stack.to_vec();
    let (set, pointer) = syntax.frame;
    if instructions.iter().any(|(_, text)| *text == set) {
        stack.push(pointer);
    }
    let mut wrong = String::new();
    let mut whole = 0;
    for body in inner_loops(&instructions, syntax) {
        let products = body
            .iter()
            .filter(|(_, text)| text.starts_with(kernel.product))
            .count();
        whole += usize::from(products >= kernel.products);
        let any = |of: &[&str], text: &str| of.iter().any(|part| text.contains(part));
        let spilled = body
            .iter()
            .filter(|(_, text)| any(syntax.vectors, text) && any(&stack, text));
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
fn inner_loops<'a>(code: &'a [(u64, &'a str)], syntax: &Syntax) -> Vec<&'a [(u64, &'a str)]> {
    let index = |address| code.binary_search_by_key(&address, |(at, _)| *at).ok();
    let back = code.iter().enumerate().filter_map(|(end, (_, text))| {
        syntax.jumps.iter().find(|jump| text.starts_with(**jump))?;
        // `jne    37b7c0 <NAME>`, `cbz    x1, 37b7c0 <NAME>`
        let (before, _) = text.split_once(" <")?;
        let target = before.split_whitespace().last()?;
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

fn objdump(tool: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(tool).arg("-w").args(arguments).output().ok()?;
    assert!(output.status.success(), "{tool} {arguments:?}");
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}
