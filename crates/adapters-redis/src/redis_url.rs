use deadpool_redis::redis::{
    ConnectionInfo, IntoConnectionInfo, RedisError, TlsMode, sentinel::SentinelNodeConnectionInfo,
};
use std::fmt;
use thiserror::Error;

/// The default port of Sentinels.
const SENTINEL_PORT: u16 = 26_379;

/// The address of Redis:
///
/// - `redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE]`: a single node.
/// - `redis://[USER:PASSWORD@]HOST[:PORT],HOST[:PORT],..`: a Cluster, given by some of its nodes.
///   Name the single address of a managed Cluster twice.
/// - `redis+sentinel://[USER:PASSWORD@]HOST[:PORT],../SERVICE[/DATABASE]`: the primary of SERVICE
///   according to the Sentinels at these addresses (default port 26379). User and password are sent
///   to the nodes; Sentinels must not require any.
///
/// `rediss` instead of `redis` enables TLS for all connections, verified with the system's root
/// certificates.
#[derive(Clone)]
pub struct RedisUrl(pub(crate) Topology);

#[derive(Clone)]
pub(crate) enum Topology {
    Node(ConnectionInfo),
    Sentinel {
        sentinels: Vec<ConnectionInfo>,
        service: String,
        /// Settings for connecting to the node that the Sentinels name.
        node: SentinelNode,
    },
    Cluster(Vec<ConnectionInfo>),
}

#[derive(Clone)]
pub(crate) struct SentinelNode {
    pub(crate) tls: bool,
    /// The address in these settings is a placeholder.
    pub(crate) settings: ConnectionInfo,
}

/// The error for a text that is not a [`RedisUrl`]. The message never contains the text, which may
/// hold a password.
#[derive(Debug, Error)]
pub enum RedisUrlRefused {
    #[error("a Redis URL must begin with redis://, rediss://, redis+sentinel:// or rediss+sentinel://")]
    Scheme,
    #[error("a Redis URL must have a host between any two commas")]
    Hosts,
    #[error("a Redis URL with Sentinels must end with /SERVICE or /SERVICE/DATABASE")]
    Service,
    #[error("a Redis Cluster has no numbered databases; remove the path from the URL")]
    Database,
    #[error("the Redis URL is malformed")]
    Malformed(#[source] RedisError),
}

impl RedisUrl {
    /// Parses a URL from the settings.
    ///
    /// # Errors
    /// Returns the first rule that `text` violates.
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

/// The parts after the scheme.
struct Parts<'a> {
    /// `USER:PASSWORD@`, or empty.
    credentials: &'a str,
    hosts: Vec<&'a str>,
    /// The rest from the first slash or question mark.
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

/// Returns whether `host` has a port. Colons inside the brackets of an IPv6 address do not count.
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
        RedisUrl::parse(text).expect("the URL is valid").0
    }

    #[test]
    fn one_host_is_a_node() {
        let Topology::Node(node) = topology("rediss://ann:p%40ss@cache:7000/3") else {
            panic!("expected a node");
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
            panic!("expected a Cluster");
        };
        assert_eq!(addresses(&nodes), ["a:7000", "b:6379", "::1:7002"]);
        assert!(
            nodes
                .iter()
                .all(|node| node.redis_settings().password() == Some("secret"))
        );
    }

    #[test]
    fn sentinels_have_their_own_port_and_the_password_is_for_the_nodes() {
        let text = "redis+sentinel://:secret@a,[::1],c:7/primary/2";
        let Topology::Sentinel {
            sentinels,
            service,
            node,
        } = topology(text)
        else {
            panic!("expected Sentinels");
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
    fn invalid_urls_are_rejected_and_not_echoed() {
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
    fn debug_output_contains_no_url() {
        for text in [
            "redis://:secret@a",
            "redis://:secret@a,b",
            "redis+sentinel://:secret@a/s",
        ] {
            let shown = format!("{:?}", RedisUrl::parse(text).expect("the URL is valid"));
            assert!(!shown.contains("secret"), "{shown}");
        }
    }
}
