//! A sample in every language, long enough to be cut.

use super::*;

fn sample(language: Language) -> &'static str {
    match language {
        Language::Bash => {
            "#!/bin/bash\ngreet() {\n  echo \"hello $1\"\n}\nfor name in a b; do\n  greet \"$name\"\ndone\n"
        }
        Language::C => {
            "#include <stdio.h>\n\nint add(int a, int b) {\n    return a + b;\n}\n\nint main(void) {\n    return add(1, 2);\n}\n"
        }
        Language::Cpp => {
            "#include <vector>\n\nclass Box {\npublic:\n  int size() const { return 1; }\n};\n\nint main() {\n  return Box().size();\n}\n"
        }
        Language::CSharp => {
            "using System;\n\nclass Program {\n    static void Main() {\n        Console.WriteLine(\"hello\");\n    }\n}\n"
        }
        Language::Css => {
            "body {\n  margin: 0;\n}\n\n.title > a:hover {\n  color: #fff;\n}\n\n@media print {\n  p { color: black; }\n}\n"
        }
        Language::Go => {
            "package main\n\nfunc add(a, b int) int {\n\treturn a + b\n}\n\nfunc main() {\n\tprintln(add(1, 2))\n}\n"
        }
        Language::Html => {
            "<html>\n<body>\n<h1>Title</h1>\n<p class=\"x\">Some text.</p>\n<script>var x = 1;</script>\n</body>\n</html>\n"
        }
        Language::Java => {
            "class Main {\n    int add(int a, int b) {\n        return a + b;\n    }\n\n    public static void main(String[] args) {}\n}\n"
        }
        Language::JavaScript => {
            "function add(a, b) {\n  return a + b;\n}\n\nconst view = () => <p>{add(1, 2)}</p>;\n\nexport default view;\n"
        }
        Language::Json => {
            "{\n  \"name\": \"x\",\n  \"list\": [1, 2, {\"a\": null}],\n  \"nested\": {\"b\": true, \"c\": \"some text\"}\n}\n"
        }
        Language::Php => {
            "<?php\nfunction add($a, $b) {\n    return $a + $b;\n}\n?>\n<p>Text</p>\n<?php echo add(1, 2); ?>\n"
        }
        Language::Python => {
            "import os\n\n\ndef add(a, b):\n    return a + b\n\n\nclass Thing:\n    def name(self):\n        return os.name\n"
        }
        Language::Ruby => {
            "class Thing\n  def name\n    \"x\"\n  end\nend\n\n[1, 2].each do |n|\n  puts Thing.new.name * n\nend\n"
        }
        Language::Rust => {
            "fn add(a: u32, b: u32) -> u32 {\n    a + b\n}\n\nfn main() {\n    println!(\"{}\", add(1, 2));\n}\n"
        }
        Language::Tsx => {
            "type Props = { name: string };\n\nexport function View({ name }: Props) {\n  return <p>{name}</p>;\n}\n"
        }
        Language::TypeScript => {
            "interface Shape {\n  area(): number;\n}\n\nfunction total(shapes: Shape[]): number {\n  return shapes.length;\n}\n"
        }
        Language::Yaml => {
            "name: x\nlist:\n  - one\n  - two: 2\nnested:\n  text: |\n    several\n    lines\n  other: [1, 2]\n"
        }
    }
}

#[test]
fn every_language_parses_its_sample_without_a_mistake_and_cuts_it() {
    for language in Language::ALL {
        let text = sample(language);
        let mut parser = tree_sitter::Parser::new();
        parser
            .set_language(&language.grammar(text))
            .expect("the grammar fits the library");
        let tree = parser.parse(text, None).expect("parsing has no time limit");
        assert!(
            !tree.root_node().has_error(),
            "{language:?}: {}",
            tree.root_node().to_sexp()
        );

        let settings = NodeParserSettings {
            max_code_chars: 60,
            ..Default::default()
        };
        let nodes = parse_checked(
            &NodeParser::new(settings, TokenCounter::estimate()),
            &code(text, language.name()),
        );
        assert!(nodes.len() >= 2, "{language:?}");
        assert!(nodes.iter().all(|node| node.kind == TextKind::Code));
    }
}

#[test]
fn languages_answer_to_their_aliases_in_any_case() {
    let cases = [
        ("Python", Language::Python),
        ("py", Language::Python),
        ("JS", Language::JavaScript),
        ("ts", Language::TypeScript),
        ("golang", Language::Go),
        ("rs", Language::Rust),
        ("C++", Language::Cpp),
        ("c_sharp", Language::CSharp),
        ("C#", Language::CSharp),
        ("csharp", Language::CSharp),
        ("sh", Language::Bash),
        (" shell ", Language::Bash),
        ("yml", Language::Yaml),
    ];
    for (name, expected) in cases {
        assert_eq!(Language::named(name), Some(expected), "{name}");
    }
    assert_eq!(Language::named("brainfuck"), None);
}
