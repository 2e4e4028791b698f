//! One container: its program is started, probed, started again when it ends, and ended with its pod.

use std::path::{Path, PathBuf};
use std::time::Duration;

use k8s_openapi::api::core::v1::{
    Container, ContainerState, ContainerStateRunning, ContainerStateTerminated, ContainerStatus, Pod, Probe,
};
use tokio::select;
use tokio::time::{Instant, sleep, timeout_at};

use super::environment::{self, Environment};
use super::localise::Localiser;
use super::objects::{Complaint, Objects};
use super::probe::{Check, Question};
use super::program::{End, Launch, Program};
use super::sandbox::Sandbox;
use super::status::{now, waiting};

/// The longest that a `preStop` sleep takes here.
const LONGEST_PRE_STOP: Duration = Duration::from_millis(500);
/// The first and the longest time between two starts of a program that ends.
const FIRST_BACK_OFF: Duration = Duration::from_millis(200);
const LONGEST_BACK_OFF: Duration = Duration::from_secs(2);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Init,
    Main,
}

/// When a program is started again that has ended by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RestartPolicy {
    Always,
    OnFailure,
    Never,
}

impl RestartPolicy {
    pub(super) fn of(pod: &Pod) -> Self {
        match pod.spec.as_ref().and_then(|spec| spec.restart_policy.as_deref()) {
            Some("OnFailure") => Self::OnFailure,
            Some("Never") => Self::Never,
            _ => Self::Always,
        }
    }
}

/// Why a container runs no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It has ended, and shall not start again.
    Ended { well: bool },
    /// Its pod is deleted.
    Stopped,
}

/// A container of a pod.
pub(super) struct PlayedContainer<'a> {
    pub(super) sandbox: &'a Sandbox,
    pub(super) container: &'a Container,
    pub(super) role: Role,
    pub(super) localiser: Localiser,
}

