//! What a test changes about a controller that it starts.

use super::Chart;

/// How to start the controller of a chart.
#[derive(Clone, Debug)]
pub struct OperatorOptions {
    pub(super) chart: Chart,
    pub(super) arguments: Vec<String>,
    pub(super) variables: Vec<(String, String)>,
    pub(super) webhooks: bool,
}

impl OperatorOptions {
    /// The controller of this chart, as its Deployment would run it.
    pub fn of(chart: Chart) -> Self {
        Self {
            chart,
            arguments: Vec::new(),
            variables: Vec::new(),
            webhooks: true,
        }
    }

    /// With one more argument.
    #[must_use]
    pub fn with_argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// With an environment variable, whatever the Deployment or [`Installation::start`](super::Installation::start) say
    /// about it.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Without webhooks. A second copy beside a first one has to be without, or be given the first one's
    /// `KAITO_WEBHOOK_URL`: the cluster knows one address of them.
    #[must_use]
    pub fn without_webhooks(mut self) -> Self {
        self.webhooks = false;
        self.with("KAITO_WEBHOOK", "false")
    }
}
