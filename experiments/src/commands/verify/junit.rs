//! The result of `verify` as JUnit XML, a test case a dump.

use super::{DumpReport, Report};

/// Of a run that has not ended.
pub(super) const UNFINISHED: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n\
    <testsuite name=\"tridot verify\" tests=\"1\" errors=\"1\">\n<testcase name=\"verify\">\n\
    <error message=\"tridot verify did not end\"/>\n</testcase>\n</testsuite>\n</testsuites>\n";

pub(super) fn xml(report: &Report) -> String {
    let failures = report.dumps.iter().filter(|dump| dump.mismatches != 0).count();
    let suite = format!("tridot verify, layer `{}`", report.layer);
    let cases: String = report.dumps.iter().map(case).collect();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n<testsuite name=\"{}\" tests=\"{}\" \
         failures=\"{failures}\">\n{cases}</testsuite>\n</testsuites>\n",
        escaped(&suite),
        report.dumps.len()
    )
}

fn case(dump: &DumpReport) -> String {
    let (name, file) = (dump.quantity, escaped(&dump.file));
    let Some(first) = &dump.first_mismatch else {
        return format!("<testcase name=\"{name}\" classname=\"{file}\"/>\n");
    };
    let kinds = dump.kinds.iter().map(|(kind, count)| format!("{count} {kind}"));
    let message = format!(
        "{} of {} differ: {}",
        dump.mismatches,
        dump.values_compared,
        kinds.collect::<Vec<_>>().join(", ")
    );
    format!(
        "<testcase name=\"{name}\" classname=\"{file}\">\n<failure message=\"{}\">{}</failure>\n</testcase>\n",
        escaped(&message),
        escaped(&first.text)
    )
}

/// Text as XML may hold it, in elements and attributes.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => safe += "&lt;",
            '>' => safe += "&gt;",
            '&' => safe += "&amp;",
            '"' => safe += "&quot;",
            c if c.is_control() => safe.push('\u{fffd}'),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_users_stays_text() {
        assert_eq!(escaped("a<b>&\"c\"\n\u{1b}"), "a&lt;b&gt;&amp;&quot;c&quot;\u{fffd}\u{fffd}");
    }
}
