use offproc::WorkerContext;

fn init_log() {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
}

fn double(n: u32) -> u32 {
    tracing::info!(n, "doubles");
    n * 2
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    init_log();
    let context = WorkerContext::builder().init(init_log).open()?;
    assert_eq!(context.run_sync(double, 21).await?, 42);
    context.close().await?;
    Ok(())
}
