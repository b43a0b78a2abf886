//! Heads of HTTP requests, replayed through the body of the fuzz target.

use thalweg_server::fuzz;
use thalweg_testkit::corpus;

#[test]
fn replay_the_corpus() {
    assert!(corpus::replay("http_head", fuzz::http_head) > 0);
}
