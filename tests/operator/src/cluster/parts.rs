//! How each part of the control plane is called.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::process::Part;
use super::requests::AUDIT_LOG;

/// Name of the annotation of nodes that kwok plays the kubelet for, and its value.
pub(super) const KWOK_NODES: &str = "kwok.x-k8s.io/node=fake";

/// Calls programs of one directory, to keep their files in another.
pub(super) struct Parts {
    pub(super) programs: PathBuf,
    pub(super) directory: PathBuf,
}

impl Parts {
    pub(super) fn etcd(&self, clients: SocketAddr, peers: SocketAddr) -> Part {
        self.part("etcd")
            .arg("--data-dir", self.path("etcd"))
            .arg("--listen-client-urls", format!("http://{clients}"))
            .arg("--advertise-client-urls", format!("http://{clients}"))
            .arg("--listen-peer-urls", format!("http://{peers}"))
            .arg("--initial-advertise-peer-urls", format!("http://{peers}"))
            .arg("--initial-cluster", format!("default=http://{peers}"))
            .arg("--log-level", "warn")
            // It outlives every fault that tests make, and a test's data need not survive a power cut.
            .arg("--unsafe-no-fsync", true)
    }

    pub(super) fn api_server(&self, address: SocketAddr, etcd: SocketAddr) -> Part {
        self.part("kube-apiserver")
            .arg("--etcd-servers", format!("http://{etcd}"))
            .arg("--bind-address", address.ip())
            .arg("--secure-port", address.port())
            // Must not be loopback; it is of a network reserved for documentation, and nobody uses it.
            .arg("--advertise-address", "192.0.2.1")
            .arg("--endpoint-reconciler-type", "none")
            .arg("--service-cluster-ip-range", "10.96.0.0/16")
            .arg("--tls-cert-file", self.path("api-server.crt"))
            .arg("--tls-private-key-file", self.path("api-server.key"))
            .arg("--client-ca-file", self.path("authority.crt"))
            .arg("--authorization-mode", "RBAC")
            // Strict as OpenShift: who sets blockOwnerDeletion must be allowed to update the owner's finalizers.
            .arg("--enable-admission-plugins", "OwnerReferencesPermissionEnforcement")
            .arg("--service-account-issuer", "https://kubernetes.default.svc")
            .arg("--service-account-key-file", self.path("service-account.pub"))
            .arg("--service-account-signing-key-file", self.path("service-account.key"))
            .arg("--audit-policy-file", self.path("audit-policy.yaml"))
            .arg("--audit-log-path", self.path(AUDIT_LOG))
            // In MB: never begins a second file.
            .arg("--audit-log-maxsize", 100_000)
    }

    pub(super) fn controller_manager(&self, kubeconfig: &Path) -> Part {
        self.part("kube-controller-manager")
            .arg("--kubeconfig", kubeconfig.display())
            .arg("--leader-elect", false)
            .arg("--secure-port", 0)
            .arg("--root-ca-file", self.path("authority.crt"))
            .arg("--service-account-private-key-file", self.path("service-account.key"))
            // A node that a test makes by hand has nobody to renew its lease.
            .arg("--node-monitor-grace-period", "24h")
            .arg("--kube-api-qps", 500)
            .arg("--kube-api-burst", 1000)
    }

    pub(super) fn scheduler(&self, kubeconfig: &Path) -> Part {
        self.part("kube-scheduler")
            .arg("--kubeconfig", kubeconfig.display())
            .arg("--leader-elect", false)
            .arg("--secure-port", 0)
    }

    pub(super) fn kwok(&self, kubeconfig: &Path) -> Part {
        self.part("kwok")
            .arg("--kubeconfig", kubeconfig.display())
            .arg("--config", self.path("kwok.yaml"))
            .arg("--manage-nodes-with-annotation-selector", KWOK_NODES)
    }

    fn part(&self, name: &'static str) -> Part {
        Part::new(name, &self.programs.join(name), &self.directory)
    }

    fn path(&self, name: &str) -> String {
        self.directory.join(name).display().to_string()
    }
}
