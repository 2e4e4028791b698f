//! References of images, as the programs that pull and push need them: with registry, and with a tag or a digest.

/// A reference as Docker understands it, in full: `busybox` is `docker.io/library/busybox:latest`. Of a tag and a digest
/// the digest stays, which says more.
pub(super) fn in_full(image: &str) -> String {
    let image = image.trim();
    let (named, digest) = match image.split_once('@') {
        Some((named, digest)) => (named, Some(digest)),
        None => (image, None),
    };
    let (path, tag) = match named.rsplit_once(':') {
        // A colon before a slash is that of the registry's port.
        Some((path, tag)) if !tag.contains('/') => (path, Some(tag)),
        _ => (named, None),
    };
    let repository = match path.split_once('/') {
        Some(("index.docker.io" | "docker.io", rest)) => on_docker_hub(rest),
        Some((host, _)) if is_registry(host) => path.to_owned(),
        _ => on_docker_hub(path),
    };
    match (tag, digest) {
        (_, Some(digest)) => format!("{repository}@{digest}"),
        (tag, None) => format!("{repository}:{}", tag.unwrap_or("latest")),
    }
}

fn on_docker_hub(path: &str) -> String {
    let library = if path.contains('/') { "" } else { "library/" };
    format!("docker.io/{library}{path}")
}

fn is_registry(host: &str) -> bool {
    host.contains(['.', ':']) || host == "localhost" || host.chars().any(|character| character.is_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::in_full;

    #[test]
    fn a_short_reference_is_written_in_full() {
        let digest = format!("sha256:{}", "0".repeat(64));
        for (short, full) in [
            ("busybox", "docker.io/library/busybox:latest".to_owned()),
            ("busybox:1.36", "docker.io/library/busybox:1.36".to_owned()),
            ("team/data", "docker.io/team/data:latest".to_owned()),
            ("docker.io/busybox", "docker.io/library/busybox:latest".to_owned()),
            ("index.docker.io/team/data:1", "docker.io/team/data:1".to_owned()),
            ("reg.example.com/data:1", "reg.example.com/data:1".to_owned()),
            ("localhost/data", "localhost/data:latest".to_owned()),
            ("localhost:5000/data", "localhost:5000/data:latest".to_owned()),
            ("registry:5000/a/b:2", "registry:5000/a/b:2".to_owned()),
            (
                &format!("busybox:1@{digest}"),
                format!("docker.io/library/busybox@{digest}"),
            ),
            (&format!("reg.io/a/b@{digest}"), format!("reg.io/a/b@{digest}")),
        ] {
            assert_eq!(in_full(short), full);
        }
    }
}
