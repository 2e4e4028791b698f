//! Rules about a Workspace as a whole, in CEL, the same in both versions. Those that KAITO checks once, when the object
//! is made, let an old object pass: an object that KAITO let in can always be changed and deleted.

use crate::names::labels;

pub(crate) const NAME: &str =
    "oldSelf.hasValue() || !self.metadata.name.contains('.') && self.metadata.name.size() <= 63";
pub(crate) const NAME_MESSAGE: &str = "metadata.name must be at most 63 characters and without dots (an RFC 1123 label): \
    the Workspace's Service gets the same name";

pub(crate) const SOMETHING: &str = "oldSelf.hasValue() || has(self.inference) || has(self.tuning)";
pub(crate) const SOMETHING_MESSAGE: &str = "Either Inference or Tuning must be specified, not neither";
pub(crate) const ONE_THING: &str = "oldSelf.hasValue() || !(has(self.inference) && has(self.tuning))";
pub(crate) const ONE_THING_MESSAGE: &str =
    "Either Inference or Tuning must be specified, but not both; use a Workspace for each";
pub(crate) const SAME_THING: &str =
    "has(self.inference) == has(oldSelf.inference) && has(self.tuning) == has(oldSelf.tuning)";
pub(crate) const SAME_THING_MESSAGE: &str =
    "inference and tuning cannot be added or removed after creation; delete the Workspace and make a new one";

pub(crate) const TUNING_COUNT: &str = "oldSelf.hasValue() || !has(self.tuning) || !has(self.resource) || \
    !has(self.resource.count) || self.resource.count <= 1";
pub(crate) const TUNING_COUNT_MESSAGE: &str =
    "Tuning does not currently support multinode configurations, please set the node count to 1";
pub(crate) const TUNING_PARTITION: &str =
    "oldSelf.hasValue() || !has(self.tuning) || !has(self.resource) || !has(self.resource.partition)";
pub(crate) const TUNING_PARTITION_MESSAGE: &str =
    "Tuning does not support GPU partitions, please remove resource.partition";

/// The rule that a selector is left with something when our own labels are taken out of it.
pub(crate) fn selects_something() -> String {
    let reserved = labels::RESERVED.map(|label| format!("'{label}'")).join(", ");
    format!(
        "!has(self.labelSelector.matchLabels) || self.labelSelector.matchLabels.size() == 0 || \
         self.labelSelector.matchLabels.exists(key, !(key in [{reserved}]))"
    )
}
pub(crate) const SELECTS_SOMETHING_MESSAGE: &str = "matchLabels must contain at least one non-reserved label: labels \
    such as kaito.sh/workspace are put on nodes by the controller";

pub(crate) const TEMPLATE_KEPT: &str = "has(self.template) == has(oldSelf.template)";
pub(crate) const TEMPLATE_KEPT_MESSAGE: &str = "template: field is immutable in so far as it cannot be added or removed; \
    its content may change";
pub(crate) const PRESET_KEPT: &str = "has(self.preset) == has(oldSelf.preset)";
pub(crate) const PRESET_MESSAGE: &str =
    "preset: field is immutable; delete the Workspace and make a new one to use another model";
pub(crate) const A_MODEL: &str = "has(self.preset) || has(self.template)";
pub(crate) const A_MODEL_MESSAGE: &str = "Preset or Template must be specified: name a model with preset.name, or give a \
    pod template";
pub(crate) const ONE_MODEL: &str = "!(has(self.preset) && has(self.template))";
pub(crate) const ONE_MODEL_MESSAGE: &str = "Preset and Template cannot be set at the same time; remove one of them";

pub(crate) const ADAPTER_COUNT: &str = "self.size() <= 10";
pub(crate) const ADAPTER_COUNT_MESSAGE: &str = "Number of Adapters exceeds the maximum limit, maximum of 10 allowed";
pub(crate) const ADAPTER_NAMES: &str = "self.all(a, !has(a.source) || !has(a.source.name) || \
    self.exists_one(b, has(b.source) && has(b.source.name) && b.source.name == a.source.name))";
pub(crate) const ADAPTER_NAMES_MESSAGE: &str =
    "Duplicate adapter source name: each adapter's source.name must be unique";

pub(crate) const ADAPTER_SOURCE: &str = "has(self.source)";
pub(crate) const ADAPTER_SOURCE_MESSAGE: &str = "source is required: an image or a volume with the adapter's weights";
pub(crate) const ADAPTER_NAME: &str = "has(self.name) && self.name.size() <= 253 && \
    self.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')";
pub(crate) const ADAPTER_NAME_MESSAGE: &str = "name is required and must be a lower-case DNS name: clients ask for the \
    adapter by it";
