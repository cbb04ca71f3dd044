//! How figures are made of samples, and said.

/// A line that programs read: `RESULT name=value unit`.
pub(crate) fn result(name: &str, value: f64, digits: usize, unit: &str) {
    println!("RESULT {name}={value:.digits$} {unit}");
}

/// The middle of some samples, which one disturbed by something else on the machine does not move. Zero if there are
/// none.
pub(crate) fn median(samples: impl IntoIterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = samples.into_iter().collect();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.get(middle) {
        None => 0.0,
        Some(upper) if sorted.len() % 2 == 1 => *upper,
        Some(upper) => (sorted[middle - 1] + upper) / 2.0,
    }
}

/// The 95th percentile of the samples. Zero without samples.
pub(crate) fn p95(samples: impl IntoIterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = samples.into_iter().collect();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() * 95 / 100).copied().unwrap_or_default()
}

/// The median of what is measured in the same rounds, divided in each: what slows the machine for a while slows both.
pub(crate) fn median_ratio(samples: &[f64], floor: &[f64]) -> f64 {
    median(samples.iter().zip(floor).map(|(sample, floor)| sample / floor))
}

/// For people: every sample, so that they see how much they differ.
pub(crate) fn samples(what: &str, samples: &[f64], unit: &str) {
    let all: Vec<String> = samples.iter().map(|sample| format!("{sample:.2}")).collect();
    println!("  {what}: {} {unit}", all.join(" "));
}
