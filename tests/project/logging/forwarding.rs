use offproc::{JobError, WorkerContext};
use tracing::Instrument;
use tracing::level_filters::LevelFilter;

fn thumbnail(path: String) -> Result<Vec<u8>, JobError> {
    let image = std::fs::read(&path)?;
    tracing::info!(path, bytes = image.len(), "read");
    log::debug!("records of libraries that use `log` are forwarded, too");
    Ok(image)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().with_max_level(LevelFilter::DEBUG).init();
    let context = WorkerContext::builder().forward_tracing(LevelFilter::DEBUG).open()?;
    let span = tracing::info_span!("request", id = 17);
    let image = context.run_sync(thumbnail, "in.png".to_owned()).instrument(span).await??;
    // INFO request{id=17}:offproc.call{…}: thumbnails: read path="in.png" bytes=48213
    println!("{} bytes", image.len());
    context.close().await?;
    Ok(())
}
