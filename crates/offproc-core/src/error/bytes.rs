use std::fmt;

/// A number of bytes, for people.
pub(super) struct Bytes(pub(super) u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        #[allow(clippy::cast_precision_loss, reason = "one digit after the point is shown")]
        let bytes = self.0 as f64;
        let units = ["KiB", "MiB", "GiB", "TiB"];
        let step = (0..units.len() - 1).find(|step| bytes < 1024_f64.powi(*step as i32 + 2)).unwrap_or(units.len() - 1);
        write!(f, "{:.1} {}", bytes / 1024_f64.powi(step as i32 + 1), units[step])
    }
}
