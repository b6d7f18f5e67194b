//! Three replicas on one Postgres, with or without a Redis, each with its own proxy to what carries
//! the invalidations.

use crate::{
    backing::Database,
    client::Client,
    clock_step::stepping,
    postgres::address_in,
    scene::setting,
    server::{Place, Server},
};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    fs,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tempfile::TempDir;
use testservers::{CuttingProxy, FreshDatabase, Own, Postgres, ProxyMode, Redis};
use tokio::{sync::Semaphore, task::block_in_place};

pub const REPLICAS: usize = 3;
/// The replica whose clock is stepped.
pub const STEPPED: usize = REPLICAS - 1;
/// The maximum number of concurrent probes of one replica: they pile up while it is suspended.
const PROBES: usize = 96;
/// The maximum duration of a revocation under any fault that spares the database. An idle machine
/// needs half of it.
const SLOWEST: Duration = Duration::from_secs(5);
/// The maximum duration of a revocation whose database fails after the change was committed: it
/// waits for the database, and then for leases.
const SLOWEST_WITHOUT_DATABASE: Duration = Duration::from_secs(10);

/// What carries the invalidations.
enum Bus {
    Redis(Own<Redis>),
    /// The database, on a server that no other test uses.
    Postgres(Own<Postgres>),
    /// Nothing: sessions are not cached.
    None,
}

pub struct World {
    // Declared before the database because they use it.
    replicas: Vec<Replica>,
    pub proxies: Vec<CuttingProxy>,
    bus: Bus,
    /// The file from which the clock of one replica reads its offset, where it is stepped.
    pub step_file: PathBuf,
    steps: bool,
    shared: TempDir,
    database: FreshDatabase,
}

pub struct Replica {
    server: Mutex<Server>,
    client: Mutex<Client>,
    /// Whether the replica runs: it is neither suspended nor killed.
    awake: AtomicBool,
    /// The number of times that it was suspended, resumed, killed or restarted.
    disturbed: AtomicUsize,
    pub probes: Semaphore,
}

impl World {
    pub async fn start() -> Arc<Self> {
        Self::start_on(Bus::Redis(Redis::start_own()), false).await
    }

    /// Starts replicas on Postgres without Redis.
    pub async fn start_on_postgres_alone() -> Arc<Self> {
        Self::start_on(Bus::Postgres(Postgres::start_own()), false).await
    }

    /// Starts replicas that read every session from the database.
    pub async fn start_without_a_bus() -> Arc<Self> {
        Self::start_on(Bus::None, false).await
    }

    /// Starts replicas of which the last reads its clock offset from [`World::step_file`].
    pub async fn start_with_a_clock_to_step() -> Arc<Self> {
        Self::start_on(Bus::Redis(Redis::start_own()), true).await
    }

    async fn start_on(bus: Bus, steps: bool) -> Arc<Self> {
        let database = match &bus {
            Bus::Postgres(postgres) => postgres.fresh_database(),
            Bus::Redis(_) | Bus::None => testservers::postgres().fresh_database(),
        };
        let shared = tempfile::tempdir().expect("the folder can be created");
        let mut world = Self {
            replicas: Vec::new(),
            proxies: Vec::new(),
            bus,
            step_file: shared.path().join("step"),
            steps,
            shared,
            database,
        };
        fs::write(&world.step_file, "+0").expect("the file can be written");
        for number in 0..REPLICAS {
            let place = world.place(number).await;
            // One after the other: the first creates the schema, the keys and the admin.
            let server = block_in_place(|| place.start());
            world.replicas.push(Replica {
                client: Mutex::new(server.client()),
                server: Mutex::new(server),
                awake: AtomicBool::new(true),
                disturbed: AtomicUsize::new(0),
                probes: Semaphore::new(PROBES),
            });
        }
        Arc::new(world)
    }

    async fn place(&mut self, number: usize) -> Place {
        let folder = tempfile::tempdir().expect("the folder can be created");
        // All places share one database, so no place may own it.
        let unused = Database::Sqlite(folder.path().join("unused"));
        let mut place = setting(Place::on(folder, unused, 1))
            .with("DATABASE__URL", self.database.url())
            .with(
                "KEYS__DIR",
                &self.shared.path().join("keys").display().to_string(),
            )
            .with("TOKENS__ACCESS_TTL", "1d")
            .with("TOKENS__STEP_UP_MAX_AGE", "1d")
            .with("TOKENS__MAX_SESSIONS_PER_USER", "10000");
        match &self.bus {
            Bus::Redis(redis) => {
                let address = redis.address().parse().expect("the text is an address");
                let proxy = CuttingProxy::forward_to(address).await;
                place = place.with("REDIS__URL", &format!("redis://{}", proxy.address()));
                self.proxies.push(proxy);
            }
            Bus::Postgres(_) => {
                let address = address_in(self.database.url());
                let proxy = CuttingProxy::forward_to(address.parse().expect("the text is an address")).await;
                let url = self.database.url().replace(address, &proxy.address().to_string());
                place = place.with("DATABASE__LISTEN_URL", &url);
                self.proxies.push(proxy);
            }
            Bus::None => place = place.with("SESSION_CACHE__MEMORY", "false"),
        }
        if self.steps && number == STEPPED {
            place.wrapper = stepping(&self.step_file);
        }
        place
    }

