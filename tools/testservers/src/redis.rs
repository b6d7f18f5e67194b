use crate::{
    failure::{Failure, must},
    instance::{Folder, Instance, Own, Server, StartedBy},
    port,
    postgres::random,
    programs,
};
use std::{
    env,
    io::{Read, Write},
    net::{Ipv4Addr, TcpStream, ToSocketAddrs},
    path::{Path, PathBuf},
    sync::OnceLock,
    time::Duration,
};

/// The variable with the URL of a Redis to use instead of a temporary one.
const URL_VARIABLE: &str = "AUTHAPI_TEST_REDIS_URL";
/// Maximum number of start attempts when another process takes the chosen port.
const ATTEMPTS: usize = 5;
/// Maximum time to wait for the response to one command.
const ANSWER_DEADLINE: Duration = Duration::from_secs(2);

/// A running Redis server.
#[derive(Debug)]
pub struct Redis {
    url: String,
}

/// Returns the Redis that all tests of this process share: the one that `AUTHAPI_TEST_REDIS_URL`
/// names, or one that the first call starts.
///
/// Tests avoid conflicts by using [`Redis::fresh_prefix`].
///
/// # Panics
/// If it is not available.
#[track_caller]
pub fn redis() -> &'static Redis {
    static SHARED: OnceLock<(Redis, Option<Instance>)> = OnceLock::new();
    let (redis, _) = SHARED.get_or_init(|| {
        must(match env::var(URL_VARIABLE) {
            Ok(url) => Ok((Redis { url }, None)),
            Err(_) => start(&[]).map(|(redis, instance)| (redis, Some(instance))),
        })
    });
    redis
}

impl Redis {
    /// Starts a server for one test.
    ///
    /// # Panics
    /// If it cannot be started.
    #[must_use]
    #[track_caller]
    pub fn start_own() -> Own<Self> {
        let (redis, instance) = must(start(&[]));
        Own::new(redis, instance)
    }

    /// Starts a server for one test that also accepts TLS on a second port, and returns that port.
    ///
    /// `certificate` and `key` are PEM files, which all users must be able to read.
    ///
    /// # Panics
    /// If it cannot be started.
    #[must_use]
    #[track_caller]
    pub fn start_own_with_tls(certificate: &Path, key: &Path) -> (Own<Self>, u16) {
        let tls_port = must(port::free());
        let (certificate, key) = (certificate.display().to_string(), key.display().to_string());
        let (redis, instance) = must(start(&[
            ("tls-port", &tls_port.to_string()),
            ("tls-cert-file", &certificate),
            ("tls-key-file", &key),
            ("tls-auth-clients", "no"),
        ]));
        (Own::new(redis, instance), tls_port)
    }

    /// Returns the server that listens on `port` of the loopback interface.
    pub(crate) fn at(port: u16) -> Self {
        Self {
            url: format!("redis://{}:{port}", Ipv4Addr::LOCALHOST),
        }
    }

    /// Returns the server's URL, `redis://...`, without a database.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns a unique prefix for the names of keys and channels. It ends with a colon.
    #[must_use]
    pub fn fresh_prefix(&self) -> String {
        format!("authapi-test:{:016x}:", random())
    }

    /// Executes one command, whose words are separated by spaces, and returns the beginning of the
    /// response.
    ///
    /// # Panics
    /// If the server does not respond.
    #[must_use]
    #[track_caller]
    pub fn execute(&self, command: &str) -> String {
        ask(self.address(), command).expect("Redis responds")
    }

    /// Returns `host:port`.
    #[must_use]
    pub fn address(&self) -> &str {
        let rest = self.url.split_once("://").map_or(&*self.url, |it| it.1);
        let rest = rest.rsplit_once('@').map_or(rest, |it| it.1);
        rest.split(['/', '?']).next().unwrap_or(rest)
    }
}

impl Server for Redis {
    fn answers(&self) -> bool {
        ask(self.address(), "PING").is_some_and(|answer| answer.starts_with("+PONG"))
    }
}

/// Sends one inline command and returns the beginning of the response.
pub(crate) fn ask(address: &str, command: &str) -> Option<String> {
    let address = address.to_socket_addrs().ok()?.next()?;
    let mut stream = TcpStream::connect_timeout(&address, ANSWER_DEADLINE).ok()?;
    stream.set_read_timeout(Some(ANSWER_DEADLINE)).ok()?;
    stream.write_all(format!("{command}\r\n").as_bytes()).ok()?;
    let mut answer = vec![0; 16 * 1024];
    let length = stream.read(&mut answer).ok()?;
    answer.truncate(length);
    String::from_utf8(answer).ok()
}

/// Starts a server without persistence, with additional `settings`.
pub(crate) fn start(settings: &[(&str, &str)]) -> Result<(Redis, Instance), Failure> {
    let program = programs::on_path("redis-server", "redis-server")?;
    let mut started = start_once(program.clone(), settings);
    for _ in 1..ATTEMPTS {
        if !matches!(started, Err(Failure::EndedAtOnce { .. })) {
            break;
        }
        started = start_once(program.clone(), settings);
    }
    started
}

fn start_once(program: PathBuf, settings: &[(&str, &str)]) -> Result<(Redis, Instance), Failure> {
    let folder = Folder::make()?;
    let port = port::free()?;
    let redis = Redis::at(port);
    let (port, path) = (port.to_string(), folder.path.display().to_string());
    let fixed = [
        ("port", &*port),
        ("bind", "127.0.0.1"),
        ("dir", &*path),
        ("save", ""),
        ("appendonly", "no"),
    ];
    let by = StartedBy {
        program,
        arguments: fixed
            .iter()
            .chain(settings)
            .flat_map(|(name, value)| [format!("--{name}"), (*value).to_owned()])
            .collect(),
        ending: "TERM",
    };
    let instance = Instance::start(folder, by, || redis.answers())?;
    Ok((redis, instance))
}
