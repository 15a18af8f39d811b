#![no_main]

mod checkpoint;

// A bare pickle of PyTorch before 1.6: nothing in it has a checksum, so that what is changed is read.
libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    checkpoint::read(
        data,
        0,
        b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.",
    );
});
