//! One page that shows everything: figures, table, and the commands behind them. It asks the network for nothing.

use std::fmt::Write as _;

use crate::plot::Figure;
use crate::record::Record;
use crate::table::{self, escaped_html};

/// What a page shows.
#[derive(Debug, Clone, Copy)]
pub struct Page<'a> {
    /// Its title.
    pub title: &'a str,
    /// The command that drew it.
    pub command: &'a str,
    /// The Records of its table.
    pub records: &'a [Record],
    /// Accuracy against costs.
    pub fronts: &'a [Figure],
    /// Cycles and energy, layer by layer.
    pub layers: &'a [Figure],
}

const STYLE: &str = "
body { font: 15px/1.45 Helvetica, Arial, sans-serif; color: #111; background: #fff; margin: 2em auto; max-width: 1180px; padding: 0 1.2em; }
h1 { font-size: 1.5em; } h2 { font-size: 1.2em; margin-top: 2em; border-bottom: 1px solid #bbb; }
.figures { display: flex; flex-wrap: wrap; gap: 1.6em; align-items: flex-start; }
figure { margin: 0; width: 350px; } figure svg { width: 100%; height: auto; }
figcaption { font-size: 13px; } details { font-size: 13px; } summary { cursor: pointer; color: #444; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; background: #f4f4f4; padding: 0.5em; margin: 0.3em 0; }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-size: 13px; }
th, td { text-align: left; padding: 0.2em 0.7em; white-space: nowrap; vertical-align: bottom; }
thead th { border-bottom: 1px solid #111; border-top: 2px solid #111; font-weight: 600; }
tbody tr:last-child td { border-bottom: 2px solid #111; } tbody tr:nth-child(even) { background: #f7f7f7; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
";

/// The page as HTML.
pub fn page(page: &Page<'_>) -> String {
    let title = escaped_html(page.title);
    let n_records = page.records.len();
    let results = if n_records == 1 { "result" } else { "results" };
    let mut html = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n\
         <p>{n_records} {results}, drawn by</p>\n<pre>{}</pre>\n",
        escaped_html(page.command)
    );
    section(&mut html, "Accuracy against cost", page.fronts);
    section(&mut html, "Layer by layer", page.layers);
    html += "<h2>All results</h2>\n<p>Cycles and energy are those of one picture; FA: 1-bit full adders.</p>\n<div class=\"wide\">\n";
    html += &table::html(page.records);
    html += "</div>\n</body>\n</html>\n";
    html
}

fn section(html: &mut String, title: &str, figures: &[Figure]) {
    if figures.is_empty() {
        return;
    }
    html.extend(["<h2>", title, "</h2>\n<div class=\"figures\">\n"]);
    for figure in figures {
        let commands = figure.commands.iter().map(|command| escaped_html(command));
        let commands = commands.collect::<Vec<_>>().join("\n");
        let n_commands = figure.commands.len();
        let plural = if n_commands == 1 { "" } else { "s" };
        let name = escaped_html(&figure.name);
        let written = write!(
            html,
            "<figure id=\"{name}\">\n{}<figcaption>{} <a download=\"{name}.csv\" href=\"data:text/csv;charset=utf-8,{}\">\
             Data</a>.</figcaption>\n<details><summary>The command{plural} behind it ({n_commands})</summary>\
             <pre>{commands}</pre></details>\n</figure>\n",
            figure.svg,
            escaped_html(&figure.caption),
            percent_encoded(&figure.csv)
        );
        written.expect("memory takes what is written");
    }
    *html += "</div>\n";
}

/// Text for a URL: letters, digits and a few signs stay, every other byte becomes `%XX`.
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.,".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").expect("memory takes what is written");
        }
    }
    encoded
}
