//! Listeners, connections, signals: `run` serves until it is told to stop, then ends what was accepted.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::config::{Gateway, Protocol};
use crate::knowledge::scripts;
use crate::quarantine::{Store, Tries};

use super::filter::Filter;
use super::listen::{self, Connection, Listener};
use super::pool::{Generation, Pool};
use super::{canary, clamd, http, milter, olefy, smtp, systemd};

/// Cores for each thread that sockets share; scanning has its own. One serves some ten thousand messages a second, and
/// a second one costs more in handing over than it brings.
const CORES_PER_SOCKET_THREAD: usize = 4;

/// How long a stop waits beyond the time of one message.
const STOP: Duration = Duration::from_secs(10);

/// How long is waited where a connection cannot be accepted, for want of file descriptors most likely.
const PAUSE: Duration = Duration::from_millis(200);

/// Connections of the HTTP listener.
const HTTP_CONNECTIONS: usize = 64;

const OUT_OF_ORDER: &str = "a connection ended out of order";

/// Reads the configuration and the rules anew; the error says in which file and line, and why.
pub type Reload = Arc<dyn Fn() -> Result<Generation, String> + Send + Sync>;

/// How much is taken at once.
#[derive(Debug, Clone, Copy)]
pub struct ServerSettings {
    /// Scan threads.
    pub threads: usize,
    /// Messages that may wait for one.
    pub max_waiting: usize,
    /// Memory for messages in bytes.
    pub max_memory: u64,
    /// Time for one message as a whole.
    pub timeout: Duration,
}

/// Why nothing is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotServed {
    /// What does not work.
    pub what: String,
    /// What to do about it.
    pub hint: &'static str,
}

/// Everything but the sockets.
pub struct Server {
    filter: Arc<Filter>,
    reload: Reload,
    settings: ServerSettings,
}

impl Server {
    /// Starts the scan threads with a first generation. The error says what does not hold.
    pub fn new(
        generation: Generation,
        store: Arc<Store>,
        tries: Tries,
        settings: ServerSettings,
        reload: Reload,
    ) -> Result<Self, String> {
        scripts().prepare();
        canary::try_harmless(&generation.engine)?;
        let pool = Pool::start(Arc::new(generation), settings.threads, settings.max_waiting)
            .map_err(|error| format!("cannot start scan threads: {error}"))?;
        let filter = Filter::new(pool, store, tries, settings.max_memory, settings.timeout);
        Ok(Self {
            filter: Arc::new(filter),
            reload,
            settings,
        })
    }

    /// Opens the listeners and serves until SIGTERM or SIGINT; SIGHUP reloads.
    pub fn serve(self, gateway: Gateway) -> Result<(), NotServed> {
        let machine = |error: std::io::Error| NotServed {
            what: format!("cannot start: {error}"),
            hint: "the log of the system may say more (`journalctl -k`)",
        };
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(cores.div_ceil(CORES_PER_SOCKET_THREAD))
            .enable_all()
            .build()
            .map_err(machine)?;
        let served = runtime.block_on(async {
            let relay = smtp::Relay::new(&gateway, Arc::clone(&self.filter));
            let sockets = listen::open(&gateway).await?;
            let run = self.run(sockets, Arc::new(gateway), relay);
            run.await.map_err(machine)
        });
        // A thread that hangs in a scan must not keep the process.
        runtime.shutdown_background();
        served
    }

    async fn run(
        self,
        sockets: Vec<(Protocol, Listener)>,
        gateway: Arc<Gateway>,
        relay: Option<Arc<smtp::Relay>>,
    ) -> std::io::Result<()> {
        let (stop, stopping) = watch::channel(false);
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut hang_up = signal(SignalKind::hangup())?;
        let mut listeners = JoinSet::new();
        for (protocol, listener) in sockets {
            let name = protocol.as_str();
            tracing::info!(listener = name, address = listener.address(), "listening");
            let door = Door {
                protocol,
                filter: Arc::clone(&self.filter),
                gateway: Arc::clone(&gateway),
                relay: relay.clone(),
                stopping: stopping.clone(),
            };
            listeners.spawn(door.open(listener));
        }
        if let Some(relay) = relay {
            tokio::spawn(smtp::retry::run(relay, stopping));
        }
        systemd::notify("READY=1");
        loop {
            tokio::select! {
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
                _ = hang_up.recv() => self.reload().await,
            }
        }
        systemd::notify("STOPPING=1");
        tracing::info!("stopping: ending what was accepted");
        // Fails only when nobody listens any more.
        let _ = stop.send(true);
        let ended = async { while listeners.join_next().await.is_some() {} };
        if timeout(self.settings.timeout.saturating_add(STOP), ended)
            .await
            .is_err()
        {
            tracing::warn!("some messages did not end in time: their senders try again");
        }
        self.filter.pool.stop();
        Ok(())
    }

