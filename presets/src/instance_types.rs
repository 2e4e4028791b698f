//! `data/instance_types`: machines with GPUs that clouds rent out.

use std::collections::HashMap;
use std::fmt;
use std::num::NonZeroU32;
use std::sync::LazyLock;

use serde::Deserialize;

use crate::byte_size::ByteSize;
use crate::gpus::Gpus;
use crate::rows::{DataError, DataFile};

/// Clouds that machine types are known of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cloud {
    /// Microsoft Azure.
    Azure,
    /// Amazon Web Services.
    Aws,
    /// Azure Arc.
    Arc,
    /// Google Cloud.
    Gcp,
}

/// A type of machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceType {
    /// The cloud's name of it.
    pub name: String,
    /// How many GPUs, or other accelerators, it has.
    pub gpu_count: NonZeroU32,
    /// Memory of all of them together.
    pub gpu_memory: ByteSize,
    /// Their model.
    pub gpu_model: String,
    /// Whether every machine of the type comes with local NVMe disks.
    pub nvme: bool,
    /// NVIDIA's number of their features, if they have one.
    pub compute_capability: Option<ComputeCapability>,
}

/// NVIDIA's number of a GPU's features, such as 8.6.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct ComputeCapability {
    /// Before the point.
    pub major: u8,
    /// After the point.
    pub minor: u8,
}

/// All known machine types of a cloud. Names are unique, in whatever case.
#[derive(Debug, Clone)]
pub struct InstanceTypes {
    types: Vec<InstanceType>,
    /// In lower case, and where the type is in `types`.
    names: HashMap<String, usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    gpus: NonZeroU32,
    gpu_memory: ByteSize,
    gpu: String,
    nvme: bool,
    compute_capability: Option<ComputeCapability>,
}

const SOURCES: [(&str, &str); 4] = [
    (
        "instance_types/azure.yaml",
        include_str!("../data/instance_types/azure.yaml"),
    ),
    (
        "instance_types/aws.yaml",
        include_str!("../data/instance_types/aws.yaml"),
    ),
    (
        "instance_types/arc.yaml",
        include_str!("../data/instance_types/arc.yaml"),
    ),
    (
        "instance_types/gcp.yaml",
        include_str!("../data/instance_types/gcp.yaml"),
    ),
];

static BUILTIN: LazyLock<[InstanceTypes; 4]> = LazyLock::new(|| {
    SOURCES.map(|(name, yaml)| InstanceTypes::parse(name, yaml).expect("a test parses the same text"))
});

impl InstanceTypes {
    /// The machine types of `cloud`, parsed once.
    pub fn of(cloud: Cloud) -> &'static Self {
        let [azure, aws, arc, gcp] = &*BUILTIN;
        match cloud {
            Cloud::Azure => azure,
            Cloud::Aws => aws,
            Cloud::Arc => arc,
            Cloud::Gcp => gcp,
        }
    }

    /// Reads and validates a file of machine types; `file` is for error messages.
    ///
    /// # Errors
    /// For unknown fields, repeated names, and machines without memory.
    pub fn parse(file: &'static str, yaml: &str) -> Result<Self, DataError> {
        let file = DataFile {
            name: file,
            key: "name",
        };
        let mut types = Vec::new();
        let mut names = HashMap::new();
        for (name, row) in file.parse::<Row>(yaml)? {
            if row.gpu_memory == ByteSize::default() {
                return Err(file.invalid(name, "gpu_memory is 0"));
            }
            names.insert(name.to_ascii_lowercase(), types.len());
            types.push(InstanceType {
                name,
                gpu_count: row.gpus,
                gpu_memory: row.gpu_memory,
                gpu_model: row.gpu,
                nvme: row.nvme,
                compute_capability: row.compute_capability,
            });
        }
        Ok(Self { types, names })
    }

    /// The type of this name, in whatever case.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&InstanceType> {
        let index = self.names.get(&name.to_ascii_lowercase())?;
        self.types.get(*index)
    }

    /// The clouds' names of all of them, in the file's order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.types.iter().map(|one| one.name.as_str())
    }

    /// All of them, in the file's order.
    #[must_use]
    pub fn types(&self) -> &[InstanceType] {
        &self.types
    }
}

impl InstanceType {
    /// Whether pods get its accelerators by asking for `nvidia.com/gpu`, as those that serve and tune models do.
    #[must_use]
    pub fn has_nvidia_gpus(&self) -> bool {
        self.gpu_model.starts_with("NVIDIA")
    }

    /// Its GPUs.
    #[must_use]
    pub fn gpus(&self) -> Gpus {
        Gpus {
            count: self.gpu_count,
            memory: self.gpu_memory,
            model: Some(self.gpu_model.clone()),
            compute_capability: self.compute_capability,
            is_mig_slice: false,
        }
    }
}

