use deadpool_redis::redis::{
    ConnectionInfo, IntoConnectionInfo, RedisError, TlsMode, sentinel::SentinelNodeConnectionInfo,
};
use std::fmt;
use thiserror::Error;

/// The port that Sentinels listen on when nobody says otherwise.
const SENTINEL_PORT: u16 = 26_379;

/// Where Redis is:
///
/// - `redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE]`: a single node.
/// - `redis://[USER:PASSWORD@]HOST[:PORT],HOST[:PORT],..`: a Cluster, by some of its nodes. One address of a managed
///   Cluster that stands for all nodes is named twice.
/// - `redis+sentinel://[USER:PASSWORD@]HOST[:PORT],../SERVICE[/DATABASE]`: what the Sentinels of these addresses (port
///   26379 by default) call the primary of SERVICE. User and password are the nodes'; the Sentinels ask for none.
///
/// `rediss` in place of `redis` means TLS, to all of them, by the system's root certificates.
#[derive(Clone)]
pub struct RedisUrl(pub(crate) Topology);

#[derive(Clone)]
pub(crate) enum Topology {
    Node(ConnectionInfo),
    Sentinel {
        sentinels: Vec<ConnectionInfo>,
        service: String,
        /// How to connect to the node that the Sentinels name.
        node: SentinelNode,
    },
    Cluster(Vec<ConnectionInfo>),
}

#[derive(Clone)]
pub(crate) struct SentinelNode {
    pub(crate) tls: bool,
    /// With an address that means nothing.
    pub(crate) settings: ConnectionInfo,
}

/// Why a text is no [`RedisUrl`]. It never repeats the text, which may hold a password.
#[derive(Debug, Error)]
pub enum RedisUrlRefused {
    #[error("a Redis URL begins with redis://, rediss://, redis+sentinel:// or rediss+sentinel://")]
    Scheme,
    #[error("a Redis URL has a host between any two commas")]
    Hosts,
    #[error("a Redis URL with Sentinels ends with /SERVICE or /SERVICE/DATABASE")]
    Service,
    #[error("a Redis Cluster has no databases to choose from")]
    Database,
    #[error("the Redis URL cannot be read")]
    Malformed(#[source] RedisError),
}

impl RedisUrl {
    /// Parses what an operator wrote.
    ///
    /// # Errors
    /// The first rule that `text` breaks.
    pub fn parse(text: &str) -> Result<Self, RedisUrlRefused> {
        let (scheme, rest) = text.split_once("://").ok_or(RedisUrlRefused::Scheme)?;
        let parts = Parts::of(rest)?;
        let topology = match scheme {
            "redis" | "rediss" if parts.hosts.len() == 1 => Topology::Node(parts.only(scheme)?),
            "redis" | "rediss" => Topology::Cluster(parts.cluster(scheme)?),
            "redis+sentinel" => parts.sentinel(false)?,
            "rediss+sentinel" => parts.sentinel(true)?,
            _ => return Err(RedisUrlRefused::Scheme),
        };
        Ok(Self(topology))
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Topology::Node(_) => "RedisUrl(a node)",
            Topology::Sentinel { .. } => "RedisUrl(Sentinels)",
            Topology::Cluster(_) => "RedisUrl(a Cluster)",
        })
    }
}

/// What comes after the scheme.
struct Parts<'a> {
    /// `USER:PASSWORD@`, or nothing.
    credentials: &'a str,
    hosts: Vec<&'a str>,
    /// From the first slash or question mark on.
    tail: &'a str,
}

impl<'a> Parts<'a> {
    fn of(rest: &'a str) -> Result<Self, RedisUrlRefused> {
        let (authority, tail) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let (credentials, hosts) = authority.split_at(authority.rfind('@').map_or(0, |at| at + 1));
        let hosts: Vec<_> = hosts.split(',').collect();
        if hosts.iter().any(|host| host.is_empty()) {
            return Err(RedisUrlRefused::Hosts);
        }
        Ok(Self {
            credentials,
            hosts,
            tail,
        })
    }

    fn only(&self, scheme: &str) -> Result<ConnectionInfo, RedisUrlRefused> {
        let (credentials, tail) = (self.credentials, self.tail);
        connection(&format!("{scheme}://{credentials}{}{tail}", self.hosts.concat()))
    }

    fn cluster(&self, scheme: &str) -> Result<Vec<ConnectionInfo>, RedisUrlRefused> {
        if !matches!(self.tail, "" | "/" | "/0") {
            return Err(RedisUrlRefused::Database);
        }
        let credentials = self.credentials;
        let hosts = self.hosts.iter();
        hosts
            .map(|host| connection(&format!("{scheme}://{credentials}{host}")))
            .collect()
    }

