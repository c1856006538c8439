//! Interrupts of programs that serve nobody: Ctrl-C and the request to end.

use tokio::signal::unix::{SignalKind, signal};

/// Calls `told` at each SIGINT and SIGTERM, on a thread of its own, as long as the program runs.
pub fn on_interrupt(mut told: impl FnMut() + Send + 'static) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    let (mut interrupt, mut terminate) = {
        let _inside = runtime.enter();
        (
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
        )
    };
    std::thread::Builder::new()
        .name("interrupts".to_owned())
        .spawn(move || {
            runtime.block_on(async {
                // Ends with the program.
                loop {
                    tokio::select! {
                        _ = interrupt.recv() => {}
                        _ = terminate.recv() => {}
                    }
                    told();
                }
            });
        })
        .map(drop)
}