impl TryFrom<String> for ComputeCapability {
    type Error = String;

    fn try_from(given: String) -> Result<Self, String> {
        given
            .split_once('.')
            .and_then(|(major, minor)| {
                Some(Self {
                    major: major.parse().ok()?,
                    minor: minor.parse().ok()?,
                })
            })
            .ok_or_else(|| format!("{given:?} is not a compute capability, such as \"8.6\""))
    }
}

impl fmt::Display for ComputeCapability {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.major, self.minor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLOUDS: [Cloud; 4] = [Cloud::Azure, Cloud::Aws, Cloud::Arc, Cloud::Gcp];

    #[test]
    fn the_shipped_files_are_valid_and_list_what_they_should() {
        let counts = CLOUDS.map(|cloud| InstanceTypes::of(cloud).types().len());
        assert_eq!(counts, [14, 35, 8, 23]);
        for (cloud, name, gpus, gib, model, nvme, capability) in [
            (
                Cloud::Azure,
                "Standard_NV36ads_A10_v5",
                1,
                24,
                "NVIDIA A10",
                false,
                Some((8, 6)),
            ),
            (
                Cloud::Azure,
                "standard_nd96isr_h200_v5",
                8,
                1128,
                "NVIDIA H200",
                true,
                Some((9, 0)),
            ),
            (
                Cloud::Azure,
                "Standard_NG32ads_V620_v1",
                1,
                32,
                "AMD Radeon PRO V620",
                false,
                None,
            ),
            (Cloud::Aws, "G6.48XLARGE", 8, 192, "NVIDIA L4", true, Some((8, 9))),
            (
                Cloud::Aws,
                "inf2.48xlarge",
                12,
                384,
                "AWS Inferentia2 accelerators",
                false,
                None,
            ),
            (
                Cloud::Arc,
                "Standard_NC32_A16",
                2,
                32,
                "NVIDIA A16",
                false,
                Some((8, 6)),
            ),
            (
                Cloud::Gcp,
                "a2-megagpu-16g",
                16,
                640,
                "NVIDIA A100",
                false,
                Some((8, 0)),
            ),
            (Cloud::Gcp, "a3-highgpu-1g", 1, 80, "NVIDIA H100", true, Some((9, 0))),
            (Cloud::Gcp, "g2-standard-24", 2, 48, "NVIDIA L4", false, Some((8, 9))),
        ] {
            let machine = InstanceTypes::of(cloud).find(name).expect(name);
            assert_eq!(machine.gpu_count.get(), gpus, "{name}");
            assert_eq!(machine.gpu_memory, ByteSize::from_gib(gib), "{name}");
            assert_eq!(machine.gpu_model, model, "{name}");
            assert_eq!(machine.nvme, nvme, "{name}");
            let version = machine.compute_capability.map(|version| (version.major, version.minor));
            assert_eq!(version, capability, "{name}");
        }
    }

    #[test]
    fn the_memory_of_a_machine_is_that_of_gpus_that_exist() {
        for machine in CLOUDS.iter().flat_map(|cloud| InstanceTypes::of(*cloud).types()) {
            let of_each = machine.gpus().memory_of_each().whole_gib();
            assert!(
                [8, 16, 24, 32, 40, 80, 94, 141].contains(&of_each),
                "{}: {of_each} GiB",
                machine.name
            );
        }
    }

    #[test]
    fn every_type_is_found_in_whatever_case_and_others_are_not() {
        for cloud in CLOUDS {
            let all = InstanceTypes::of(cloud);
            for name in all.names() {
                for written in [name.to_lowercase(), name.to_uppercase()] {
                    assert_eq!(all.find(&written).map(|machine| machine.name.as_str()), Some(name));
                }
            }
            assert_eq!(all.find("Standard_D4s_v5"), None);
        }
    }

    #[test]
    fn machines_that_cannot_exist_are_refused_by_name() {
        let refused = |row: &str| {
            InstanceTypes::parse("instance_types/test.yaml", row)
                .expect_err(row)
                .to_string()
        };
        assert_eq!(
            refused("- {name: a, gpus: 1, gpu_memory: 0Gi, gpu: b, nvme: true}"),
            "row \"a\" of instance_types/test.yaml: gpu_memory is 0"
        );
        for row in [
            "- {name: a, gpus: 0, gpu_memory: 1Gi, gpu: b, nvme: true}",
            "- {name: a, gpus: 1, gpu_memory: 1Gi, gpu: b, nvme: true, compute_capability: new}",
            "- {name: a, gpus: 1, gpu_memory: 1Gi, gpu: b}",
        ] {
            assert_eq!(refused(row), "parse row \"a\" of instance_types/test.yaml");
        }
    }
}
