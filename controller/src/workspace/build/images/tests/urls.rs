use super::super::DOWNLOADER;
use super::programs::{Programs, complaint, files, succeeds};

/// The web: `curl` answers what `answer`, a shell script in which `$output` and `$url` are known, prints.
fn web(answer: &str) -> Programs {
    let programs = Programs::new();
    programs.add(
        "curl",
        &format!(
            r#"
output=
url=
previous=
for argument in "$@"; do
    case $previous in
    --output) output=$argument ;;
    --url) url=$argument ;;
    esac
    previous=$argument
done
count=$(grep -c '^curl ' "$HERE/log")
{answer}"#
        ),
    );
    std::fs::create_dir(programs.path("data")).unwrap();
    programs
}

fn download(programs: &Programs, urls: &str) -> std::process::Output {
    programs
        .command(DOWNLOADER, &[])
        .env("DATA_URLS", urls)
        .env("DATA_VOLUME_PATH", programs.path("data"))
        .output()
        .unwrap()
}

#[test]
fn each_url_becomes_a_file_of_the_name_at_the_end_of_its_path() {
    let programs = web(r#"echo "$url" >"$output"; printf 200"#);
    let urls = "https://example.com/a/pets.csv?token=1/2#top HTTP://example.com/*.json https://example.com/x#/y.csv";
    succeeds(&download(&programs, urls));
    let expected = ["*.json", "pets.csv", "x"];
    let found = files(&programs.path("data"));
    let names: Vec<_> = found.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, expected);
    assert!(found[1].1.contains("?token=1/2#top"), "the whole URL is asked for");
}

#[test]
fn a_url_is_tried_three_times() {
    let programs = web(r#"[ "$count" = 3 ] || exit 6; echo 1 >"$output"; printf 200"#);
    succeeds(&download(&programs, "https://example.com/pets.csv"));
    assert_eq!(programs.calls("curl").len(), 3);
    assert_eq!(programs.calls("sleep"), ["sleep 2", "sleep 2"]);

    let programs = web("exit 6");
    let complaint = complaint(&download(&programs, "https://example.com/pets.csv"));
    assert!(
        complaint.contains("cannot download https://example.com/pets.csv in 3 tries"),
        "{complaint}"
    );
    assert_eq!(programs.calls("curl").len(), 3);
}

#[test]
fn only_200_with_a_file_that_is_not_empty_will_do() {
    for answer in [
        r#"echo no >"$output"; printf 404"#,
        r#"echo part >"$output"; printf 206"#,
        r#": >"$output"; printf 200"#,
    ] {
        let programs = web(answer);
        complaint(&download(&programs, "https://example.com/pets.csv"));
        assert!(files(&programs.path("data")).is_empty(), "{answer}");
    }
}

#[test]
fn other_schemes_and_urls_without_a_file_are_refused() {
    for url in [
        "file:///etc/passwd",
        "ftp://example.com/a",
        "https://example.com",
        "https://example.com/",
        "https://example.com?a=/b",
        "https://example.com/a/..",
    ] {
        let programs = web(r#"echo 1 >"$output"; printf 200"#);
        complaint(&download(&programs, url));
        assert!(programs.calls("curl").is_empty(), "{url}");
    }
}