impl PlayedContainer<'_> {
    /// Plays it until its pod is deleted, or it has ended for good.
    pub(super) async fn run(&self) -> Outcome {
        let Some(program) = self.program() else {
            return self.without_program().await;
        };
        let mut back_off = FIRST_BACK_OFF;
        loop {
            let Some(launch) = self.launch(program).await else {
                return Outcome::Stopped;
            };
            let end = self.run_once(&launch).await;
            let exit_code = end.exit_code;
            self.record_end(end);
            if self.sandbox.stopping.is_cancelled() {
                return Outcome::Stopped;
            }
            if !self.starts_again(exit_code) {
                return Outcome::Ended { well: exit_code == 0 };
            }
            self.record_back_off(back_off);
            if self.stopped_within(back_off).await {
                return Outcome::Stopped;
            }
            back_off = (back_off * 2).min(LONGEST_BACK_OFF);
            self.change(|status| status.restart_count += 1);
        }
    }

    fn starts_again(&self, exit_code: i32) -> bool {
        match RestartPolicy::of(&self.sandbox.pod) {
            RestartPolicy::Never => false,
            RestartPolicy::OnFailure => exit_code != 0,
            RestartPolicy::Always => self.role == Role::Main || exit_code != 0,
        }
    }

    fn program(&self) -> Option<&Path> {
        if self.role == Role::Init && self.container.restart_policy.as_deref() == Some("Always") {
            return None;
        }
        let programs = &self.sandbox.node.options.programs;
        let image = self.container.image.as_deref().unwrap_or_default();
        let untagged = image.rsplit_once(':').map_or(image, |(image, _)| image);
        let mut names = [self.container.name.as_str(), image, untagged].into_iter();
        names.find_map(|name| programs.get(name)).map(PathBuf::as_path)
    }

    /// An init container is left out; any other one cannot run, as if its image did not exist.
    async fn without_program(&self) -> Outcome {
        if self.role == Role::Init {
            self.record_end(End {
                exit_code: 0,
                signal: None,
                output: String::new(),
            });
            return Outcome::Ended { well: true };
        }
        let image = self.container.image.as_deref().unwrap_or_default();
        let message = format!("Back-off pulling image {image:?}: the kubelet of the tests has no program for it");
        self.change(|status| status.state = Some(waiting("ImagePullBackOff", Some(message))));
        self.sandbox.stopping.cancelled().await;
        Outcome::Stopped
    }

    /// How to start the program, once all that it needs is there. `None` if the pod is deleted before.
    async fn launch(&self, program: &Path) -> Option<Launch> {
        let mut changes = self.sandbox.node.changes.subscribe();
        loop {
            changes.mark_unchanged();
            match self.environment().await {
                Ok(environment) => {
                    let command = self.container.command.iter().flatten().skip(1);
                    let arguments = command.chain(self.container.args.iter().flatten());
                    return Some(self.launch_with(program, arguments, environment));
                }
                Err(complaint) => {
                    let state = waiting("CreateContainerConfigError", Some(complaint));
                    self.change(|status| status.state = Some(state));
                }
            }
            select! {
                _ = changes.changed() => {}
                () = self.sandbox.stopping.cancelled() => return None,
            }
        }
    }

    async fn environment(&self) -> Result<Environment, Complaint> {
        let Sandbox { node, pod, place, .. } = self.sandbox;
        let references = environment::references(self.container);
        let objects = Objects::fetch(&node.client, &self.sandbox.namespace, references).await;
        let objects = objects.map_err(|error| error.to_string())?;
        environment::resolve(self.container, pod, place, &objects)
    }

    fn launch_with<'a>(&self, program: &Path, arguments: impl Iterator<Item = &'a String>, own: Environment) -> Launch {
        let arguments = arguments.map(|argument| self.localiser.value(&environment::expand(argument, &own)));
        let arguments = arguments.collect();
        let mut environment = self.sandbox.node.environment.lock().clone();
        let home = self.sandbox.home();
        environment.insert("HOME".to_owned(), home.display().to_string());
        environment.extend(own);
        for value in environment.values_mut() {
            *value = self.localiser.value(value);
        }
        Launch {
            program: program.to_owned(),
            arguments,
            environment,
            directory: home,
            log: self.sandbox.log(&self.container.name),
        }
    }

    async fn run_once(&self, launch: &Launch) -> End {
        let node = &self.sandbox.node;
        let mut program = match node.programs.start(launch, &self.sandbox.uid) {
            Ok(program) => program,
            Err(error) => {
                return End {
                    exit_code: 128,
                    signal: None,
                    output: format!("{error:#}"),
                };
            }
        };
        node.starts.note(&launch.log, program.log_start);
        self.record_start();
        select! {
            end = program.wait() => return end,
            () = self.sandbox.stopping.cancelled() => {}
            () = self.probe_until_it_fails(launch) => {}
        }
        self.end(program).await
    }

    /// As the pod is deleted, or a probe wants a new start.
    async fn end(&self, mut program: Program) -> End {
        let deadline = Instant::now() + self.sandbox.grace_period();
        let lifecycle = self.container.lifecycle.as_ref();
        let pre_stop = lifecycle.and_then(|lifecycle| lifecycle.pre_stop.as_ref()?.sleep.as_ref());
        if let Some(pre_stop) = pre_stop {
            let seconds = u64::try_from(pre_stop.seconds).unwrap_or_default();
            let until = (Instant::now() + Duration::from_secs(seconds).min(LONGEST_PRE_STOP)).min(deadline);
            if let Ok(end) = timeout_at(until, program.wait()).await {
                return end;
            }
        }
        program.ask_to_end();
        if let Ok(end) = timeout_at(deadline, program.wait()).await {
            return end;
        }
        program.kill();
        program.wait().await
    }

    /// Notes what the probes say, until one of them wants a new start.
    async fn probe_until_it_fails(&self, launch: &Launch) {
        let node = &self.sandbox.node;
        let container = self.container;
        let check = |probe| self.check(probe, launch);
        if self.role == Role::Init {
            return std::future::pending().await;
        }
        if let Some(startup) = check(container.startup_probe.as_ref())
            && !startup.settle(&node.http).await
        {
            return;
        }
        let readiness = check(container.readiness_probe.as_ref()).map(Check::at_once);
        self.change(|status| {
            status.started = Some(true);
            status.ready = readiness.is_none();
        });
        let liveness = check(container.liveness_probe.as_ref());
        select! {
            () = self.follow_readiness(readiness) => {}
            () = wait_for_failure(liveness, &node.http) => {}
        }
    }

    /// `None` if there is no probe, or none that can fail.
    fn check(&self, probe: Option<&Probe>, launch: &Launch) -> Option<Check> {
        let probe = probe?;
        let Sandbox { node, place, .. } = self.sandbox;
        let by_command = || {
            let words = probe.exec.as_ref()?.command.as_ref()?;
            let mut commands = node.options.commands.iter();
            let (_, program) = commands.find(|(text, _)| words.iter().any(|word| word.contains(text)))?;
            let arguments = words.iter().skip(1).map(|word| self.localiser.value(word)).collect();
            Some(Question::Command(Launch {
                program: program.clone(),
                arguments,
                ..launch.clone()
            }))
        };
        let question = Question::by_http(probe, self.container, place.address).or_else(by_command)?;
        Some(Check::new(probe, question, &node.options.timing))
    }

    /// Never ends.
    async fn follow_readiness(&self, readiness: Option<Check>) {
        let Some(readiness) = readiness else {
            return std::future::pending().await;
        };
        loop {
            let ready = readiness.settle(&self.sandbox.node.http).await;
            self.change(|status| status.ready = ready);
            readiness.pause().await;
        }
    }

    fn record_start(&self) {
        self.change(|status| {
            status.state = Some(ContainerState {
                running: Some(ContainerStateRunning {
                    started_at: Some(now()),
                }),
                ..ContainerState::default()
            });
            status.started = Some(false);
        });
    }

    fn record_end(&self, end: End) {
        let falls_back = self.container.termination_message_policy.as_deref() == Some("FallbackToLogsOnError");
        let message = (falls_back && end.exit_code != 0 && !end.output.is_empty()).then_some(end.output);
        let reason = if end.exit_code == 0 { "Completed" } else { "Error" };
        let ready = self.role == Role::Init && end.exit_code == 0;
        self.change(|status| {
            let running = status.state.as_ref().and_then(|state| state.running.as_ref());
            let terminated = ContainerStateTerminated {
                exit_code: end.exit_code,
                signal: end.signal,
                reason: Some(reason.to_owned()),
                message,
                started_at: running.and_then(|running| running.started_at.clone()),
                finished_at: Some(now()),
                ..ContainerStateTerminated::default()
            };
            status.state = Some(ContainerState {
                terminated: Some(terminated),
                ..ContainerState::default()
            });
            status.started = Some(false);
            status.ready = ready;
        });
    }

    fn record_back_off(&self, back_off: Duration) {
        let Sandbox {
            name, namespace, uid, ..
        } = self.sandbox;
        let container = &self.container.name;
        let message =
            format!("back-off {back_off:?} restarting failed container={container} pod={name}_{namespace}({uid})");
        self.change(|status| {
            status.last_state = status.state.replace(waiting("CrashLoopBackOff", Some(message)));
        });
    }

    fn change(&self, change: impl FnOnce(&mut ContainerStatus)) {
        self.sandbox.records.send_if_modified(|records| {
            let statuses = match self.role {
                Role::Init => &mut records.init,
                Role::Main => &mut records.main,
            };
            let mut statuses = statuses.iter_mut();
            let Some(status) = statuses.find(|status| status.name == self.container.name) else {
                return false;
            };
            let before = status.clone();
            change(status);
            *status != before
        });
    }

    async fn stopped_within(&self, time: Duration) -> bool {
        select! {
            () = sleep(time) => false,
            () = self.sandbox.stopping.cancelled() => true,
        }
    }
}

/// Never ends if there is no probe.
async fn wait_for_failure(liveness: Option<Check>, http: &reqwest::Client) {
    let Some(liveness) = liveness else {
        return std::future::pending().await;
    };
    while liveness.settle(http).await {
        liveness.pause().await;
    }
}
