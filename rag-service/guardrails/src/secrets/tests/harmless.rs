//! Texts as a model writes them that hold no credential.

use super::{Compiled, SEEDS, sample};
use crate::secrets::CATALOGUE;
use kaito_presets::Shape;

/// Texts in which `{charset:count}` stands for generated characters, as in the catalogue.
pub(super) const TEXTS: [&str; 12] = [
    // Prose that names vendors and their keys.
    "To connect Grafana with Datadog, open the settings and paste the API key that Datadog shows there. Never commit a \
     token: put it into a Kubernetes secret instead, and refer to it by name. Twitter: announcements go there first. \
     LinkedIn: recommendations. Linear and bilinear interpolation: both are implemented; see also nonlinear solvers. \
     The discord between the two teams was resolved at 10:45. Okta, Sentry, Travis and Jira: four services.\n\n\
     A bearer of internationalisation knows that AWS regions are named like us-east-1: North Virginia, and that \
     access keys begin with AKIA while private keys begin with `-----BEGIN CERTIFICATE-----` or something like it.",
    // Long words, and words with digits.
    "Pneumonoultramicroscopicsilicovolcanoconiosis=Antidisestablishmentarianism; \
     model: \"LlamaForSequenceClassification3WithVeryLongName\", 'AutoModelForImageTextToTextGenerationV2', \
     name = \"sentence-transformers/all-MiniLM-L6-v2\", image: registry.example.org/team/rag-service-amd64:2024-01-15, \
     path=/usr/lib/x86_64-linux-gnu/libstdc++so6, target: s3://bucket/Models/Llama3/Instruct70B/2024/Checkpoints",
    // Markdown.
    "# Install\n\n1. Run `helm upgrade --install kaito-workspace-operator oci://example.org/charts/workspace`.\n\
     2. Set `OPENAI_API_KEY` to `<your-api-key>`, or `export HF_TOKEN=$HUGGING_FACE_TOKEN_OF_THE_TEAM`.\n\n\
     | Variable | Default |\n|---|---|\n| `LLM_ACCESS_SECRET` | `${LLM_ACCESS_SECRET}` |\n| `DATADOG_API_KEY` | none |\n\n\
     [anchor](https://example.org/docs/2024/01/15/how-to-rotate-keys#step-3-create-a-new-token-2)\n",
    // JSON with identifiers.
    "{\"id\": \"{hex:8}-{hex:4}-{hex:4}-{hex:4}-{hex:12}\", \"trace_id\": \"{hex:32}\", \"spanId\": \"{hex:32}\",\n \
     \"token_count\": 12345678901234567890, \"next_page_token\": null, \"tokens\": [\"hello\", \"world\"],\n \
     \"commit\": \"{hex:40}\", \"imageDigest\": \"sha256:{hex:64}\", \"etag\": \"{hex:32}\",\n \
     \"created_at\": \"2024-01-15T10:45:00.123456+00:00\", \"object\": \"chat.completion\"}",
    // Git.
    "The regression came in with commit {hex:40} and was fixed by {hex:40} (see {hex:12}). Revert {hex:40}, then:\n\
     git checkout {hex:40}\ncommit {hex:40}\nMerge: {hex:7} {hex:7}\nAuthor: A. Person <a.person@example.org>\n",
    // Digests in configuration.
    "FROM docker.io/library/rust@sha256:{hex:64} AS build\nimage: example.org/app@sha256:{hex:64}\n\
     checksum = \"{hex:64}\"\nrev = \"{hex:40}\"\n\"integrity\": \"sha512-{base64:86}==\"\nsha256: {hex:64}\n\
     github.com/spf13/cobra v1.8.0 h1:{base64:43}=\n",
    // Rust.
    "let token = parser.next_token(self.position_of_next_token_2)?;\nlet secret = std::env::var(\"LLM_ACCESS_SECRET\")?;\n\
     const NAMES: [&str; 2] = [\"embedding_model_catalogue_v2\", \"retrieval_configuration_v2\"];\n\
     let key = Sha256::digest(b\"abcdefghijklmnopqrstuvwxyz0123456789\");\nassert_eq!(token.len(), 40, \"{token:?}\");\n",
    // Python.
    "client = OpenAI(api_key=os.environ[\"OPENAI_API_KEY_FOR_PRODUCTION_2\"])\ntoken = get_token_from_vault_v2(\"x\")\n\
     password = getpass.getpass(\"Password: \")\ntokenizer = AutoTokenizer.from_pretrained(\"meta-llama/Llama-3.3-70B-Instruct\")\n\
     secret_key = secrets[index2of3and4of5and6of7]\nheaders = {\"Authorization\": f\"Bearer {token}\"}\n",
    // Go.
    "apiKey := os.Getenv(\"DATADOG_API_KEY\")\nsecret, err := clientset.CoreV1().Secrets(namespace).Get(ctx, name, metav1.GetOptions{})\n\
     token: &oauth2.Token{AccessToken: cfg.AccessToken2Or3Or4Or5Or6()},\nvar ErrNoToken = errors.New(\"no token\")\n",
    // Kubernetes.
    "apiVersion: v1\nkind: Secret\nmetadata:\n  name: my-app-tls-2024-certificate-v2\n  uid: {hex:8}-{hex:4}-{hex:4}-{hex:4}-{hex:12}\n\
     stringData:\n  token: ${TOKEN}\n  password: <password>\nenv:\n- name: AWS_SECRET_ACCESS_KEY\n  valueFrom:\n    secretKeyRef: \
     {name: aws-credentials, key: secret-access-key}\n",
    // URLs and data.
    "See https://example.org:8443/a/b?page=2&sort=created_at&v=dQw4w9WgXcQ and http://localhost:5000/v1/@latest, \
     or ssh://git@github.com:22/owner/repository.git. ![logo](data:image/png;base64,{base64:400}==) \
     <img src='data:image/svg+xml;base64,{base64:800}'>",
    // Numbers and tables.
    "| n | pi | time |\n|---|---|---|\n| 10 | 3.14159265358979323846264338327950288 | 2024-01-15 10:45:00 |\n\
     total = 123456789012345678901234567890; ratio: 0.333333333333333333333333; AP1000 reactor; SK128 and AC1200\n\
     hex: 0x00000000000000000000000000000000; sequence = \"0123456789abcdef0123456789abcdef\"; \
     alphabet: 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'",
];

