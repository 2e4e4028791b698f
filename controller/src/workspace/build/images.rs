//! Containers that bring data into a pod, and results out of it.
//!
//! What they run is in `images/*.sh`. What a user wrote reaches a script as an argument or in a variable, never as a
//! part of it, so that nothing in it can be a command.

mod reference;

use k8s_openapi::api::core::v1::{
    Container, EnvVar, KeyToPath, ProjectedVolumeSource, SecretProjection, SecretVolumeSource, Volume, VolumeMount,
    VolumeProjection,
};
use serde_json::json;

use super::metadata::part_of_name;
use crate::workspace::workload::ImageSource;

const PULLER_IMAGE: &str = "mcr.microsoft.com/aks/skopeo:1.14.4-6";
const DOWNLOADER_IMAGE: &str = "curlimages/curl";
const WEIGHTS_IMAGE: &str = "mcr.microsoft.com/oss/v2/oras-project/oras:v1.2.3";
const PUSHER_IMAGE: &str = "ghcr.io/oras-project/oras:v1.2.2";
/// KAITO takes `latest`. This one is sure to end well when it is told to end, for every architecture.
const PAUSE_IMAGE: &str = "registry.k8s.io/pause:3.10";

const PULLER: &str = include_str!("images/puller.sh");
const DOWNLOADER: &str = include_str!("images/downloader.sh");
const PUSHER: &str = include_str!("images/pusher.sh");

/// Longest name of a container or a volume.
const LONGEST_NAME: usize = 63;
/// Key of a Secret with registry credentials.
const DOCKER_CONFIG: &str = ".dockerconfigjson";

/// What is pulled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// An adapter that is served.
    InferenceAdapter,
    /// The data of a tuning.
    TuningInput,
}

impl Purpose {
    fn as_str(self) -> &'static str {
        match self {
            Self::InferenceAdapter => "inference-adapter",
            Self::TuningInput => "tuning-input",
        }
    }
}

/// An image whose directory `/data` is unpacked into a volume.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pull<'a> {
    /// The user's name for it.
    pub name: &'a str,
    /// What for.
    pub purpose: Purpose,
    /// The image.
    pub source: &'a ImageSource,
    /// Name of the volume, which is the caller's to add.
    pub volume: &'a str,
    /// Where the volume is mounted.
    pub mount_root: &'a str,
    /// The directory of the volume that gets the files, as an absolute path.
    pub target: &'a str,
}

/// What pulling an image takes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Pulled {
    /// The init container.
    pub container: Container,
    /// The volume with its registry credentials, if it has any.
    pub credentials: Option<Volume>,
}

/// What pulls an image. Each of its Secrets is tried, after no Secret at all.
pub(super) fn puller(pull: &Pull) -> Pulled {
    let purpose = pull.purpose.as_str();
    let directory = format!(
        "/root/.docker/config.d/{}-{purpose}",
        part_of_name(pull.name, LONGEST_NAME)
    );
    let credentials = (!pull.source.pull_secrets.is_empty()).then(|| Volume {
        name: label("docker-config-", pull.name, &format!("-{purpose}")),
        projected: Some(ProjectedVolumeSource {
            sources: Some(
                pull.source
                    .pull_secrets
                    .iter()
                    .map(|secret| projection(secret))
                    .collect(),
            ),
            ..ProjectedVolumeSource::default()
        }),
        ..Volume::default()
    });
    let mut mounts = vec![mount(pull.volume, pull.mount_root)];
    mounts.extend(credentials.iter().map(|volume| VolumeMount {
        read_only: Some(true),
        ..mount(&volume.name, &directory)
    }));
    let image = reference::in_full(&pull.source.image);
    let with_credentials = credentials.as_ref().map(|_| directory.as_str());
    let container = Container {
        name: match pull.purpose {
            Purpose::InferenceAdapter => label("puller-", pull.name, ""),
            Purpose::TuningInput => "puller".to_owned(),
        },
        volume_mounts: Some(mounts),
        ..script(
            PULLER_IMAGE,
            PULLER,
            &["puller", &image, pull.target, with_credentials.unwrap_or_default()],
        )
    };
    Pulled { container, credentials }
}

/// What downloads files into a volume.
pub(super) fn downloader(urls: &[String], volume: &str, directory: &str) -> Container {
    Container {
        name: "data-downloader".to_owned(),
        env: Some(vec![
            variable("DATA_URLS", &urls.join(" ")),
            variable("DATA_VOLUME_PATH", directory),
        ]),
        volume_mounts: Some(vec![mount(volume, directory)]),
        ..script(DOWNLOADER_IMAGE, DOWNLOADER, &["downloader"])
    }
}