    /// Puts a new generation in force, or says why not and keeps the running one.
    async fn reload(&self) {
        systemd::notify("RELOADING=1");
        let reload = Arc::clone(&self.reload);
        let read = tokio::task::spawn_blocking(move || {
            let generation = reload()?;
            canary::try_harmless(&generation.engine)?;
            Ok::<_, String>(generation)
        });
        let read = read
            .await
            .unwrap_or_else(|_| Err("reading it broke down".to_owned()));
        let metrics = &self.filter.metrics;
        match read {
            Ok(generation) => {
                let rules = generation.engine.rules.digest().to_owned();
                self.filter.pool.replace(Arc::new(generation));
                metrics.reloads.fetch_add(1, Ordering::Relaxed);
                tracing::info!(rules, "reloaded");
            }
            Err(reason) => {
                metrics.refused_reloads.fetch_add(1, Ordering::Relaxed);
                tracing::error!(reason, "not reloaded: what runs stays in force");
            }
        }
        systemd::notify("READY=1");
    }
}

/// One listener: what is spoken there, and all that its connections need.
#[derive(Clone)]
struct Door {
    protocol: Protocol,
    filter: Arc<Filter>,
    gateway: Arc<Gateway>,
    relay: Option<Arc<smtp::Relay>>,
    stopping: watch::Receiver<bool>,
}

impl Door {
    /// Takes connections until the stop, then waits for those that were accepted.
    async fn open(self, listener: Listener) {
        let cap = match self.protocol {
            Protocol::Http => HTTP_CONNECTIONS,
            Protocol::Milter | Protocol::Relay | Protocol::Clamd | Protocol::Olefy => {
                self.gateway.max_connections
            }
        };
        let room = Arc::new(Semaphore::new(cap));
        let mut connections = JoinSet::new();
        let mut stopping = self.stopping.clone();
        while let Some(connection) = next(&listener, &mut stopping).await {
            while connections.try_join_next().is_some() {}
            let counts = self.filter.metrics.listener(self.protocol);
            let Ok(permit) = Arc::clone(&room).try_acquire_owned() else {
                // Closed at once: the MTA's own failure policy decides, and the sender tries again.
                counts.refused.fetch_add(1, Ordering::Relaxed);
                let listener = self.protocol.as_str();
                tracing::warn!(listener, cap, "connection refused: too many");
                continue;
            };
            let door = self.clone();
            connections.spawn(async move {
                door.counted(connection).await;
                drop(permit);
            });
        }
        if self.protocol == Protocol::Http {
            // Nobody's message: whoever looks at metrics must not hold up the stop.
            connections.abort_all();
        }
        while connections.join_next().await.is_some() {}
    }

    async fn counted(&self, connection: Connection) {
        let counts = self.filter.metrics.listener(self.protocol);
        counts.open.fetch_add(1, Ordering::Relaxed);
        let ended = self.serve(connection).await;
        counts.open.fetch_sub(1, Ordering::Relaxed);
        if let Err(reason) = ended {
            counts.bad.fetch_add(1, Ordering::Relaxed);
            let listener = self.protocol.as_str();
            match self.protocol {
                // Probes of load balancers end like that all day.
                Protocol::Http => tracing::debug!(listener, reason, "{OUT_OF_ORDER}"),
                Protocol::Milter | Protocol::Relay | Protocol::Clamd | Protocol::Olefy => {
                    tracing::warn!(listener, reason, "{OUT_OF_ORDER}");
                }
            }
        }
    }

    /// The table of protocols.
    async fn serve(&self, connection: Connection) -> Result<(), String> {
        let (filter, stopping) = (Arc::clone(&self.filter), self.stopping.clone());
        match self.protocol {
            Protocol::Milter => milter::serve(connection, filter, stopping).await,
            Protocol::Relay => match self.relay.clone() {
                Some(relay) => smtp::serve(connection, relay, stopping).await,
                None => Err("the relay is not set up".to_owned()),
            },
            Protocol::Clamd => {
                let gateway = Arc::clone(&self.gateway);
                clamd::serve(connection, filter, gateway, stopping).await
            }
            Protocol::Olefy => olefy::serve(connection, filter, stopping).await,
            Protocol::Http => http::serve(connection, filter, stopping).await,
        }
    }
}

async fn stopped(stopping: &mut watch::Receiver<bool>) {
    // Where the sender is gone there is nothing to serve for either.
    let _ = stopping.wait_for(|stop| *stop).await;
}

/// The next connection; none once the server stops.
async fn next(listener: &Listener, stopping: &mut watch::Receiver<bool>) -> Option<Connection> {
    // Ends with a connection or the stop.
    loop {
        tokio::select! {
            // Its sender lives as long as the server.
            _ = stopped(stopping) => return None,
            accepted = listener.accept() => match accepted {
                Ok(connection) => return Some(connection),
                Err(error) => {
                    tracing::warn!("cannot accept a connection: {error}");
                    sleep(PAUSE).await;
                }
            },
        }
    }
}
