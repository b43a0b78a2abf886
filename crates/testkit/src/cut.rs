//! One input, cut in every way that has ever broken a parser.

/// Feeds `input` whole, byte by byte, and in two parts cut at each byte; `run` must answer alike.
///
/// # Panics
/// When some cut gives another answer than the whole.
pub fn every_way<T: PartialEq + std::fmt::Debug>(input: &[u8], run: impl Fn(&[&[u8]]) -> T) {
    let whole = run(&[input]);
    let bytes: Vec<&[u8]> = input.chunks(1).collect();
    assert_eq!(run(&bytes), whole, "byte by byte");
    for at in 1..input.len() {
        let (front, back) = input.split_at(at);
        assert_eq!(run(&[front, back]), whole, "cut at byte {at}");
    }
}