    /// Returns the Redis that carries the invalidations.
    pub fn redis(&self) -> &Own<Redis> {
        match &self.bus {
            Bus::Redis(redis) => redis,
            Bus::Postgres(_) | Bus::None => panic!("this world has no Redis"),
        }
    }

    /// Returns the Postgres that carries the invalidations.
    pub fn postgres(&self) -> &Own<Postgres> {
        match &self.bus {
            Bus::Postgres(postgres) => postgres,
            Bus::Redis(_) | Bus::None => panic!("this world has no Postgres of its own"),
        }
    }

    pub fn database_url(&self) -> &str {
        self.database.url()
    }

    /// Returns the maximum duration of a revocation under any fault of this world.
    pub fn slowest_revocation(&self) -> Duration {
        match &self.bus {
            Bus::Redis(_) | Bus::None => SLOWEST,
            Bus::Postgres(_) => SLOWEST_WITHOUT_DATABASE,
        }
    }

    pub fn replica(&self, number: usize) -> &Replica {
        &self.replicas[number]
    }

    /// Returns the first awake replica from `number` on.
    pub fn awake(&self, number: usize) -> (usize, &Replica) {
        self.one_of(number, |_, replica| replica.is_awake())
    }

    /// Returns the first awake replica from `number` on whose clock is right, since the replica
    /// that issues a token sets its times.
    pub fn on_time(&self, number: usize) -> (usize, &Replica) {
        self.one_of(number, |index, replica| {
            replica.is_awake() && !(self.steps && index == STEPPED)
        })
    }

    fn one_of(&self, number: usize, good: impl Fn(usize, &Replica) -> bool) -> (usize, &Replica) {
        let all = self.replicas.iter().enumerate();
        let some: Vec<_> = all.filter(|(index, replica)| good(*index, replica)).collect();
        some[number % some.len()]
    }

    /// Ends every fault.
    pub fn mend(&self) {
        for proxy in &self.proxies {
            proxy.set(ProxyMode::Pass);
        }
        match &self.bus {
            Bus::Redis(redis) => redis.resume(),
            Bus::Postgres(postgres) => postgres.resume(),
            Bus::None => {}
        }
        for replica in self.replicas.iter().filter(|it| !it.is_awake()) {
            replica.wake();
        }
    }
}

impl Replica {
    pub fn client(&self) -> Client {
        self.client.lock().expect("the lock is not poisoned").clone()
    }

    pub fn is_awake(&self) -> bool {
        self.awake.load(Ordering::SeqCst)
    }

    /// Returns a number that changes with each disturbance.
    pub fn disturbed(&self) -> usize {
        self.disturbed.load(Ordering::SeqCst)
    }

    /// Suspends the replica (SIGSTOP).
    pub fn hold(&self) {
        self.set_awake(false);
        self.signal(Signal::STOP);
    }

    /// Resumes the replica (SIGCONT) or starts it again.
    pub fn wake(&self) {
        let mut server = self.server();
        if server.replicas() == 0 {
            server.start_missing();
            *self.client.lock().expect("the lock is not poisoned") = server.client();
        } else {
            drop(server);
            self.signal(Signal::CONT);
        }
        self.set_awake(true);
    }

    /// Kills the replica (SIGKILL).
    pub fn kill(&self) {
        self.set_awake(false);
        assert!(self.server().kill(1), "SIGKILL ended the replica");
    }

    fn set_awake(&self, awake: bool) {
        self.disturbed.fetch_add(1, Ordering::SeqCst);
        self.awake.store(awake, Ordering::SeqCst);
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.server().pid()).expect("the process id fits");
        kill_process(Pid::from_raw(pid).expect("a process id is not 0"), signal)
            .expect("the process is running");
    }

    fn server(&self) -> MutexGuard<'_, Server> {
        self.server.lock().expect("the lock is not poisoned")
    }
}
