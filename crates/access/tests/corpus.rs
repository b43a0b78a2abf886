//! Signed URLs, replayed through the body of the fuzz target.

use thalweg_access::fuzz;
use thalweg_testkit::corpus;

#[test]
fn replay_the_corpus() {
    assert!(corpus::replay("signed_url", fuzz::signed_url) > 0);
}
