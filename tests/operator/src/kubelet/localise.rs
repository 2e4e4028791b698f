//! What replaces a container: paths and listening addresses in environment and arguments become local ones.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

/// Where a container's paths and addresses are on this machine.
#[derive(Debug)]
pub(super) struct Localiser {
    /// Mount path and local directory, the longest mount path first.
    mounts: Vec<(String, PathBuf)>,
    pod_ip: IpAddr,
    address: IpAddr,
}

impl Localiser {
    pub(super) fn new(mut mounts: Vec<(String, PathBuf)>, pod_ip: IpAddr, address: IpAddr) -> Self {
        for (path, _) in &mut mounts {
            path.truncate(path.trim_end_matches('/').len());
        }
        mounts.sort_by_key(|(path, _)| std::cmp::Reverse(path.len()));
        Self {
            mounts,
            pod_ip,
            address,
        }
    }

    /// A value with each mount path in it, as a whole or with a path behind it, replaced. A socket address to listen
    /// on, alone or behind the first `=`, becomes one of the pod's own address.
    pub(super) fn value(&self, value: &str) -> String {
        let start = value.find('=').map_or(0, |equals| equals + 1);
        for (before, text) in [("", value), value.split_at(start)] {
            if let Some(address) = self.listening_address(text) {
                return format!("{before}{address}");
            }
        }
        self.paths(value)
    }

    fn listening_address(&self, text: &str) -> Option<SocketAddr> {
        let listening: SocketAddr = text.parse().ok()?;
        let all = listening.ip().is_unspecified() || listening.ip() == self.pod_ip;
        all.then(|| SocketAddr::new(self.address, listening.port()))
    }

    /// In one pass, so that a local directory that looks like a mount path stays.
    fn paths(&self, value: &str) -> String {
        let mut replaced = String::with_capacity(value.len());
        let mut rest = value;
        while let Some(character) = rest.chars().next() {
            let begins = character == '/' && !replaced.ends_with(is_of_a_name);
            let mount = self.mounts.iter().find_map(|(path, directory)| {
                let after = rest.strip_prefix(path.as_str())?;
                (begins && !path.is_empty() && !after.starts_with(is_of_a_name)).then_some((directory, after))
            });
            match mount {
                Some((directory, after)) => {
                    replaced.push_str(&directory.display().to_string());
                    rest = after;
                }
                None => {
                    replaced.push(character);
                    rest = &rest[character.len_utf8()..];
                }
            }
        }
        replaced
    }
}

fn is_of_a_name(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '.' | '_' | '-')
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn mount_paths_and_listening_addresses_become_local() {
        let mounts = [
            ("/mnt/data", "/local/data"),
            ("/mnt", "/local/mnt"),
            ("/etc/x/", "/local/mnt/x"),
        ];
        let mounts = mounts.map(|(path, local)| (path.to_owned(), PathBuf::from(local)));
        let pod_ip = Ipv4Addr::new(10, 244, 0, 1).into();
        let localiser = Localiser::new(mounts.to_vec(), pod_ip, Ipv4Addr::new(127, 1, 2, 3).into());
        for (value, expected) in [
            ("/mnt/data", "/local/data"),
            ("/mnt/data/index", "/local/data/index"),
            ("/mnt/database", "/local/mnt/database"),
            ("/mntx", "/mntx"),
            ("/home/mnt", "/home/mnt"),
            ("/etc/x:/mnt/data:/usr", "/local/mnt/x:/local/data:/usr"),
            ("file:///mnt/data?x", "file:///local/data?x"),
            ("--data=/mnt/data", "--data=/local/data"),
            ("0.0.0.0:5000", "127.1.2.3:5000"),
            ("[::]:5000", "127.1.2.3:5000"),
            ("10.244.0.1:5000", "127.1.2.3:5000"),
            ("--listen=0.0.0.0:80", "--listen=127.1.2.3:80"),
            ("0.0.0.0", "0.0.0.0"),
            ("10.0.0.9:80", "10.0.0.9:80"),
        ] {
            assert_eq!(localiser.value(value), expected);
        }
    }
}