    fn sentinel(&self, tls: bool) -> Result<Topology, RedisUrlRefused> {
        let path = self.tail.strip_prefix('/').ok_or(RedisUrlRefused::Service)?;
        let (service, database) = path.split_once('/').unwrap_or((path, "0"));
        if service.is_empty() || database.parse::<u32>().is_err() {
            return Err(RedisUrlRefused::Service);
        }
        let scheme = if tls { "rediss" } else { "redis" };
        let sentinels = self.hosts.iter().map(|host| {
            let port = if has_port(host) {
                String::new()
            } else {
                format!(":{SENTINEL_PORT}")
            };
            connection(&format!("{scheme}://{host}{port}"))
        });
        Ok(Topology::Sentinel {
            sentinels: sentinels.collect::<Result<_, _>>()?,
            service: service.to_owned(),
            node: SentinelNode {
                tls,
                settings: connection(&format!("redis://{}localhost/{database}", self.credentials))?,
            },
        })
    }
}

impl From<&SentinelNode> for SentinelNodeConnectionInfo {
    fn from(node: &SentinelNode) -> Self {
        let info = Self::default().set_redis_connection_info(node.settings.redis_settings().clone());
        if node.tls {
            info.set_tls_mode(TlsMode::Secure)
        } else {
            info
        }
    }
}

impl From<&SentinelNode> for deadpool_redis::sentinel::SentinelNodeConnectionInfo {
    fn from(node: &SentinelNode) -> Self {
        let settings = node.settings.redis_settings();
        Self {
            tls_mode: node.tls.then_some(deadpool_redis::sentinel::TlsMode::Secure),
            redis_connection_info: Some(deadpool_redis::RedisConnectionInfo {
                db: settings.db(),
                username: settings.username().map(str::to_owned),
                password: settings.password().map(str::to_owned),
                ..Default::default()
            }),
        }
    }
}

/// An IPv6 address stands in brackets, and colons in them are no port's.
fn has_port(host: &str) -> bool {
    host.rsplit(']').next().is_some_and(|end| end.contains(':'))
}

fn connection(url: &str) -> Result<ConnectionInfo, RedisUrlRefused> {
    url.into_connection_info().map_err(RedisUrlRefused::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(nodes: &[ConnectionInfo]) -> Vec<String> {
        nodes.iter().map(|node| node.addr().to_string()).collect()
    }

    fn topology(text: &str) -> Topology {
        RedisUrl::parse(text).expect("a Redis URL").0
    }

    #[test]
    fn one_host_is_a_node() {
        let Topology::Node(node) = topology("rediss://ann:p%40ss@cache:7000/3") else {
            panic!("no node");
        };
        assert_eq!(node.addr().to_string(), "cache:7000");
        let settings = node.redis_settings();
        assert_eq!(
            (settings.username(), settings.password(), settings.db()),
            (Some("ann"), Some("p@ss"), 3)
        );
    }

    #[test]
    fn several_hosts_are_a_cluster_with_one_password() {
        let Topology::Cluster(nodes) = topology("redis://:secret@a:7000,b,[::1]:7002") else {
            panic!("no cluster");
        };
        assert_eq!(addresses(&nodes), ["a:7000", "b:6379", "::1:7002"]);
        assert!(
            nodes
                .iter()
                .all(|node| node.redis_settings().password() == Some("secret"))
        );
    }

    #[test]
    fn sentinels_have_a_port_of_their_own_and_the_password_is_the_nodes() {
        let text = "redis+sentinel://:secret@a,[::1],c:7/primary/2";
        let Topology::Sentinel {
            sentinels,
            service,
            node,
        } = topology(text)
        else {
            panic!("no sentinels");
        };
        assert_eq!(addresses(&sentinels), ["a:26379", "::1:26379", "c:7"]);
        assert!(
            sentinels
                .iter()
                .all(|it| it.redis_settings().password().is_none())
        );
        assert_eq!(service, "primary");
        assert!(!node.tls);
        assert_eq!(node.settings.redis_settings().db(), 2);
        assert_eq!(node.settings.redis_settings().password(), Some("secret"));
    }

    #[test]
    fn other_texts_are_refused_and_never_repeated() {
        for text in [
            "",
            "cache:6379",
            "http://secret@cache",
            "redis://",
            "redis://secret@a,,b",
            "redis://secret@a,b/3",
            "redis://a:secret",
            "redis+sentinel://secret@a",
            "redis+sentinel://secret@a/",
            "redis+sentinel://a/primary/secret",
        ] {
            let refused = RedisUrl::parse(text).expect_err(text);
            let cause = std::error::Error::source(&refused).map(ToString::to_string);
            let said = format!("{refused} {refused:?} {}", cause.unwrap_or_default());
            assert!(!said.contains("secret"), "{said}");
        }
    }

    #[test]
    fn a_url_is_never_shown() {
        for text in [
            "redis://:secret@a",
            "redis://:secret@a,b",
            "redis+sentinel://:secret@a/s",
        ] {
            let shown = format!("{:?}", RedisUrl::parse(text).expect("a Redis URL"));
            assert!(!shown.contains("secret"), "{shown}");
        }
    }
}
