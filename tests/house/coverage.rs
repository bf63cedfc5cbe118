//! docs/coverage.md: every row has an answer, and the tests that it names exist.
#![allow(clippy::unwrap_used, reason = "tests stop at the first surprise")]

use std::fs;
use std::path::Path;

#[test]
fn named_tests_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("docs/coverage.md")).unwrap();
    let (mut rows, mut names) = (0, 0);
    for line in text.lines() {
        let cells: Vec<&str> = line.trim().trim_matches('|').split(" | ").map(str::trim).collect();
        let is_row = cells.first().is_some_and(|id| {
            id.strip_prefix('S')
                .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()) && rest.contains('-'))
        });
        if !is_row {
            continue;
        }
        assert_eq!(cells.len(), 4, "columns of {line}");
        assert!(!cells[2].is_empty(), "no answer in {line}");
        rows += 1;
        for name in cells[3].split(',').map(str::trim).filter(|n| !n.is_empty() && *n != "doc tests") {
            // tests/subject/file::test, or module::path::tests::test of src/.
            let (file, test) = match name.strip_prefix("tests/") {
                Some(rest) => {
                    let (file, test) = rest.split_once("::").unwrap_or((rest, ""));
                    (format!("tests/{file}.rs"), test.to_string())
                }
                None => {
                    let (module, test) = name.split_once("::tests").unwrap_or((name, ""));
                    let path = format!("src/{}", module.replace("::", "/"));
                    let inside = format!("{path}/tests.rs");
                    let file = if root.join(&inside).exists() { inside } else { format!("{path}.rs") };
                    (file, test.trim_start_matches("::").to_string())
                }
            };
            let source = fs::read_to_string(root.join(&file)).unwrap_or_default();
            assert!(!source.is_empty(), "{file} of {line}");
            assert!(source.contains(&format!("fn {test}")), "no test '{test}' in {file}, named in {line}");
            names += 1;
        }
    }
    assert!(rows >= 140 && names >= 100, "{rows} rows, {names} tests");
}
