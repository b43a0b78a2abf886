//! Bodies of the fuzz targets. Each takes what the fuzzer gives and panics when a promise is broken;
//! the corpus is replayed by the tests of this crate.