pub(crate) const ADAPTER_KIND: &str =
    "(has(self.image) && self.image != '') != has(self.volumeSource) && (!has(self.urls) || self.urls.size() == 0)";
pub(crate) const ADAPTER_KIND_MESSAGE: &str =
    "exactly one of image and volumeSource must be set, and urls must not: adapters are not downloaded";
pub(crate) const STRENGTH: &str = "self.matches('^[+]?([0-9]+([.][0-9]*)?|[.][0-9]+)([eE][-+]?[0-9]+)?$') && \
    double(self) >= 0.0 && double(self) <= 1.0";
pub(crate) const STRENGTH_MESSAGE: &str = "strength must be a decimal number from 0.0 to 1.0, in quotes";

pub(crate) const METHOD: &str = "self.lowerAscii() in ['lora', 'qlora']";
pub(crate) const METHOD_MESSAGE: &str = "method must be lora or qlora";
pub(crate) const METHOD_KEPT: &str = "self.lowerAscii() == oldSelf.lowerAscii()";
pub(crate) const METHOD_KEPT_MESSAGE: &str =
    "method: field is immutable; delete the Workspace and make a new one to tune in another way";
pub(crate) const METHOD_GIVEN: &str = "has(self.method)";
pub(crate) const METHOD_GIVEN_MESSAGE: &str = "method is required: lora, or qlora to load the model in 4 bits";
pub(crate) const PRESET_GIVEN: &str = "has(self.preset)";
pub(crate) const PRESET_GIVEN_MESSAGE: &str = "preset is required: name the model to tune with preset.name";
pub(crate) const ONE_INPUT: &str = "[has(self.urls) && self.urls.size() > 0, has(self.image) && self.image != '', \
    has(self.volumeSource)].filter(given, given).size() == 1";
pub(crate) const ONE_INPUT_MESSAGE: &str = "Exactly one of urls, image and volumeSource must be set";
pub(crate) const ONE_OUTPUT: &str = "(has(self.image) && self.image != '') != has(self.volumeSource)";
pub(crate) const ONE_OUTPUT_MESSAGE: &str = "Exactly one of image and volumeSource must be set";
pub(crate) const PUSH_SECRET: &str = "!has(self.image) || self.image == '' || \
    has(self.imagePushSecret) && self.imagePushSecret != ''";
pub(crate) const PUSH_SECRET_MESSAGE: &str =
    "Must specify imagePushSecret with destination image: the Secret to push the image with";
pub(crate) const INPUT_NAME_KEPT: &str =
    "has(self.name) == has(oldSelf.name) && (!has(self.name) || self.name == oldSelf.name)";
pub(crate) const INPUT_NAME_KEPT_MESSAGE: &str =
    "name: field is immutable; delete the Workspace and make a new one to tune with other data";

pub(crate) const URLS: &str =
    "!has(self.urls) || self.urls.all(u, isURL(u) && u.matches('^[hH][tT][tT][pP][sS]?://[^/?#:]'))";
pub(crate) const URLS_MESSAGE: &str = "data source URL must use http or https and name a host";
/// With patterns and not with `url(u).getHostname()`: the API server does not know how long that could be, and refuses
/// the definition as too expensive. A pattern begins with scheme and, if there are any, user and password.
pub(crate) const PUBLIC_HOSTS: &str = "!has(self.urls) || self.urls.all(u, \
    !u.matches('^(?i)[^/?#]*//([^/?#]*@)?(([^/?#:]*[.])?localhost|metadata[.]google([.]internal)?\
    |instance-data[.]ec2[.]internal)[.]?([:/?#]|$)'))";
pub(crate) const PUBLIC_HOSTS_MESSAGE: &str = "data source URL must not target localhost or a cloud metadata service";
/// Of IPv6 only the global addresses (2000::/3) are let in, so that no address with a zone, and no IPv4 address in
/// IPv6's clothes, slips through.
pub(crate) const PUBLIC_ADDRESSES: &str = "!has(self.urls) || self.urls.all(u, \
    !u.matches('^[^/?#]*//([^/?#]*@)?(0|10|127|169[.]254|172[.](1[6-9]|2[0-9]|3[01])|192[.]168|224[.]0[.]0)\
    [.][0-9.]*([:/?#]|$)') && (!u.matches('^[^/?#]*//([^/?#]*@)?\\\\[') || \
    u.matches('^[^/?#]*//([^/?#]*@)?\\\\[[23][0-9a-fA-F]{3}:[0-9a-fA-F:]*\\\\]')))";
pub(crate) const PUBLIC_ADDRESSES_MESSAGE: &str =
    "data source URL must not target a loopback, private, or link-local address";