/// What takes a model's weights out of their image, which is an artifact of files and has no file system.
pub(super) fn weights_downloader(image: &str, volume: &str, directory: &str) -> Container {
    Container {
        name: "model-weights-downloader".to_owned(),
        image: Some(WEIGHTS_IMAGE.to_owned()),
        command: Some(["oras", "pull", image, "-o", directory].map(str::to_owned).to_vec()),
        volume_mounts: Some(vec![mount(volume, directory)]),
        termination_message_policy: Some("FallbackToLogsOnError".to_owned()),
        ..Container::default()
    }
}

/// An adapter that is pushed as an image when it is made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Push<'a> {
    /// The image.
    pub image: &'a str,
    /// Secret to push it with.
    pub secret: &'a str,
    /// Name of the model that the adapter is for, which the image says in an annotation.
    pub model: &'a str,
    /// Name of the volume with the results, which is the caller's to add.
    pub volume: &'a str,
    /// Where the volume is mounted, and the results are.
    pub directory: &'a str,
}

/// What pushing an image takes. Its containers have to share the process ids of the one that tunes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Pushed {
    /// The containers beside the one that tunes.
    pub containers: Vec<Container>,
    /// The volume with the registry credentials.
    pub credentials: Volume,
}

/// What pushes an adapter.
pub(super) fn pusher(push: &Push) -> Pushed {
    let credentials = Volume {
        name: "docker-config".to_owned(),
        secret: Some(SecretVolumeSource {
            secret_name: Some(push.secret.to_owned()),
            items: Some(vec![item("config.json")]),
            ..SecretVolumeSource::default()
        }),
        ..Volume::default()
    };
    let annotations = json!({"$manifest": {"sh.kaito.model.name": push.model}}).to_string();
    let image = reference::in_full(push.image);
    let pusher = Container {
        name: "pusher".to_owned(),
        volume_mounts: Some(vec![
            VolumeMount {
                read_only: Some(true),
                ..mount(push.volume, push.directory)
            },
            VolumeMount {
                read_only: Some(true),
                ..mount(&credentials.name, "/root/.docker")
            },
        ]),
        ..script(
            PUSHER_IMAGE,
            PUSHER,
            &["pusher", push.directory, &image, &annotations, "/proc"],
        )
    };
    let pause = Container {
        name: "pause".to_owned(),
        image: Some(PAUSE_IMAGE.to_owned()),
        ..Container::default()
    };
    Pushed {
        containers: vec![pusher, pause],
        credentials,
    }
}

/// The name of a container or a volume that has a user's name in it, which may be longer, and have dots.
fn label(prefix: &str, name: &str, suffix: &str) -> String {
    let room = LONGEST_NAME.saturating_sub(prefix.len() + suffix.len());
    format!("{prefix}{}{suffix}", part_of_name(name, room))
}

fn script(image: &str, text: &str, arguments: &[&str]) -> Container {
    let arguments = arguments.iter().map(|argument| escaped(argument));
    Container {
        image: Some(image.to_owned()),
        command: Some(["/bin/sh", "-c"].map(str::to_owned).to_vec()),
        args: Some(std::iter::once(text.to_owned()).chain(arguments).collect()),
        // What it says last, such as "cannot pull", is then what the pod's status says.
        termination_message_policy: Some("FallbackToLogsOnError".to_owned()),
        ..Container::default()
    }
}

fn variable(name: &str, value: &str) -> EnvVar {
    EnvVar {
        name: name.to_owned(),
        value: Some(escaped(value)),
        ..EnvVar::default()
    }
}

/// The kubelet replaces `$(NAME)` and `$$` in arguments and variables; this is what it makes `text` of.
fn escaped(text: &str) -> String {
    text.replace('$', "$$")
}

fn mount(volume: &str, path: &str) -> VolumeMount {
    VolumeMount {
        name: volume.to_owned(),
        mount_path: path.to_owned(),
        ..VolumeMount::default()
    }
}

fn projection(secret: &str) -> VolumeProjection {
    VolumeProjection {
        secret: Some(SecretProjection {
            name: secret.to_owned(),
            items: Some(vec![item(&format!("{secret}.json"))]),
            optional: None,
        }),
        ..VolumeProjection::default()
    }
}

fn item(path: &str) -> KeyToPath {
    KeyToPath {
        key: DOCKER_CONFIG.to_owned(),
        path: path.to_owned(),
        mode: None,
    }
}

#[cfg(test)]
mod tests;
