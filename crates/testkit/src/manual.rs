//! What a manual says, beside what the program does.

/// Holds a part of the manual to the metrics that it is of: it has each with its kind, and no other.
///
/// # Panics
/// When it has not.
pub fn assert_knows_metrics(manual: &str, metrics: &str) {
    let types = metrics.lines().filter_map(|l| l.strip_prefix("# TYPE "));
    let mut count = 0;
    for (name, kind) in types.filter_map(|l| l.split_once(' ')) {
        let total = if kind == "counter" { "_total" } else { "" };
        assert!(manual.contains(&format!("`{name}{total}` | {kind} |")), "{name} is a {kind}");
        count += 1;
    }
    assert_eq!(count, manual.matches("| `thalweg_").count(), "and has no other");
}
