//! Lists of operations, replayed through the body of the fuzz target.

use thalweg_hub::fuzz;
use thalweg_testkit::corpus;

#[test]
fn replay_the_corpus() {
    corpus::holds("hub", "published watched taken over", &fuzz::seed());
    assert!(corpus::replay("hub", fuzz::operations) > 0);
}

#[test]
fn random_operations_break_nothing() {
    let mut x = 0x2545_f491_4f6c_dd1d_u64;
    for _ in 0..300 {
        let bytes: Vec<u8> = (0..400)
            .map(|_| {
                x ^= x << 13;
                x ^= x >> 7;
                x ^= x << 17;
                (x >> 32) as u8
            })
            .collect();
        fuzz::operations(&bytes);
    }
}