/// One of the texts, written out.
pub(super) fn answer(place: usize, seed: u64) -> String {
    written_out(TEXTS[place], seed)
}

/// Writes runs out. Other braces are the text's own.
fn written_out(text: &str, seed: u64) -> String {
    let runs = regex::Regex::new(r"\{(?:hex|base64):[0-9]+\}").expect("a pattern");
    let written = runs.replace_all(text, |captures: &regex::Captures<'_>| {
        let run = Shape::try_from(captures[0].to_owned()).expect("a shape");
        let place = captures.get(0).map_or(0, |run| run.start());
        sample(
            &CATALOGUE,
            &run,
            seed * 10_000 + u64::try_from(place).expect("a short text"),
            false,
        )
    });
    written.into_owned()
}

#[test]
fn ordinary_answers_hold_no_credential() {
    let compiled = Compiled::new();
    for text in TEXTS {
        for seed in 0..SEEDS {
            let text = written_out(text, seed);
            let hits = compiled.hits(&text);
            assert!(hits.is_empty(), "{hits:?} in {text}");
        }
    }
}

#[test]
fn the_same_commit_id_is_a_credential_when_it_is_assigned_to_a_secret() {
    let compiled = Compiled::new();
    let text = written_out("token = \"{hex:40}\"", 1);
    assert!(compiled.hits(&text).iter().any(|(name, _)| *name == "hex-entropy"));
}
