//! `examples/spark`, where Python has pyspark.

use std::process::Command;

use crate::support::repository;

#[test]
fn spark_answers_what_the_program_answers() {
    let has_pyspark = Command::new("python3")
        .args(["-c", "import pyspark"])
        .output()
        .is_ok_and(|python| python.status.success());
    if !has_pyspark {
        return crate::skipped::skip("python3 has no pyspark");
    }
    let ran = assert_cmd::Command::new("python3")
        .arg(repository("examples/spark/test_classify.py"))
        .env("MOBILENET", env!("CARGO_BIN_EXE_mobilenet"))
        .timeout(std::time::Duration::from_secs(600))
        .output()
        .expect("python3");
    let stderr = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{stderr}");
    eprintln!("{stderr}");
}
