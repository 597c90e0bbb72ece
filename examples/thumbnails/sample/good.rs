//! Pictures to look at, painted by the workers.

use std::path::Path;
use std::{fs, io};

use futures_util::future::try_join_all;
use offproc::run_sync;

use crate::worker::paint::{self, PICTURES};

/// Paints them all, as many at a time as there are CPUs.
pub(crate) async fn write(folder: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let mut paintings = Vec::new();
    for (index, picture) in PICTURES.iter().enumerate() {
        let to = folder.join(picture.name);
        to.parent().map_or(io::Result::Ok(()), fs::create_dir_all)?;
        paintings.push(run_sync(paint::paint, (index, to)).into_future());
    }
    for painted in try_join_all(paintings).await? {
        painted?;
    }
    Ok(())
}
