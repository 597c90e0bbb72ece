//! The product of two matrices, tile by tile, in workers that share both of them; beside it the same
//! by rayon, in threads.
//!
//! ```sh
//! cargo run --release --example matrix
//! ```

use std::time::{Duration, Instant};

use futures_util::stream::{self, StreamExt, TryStreamExt};
use offproc::{SharedSlice, current_default_worker_limiter, default_context_statistics, run_sync};
use rayon::iter::{IntoParallelIterator, ParallelIterator};
use serde::{Deserialize, Serialize};

/// Rows and columns of all matrices: 10 MiB each.
const SIZE: usize = 1_150;
/// Rows and columns of a tile, where there are so many: some 20 ms of work, so that a call's microseconds do not
/// matter, and enough tiles that all CPUs have work to the end.
const TILE: usize = 192;
/// How many rows of the second matrix a tile goes through at a time. So many of its width stay in a CPU's own cache.
const BLOCK: usize = 64;

/// Where a tile of the product is.
#[derive(Clone, Copy, Serialize, Deserialize)]
struct Tile {
    row: usize,
    column: usize,
}

impl Tile {
    fn all() -> impl Iterator<Item = Self> {
        let starts = || (0..SIZE).step_by(TILE);
        starts().flat_map(move |row| starts().map(move |column| Self { row, column }))
    }

    /// Those at the ends are smaller.
    fn height(self) -> usize {
        TILE.min(SIZE - self.row)
    }

    fn width(self) -> usize {
        TILE.min(SIZE - self.column)
    }

    /// What threads and workers run, each sum in the same order: so they come to the same, to the last bit.
    fn multiply(self, a: &[f64], b: &[f64], product: &mut [f64]) {
        for block in (0..SIZE).step_by(BLOCK) {
            for (row, sums) in (self.row..).zip(product.chunks_exact_mut(self.width())) {
                for k in block..SIZE.min(block + BLOCK) {
                    let (factor, row_of_b) = (a[row * SIZE + k], &b[k * SIZE + self.column..]);
                    for (sum, number) in sums.iter_mut().zip(row_of_b) {
                        *sum += factor * number;
                    }
                }
            }
        }
    }

    /// Puts it into its place.
    fn write_to(self, all: &mut [f64], tile: &[f64]) {
        for (row, numbers) in (self.row..).zip(tile.chunks_exact(self.width())) {
            all[row * SIZE + self.column..][..self.width()].copy_from_slice(numbers);
        }
    }
}

/// Runs in the workers. Neither are the matrices copied on their way here, nor is the tile on its way back.
fn multiply((a, b, tile): (SharedSlice<f64>, SharedSlice<f64>, Tile)) -> (Tile, SharedSlice<f64>) {
    let product = SharedSlice::from_fn(tile.height() * tile.width(), |product| tile.multiply(&a, &b, product));
    (tile, product.expect("there is memory for a tile"))
}

async fn by_workers(a: &SharedSlice<f64>, b: &SharedSlice<f64>) -> Result<(Vec<f64>, Duration), offproc::Error> {
    let begin = Instant::now();
    let ahead = 2 * current_default_worker_limiter().total_tokens();
    let calls = Tile::all().map(|tile| run_sync(multiply, (a.clone(), b.clone(), tile)).kill_on_cancel(true));
    let tiles = stream::iter(calls).buffer_unordered(ahead);
    let place = |mut product: Vec<f64>, (tile, numbers): (Tile, SharedSlice<f64>)| async move {
        tile.write_to(&mut product, &numbers);
        Ok(product)
    };
    let product = tiles.try_fold(vec![0.0; SIZE * SIZE], place).await?;
    Ok((product, begin.elapsed()))
}

fn by_threads(a: &[f64], b: &[f64]) -> (Vec<f64>, Duration) {
    let begin = Instant::now();
    let multiply = |tile: Tile| {
        let mut numbers = vec![0.0; tile.height() * tile.width()];
        tile.multiply(a, b, &mut numbers);
        (tile, numbers)
    };
    let tiles: Vec<_> = Tile::all().collect::<Vec<_>>().into_par_iter().map(multiply).collect();
    let mut product = vec![0.0; SIZE * SIZE];
    for (tile, numbers) in &tiles {
        tile.write_to(&mut product, numbers);
    }
    (product, begin.elapsed())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Some numbers between -1 and 1.
    let matrix = |seed: u64| {
        SharedSlice::from_fn(SIZE * SIZE, |numbers| {
            let mut state = seed;
            for number in numbers {
                state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
                *number = (state >> 11) as f64 / (1_u64 << 52) as f64 - 1.0;
            }
        })
    };
    let (a, b) = (matrix(1)?, matrix(2)?);
    let mib = (SIZE * SIZE * size_of::<f64>()) as f64 / (1 << 20) as f64;
    println!("Two matrices of {SIZE} by {SIZE}, {mib:.1} MiB each, in tiles of {TILE} by {TILE}:\n");

    let report = |who: &str, took: Duration| {
        let operations = 2.0 * (SIZE as f64).powi(3);
        println!("{who:44}{:>7.0} ms{:>8.2} GFLOP/s", took.as_secs_f64() * 1e3, operations / took.as_secs_f64() / 1e9);
    };
    let (first, took) = by_workers(&a, &b).await?;
    report("offproc, which starts its workers", took);
    // They have both matrices mapped now.
    let (product, took) = by_workers(&a, &b).await?;
    report("offproc, with the workers that there are", took);
    let (expected, took) = by_threads(&a, &b);
    report("rayon", took);

    assert!(first == expected && product == expected, "each number is the same to its last bit");
    println!("\nAll {} numbers of the products are the same.", expected.len());
    assert!(default_context_statistics().started <= current_default_worker_limiter().total_tokens() as u64);
    Ok(())
}
