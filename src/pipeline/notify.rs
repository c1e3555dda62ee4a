//! Tells systemd when the engine is up, that it still makes progress, and that it stops (sd_notify's protocol).

use std::io;
use std::os::unix::net::UnixDatagram;
use std::sync::Arc;
use std::time::Duration;

use crate::http::Engine;

/// The service manager's socket, if there is one that waits to hear.
#[derive(Debug)]
pub struct Notifier {
    socket: UnixDatagram,
    /// How often it wants to hear that all is well.
    watchdog: Option<Duration>,
}

impl Notifier {
    /// Connects to `socket` (`NOTIFY_SOCKET`; `@` begins an abstract name); `watchdog_usec` is `WATCHDOG_USEC`.
    ///
    /// # Errors
    /// There is no such socket.
    pub fn connect(socket: &str, watchdog_usec: Option<&str>) -> io::Result<Self> {
        let own = UnixDatagram::unbound()?;
        match socket.strip_prefix('@') {
            #[cfg(target_os = "linux")]
            Some(name) => {
                use std::os::linux::net::SocketAddrExt as _;
                own.connect_addr(&std::os::unix::net::SocketAddr::from_abstract_name(name)?)?;
            }
            _ => own.connect(socket)?,
        }
        let watchdog = watchdog_usec.and_then(|usec| usec.parse().ok()).map(Duration::from_micros);
        Ok(Self { socket: own, watchdog })
    }

    /// From the environment; none outside of systemd, or where its socket cannot be reached (which is logged).
    pub fn from_environment() -> Option<Self> {
        let socket = std::env::var("NOTIFY_SOCKET").ok().filter(|socket| !socket.is_empty())?;
        let watchdog = std::env::var("WATCHDOG_USEC").ok();
        match Self::connect(&socket, watchdog.as_deref()) {
            Ok(notifier) => Some(notifier),
            Err(error) => {
                tracing::warn!(socket, %error, "systemd's socket cannot be reached");
                None
            }
        }
    }

    fn say(&self, state: &str) {
        if let Err(error) = self.socket.send(state.as_bytes()) {
            tracing::debug!(%error, "systemd does not hear");
        }
    }

    /// The drain has begun.
    pub fn stopping(&self) {
        self.say("STOPPING=1\nSTATUS=draining");
    }

    /// Says that the engine is up, and then, for ever: what it is at, and that it makes progress, while it does.
    pub async fn keep_telling(self: Arc<Self>, engine: Arc<dyn Engine>) {
        self.say("READY=1");
        // Half of the time is what sd_watchdog_enabled(3) advises.
        let pause = self.watchdog.map_or(Duration::from_secs(10), |watchdog| watchdog / 2);
        loop {
            let status = engine.ready().map_or_else(|why| why.replace('\n', " "), |()| "running".into());
            match engine.live() {
                Ok(()) => self.say(&format!("WATCHDOG=1\nSTATUS={status}")),
                Err(why) => {
                    tracing::error!(why, "no progress; systemd is not told that all is well");
                    self.say(&format!("STATUS=no progress: {why}"));
                }
            }
            tokio::time::sleep(pause).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use async_trait::async_trait;

    use super::*;
    use crate::charts::{SongsAnswer, UsersAnswer};
    use crate::http::{CompleteAnswer, EngineError, SongsQuery, StatusAnswer, UsersQuery};

    /// An engine of which only its health is asked.
    struct Health(AtomicBool);

    #[async_trait]
    impl Engine for Health {
        async fn songs(&self, _: SongsQuery) -> Result<SongsAnswer, EngineError> {
            Err(EngineError::Unavailable("not asked".into()))
        }
        async fn users(&self, _: UsersQuery) -> Result<UsersAnswer, EngineError> {
            Err(EngineError::Unavailable("not asked".into()))
        }
        fn status(&self) -> StatusAnswer {
            unreachable!("only its health is asked")
        }
        fn complete(&self) -> CompleteAnswer {
            CompleteAnswer { tables: vec![] }
        }
        fn ready(&self) -> Result<(), String> {
            Ok(())
        }
        fn live(&self) -> Result<(), String> {
            if self.0.load(Ordering::Relaxed) { Ok(()) } else { Err("it hangs".into()) }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_watchdog_hears_nothing_of_an_engine_without_progress() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_nonblocking(true).unwrap();
        let hear = || {
            let mut buffer = [0; 256];
            let length = socket.recv(&mut buffer).ok()?;
            Some(String::from_utf8_lossy(&buffer[..length]).into_owned())
        };
        let notifier = Arc::new(Notifier::connect(path.to_str().unwrap(), Some("2000000")).unwrap());
        let health = Arc::new(Health(AtomicBool::new(true)));
        let telling = tokio::spawn(Arc::clone(&notifier).keep_telling(health.clone()));
        tokio::task::yield_now().await;
        assert_eq!(hear().unwrap(), "READY=1");
        assert_eq!(hear().unwrap(), "WATCHDOG=1\nSTATUS=running");
        assert_eq!(hear(), None);
        tokio::time::sleep(Duration::from_millis(1001)).await;
        assert_eq!(hear().unwrap(), "WATCHDOG=1\nSTATUS=running");
        health.0.store(false, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(1001)).await;
        assert_eq!(hear().unwrap(), "STATUS=no progress: it hangs");
        telling.abort();
    }
}
