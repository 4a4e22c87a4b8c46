//! The HTML report for every reader: contrast, headings, tables, small screens, paper, no colour alone.
//!
//! The pages are looked at in a browser by `tests/html_report.sh`.

use std::collections::BTreeMap;

use super::*;

const STYLE: &str = include_str!("../html.css");

/// The least contrast of text, and of graphics, by WCAG 2.2 at level AA.
const TEXT: f64 = 4.5;
const GRAPHICS: f64 = 3.0;

/// Every list of colours of the style sheet: light, dark, paper. A list that leaves a colour out keeps that of the first.
fn palettes() -> Vec<BTreeMap<String, [u8; 3]>> {
    let mut palettes: Vec<BTreeMap<String, [u8; 3]>> = Vec::new();
    for block in STYLE.split(":root {").skip(1) {
        let block = block.split('}').next().unwrap_or_default();
        let mut palette = palettes.first().cloned().unwrap_or_default();
        for entry in block.split(';') {
            let Some((name, value)) = entry.trim().strip_prefix("--").and_then(|entry| entry.split_once(": #")) else {
                continue;
            };
            let part = |at: usize| u8::from_str_radix(&value[at..at + 2], 16).expect("a colour of six digits");
            palette.insert(name.to_owned(), [part(0), part(2), part(4)]);
        }
        palettes.push(palette);
    }
    palettes
}

/// Relative luminance, as WCAG defines it.
fn luminance(colour: [u8; 3]) -> f64 {
    let linear = colour.map(|part| {
        let part = f64::from(part) / 255.0;
        if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
    });
    0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
}

fn contrast(a: [u8; 3], b: [u8; 3]) -> f64 {
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

#[test]
fn every_text_has_enough_contrast_in_light_in_dark_and_on_paper() {
    assert!((contrast([0, 0, 0], [255, 255, 255]) - 21.0).abs() < 1e-9);
    let palettes = palettes();
    assert_eq!(palettes.len(), 3);
    let pairs = [
        ("ink", "sheet", TEXT),
        ("ink", "band", TEXT),
        ("ink", "good-soft", TEXT),
        ("ink", "warn-soft", TEXT),
        ("ink", "bad-soft", TEXT),
        ("soft", "sheet", TEXT),
        ("soft", "band", TEXT),
        ("soft", "good-soft", TEXT),
        ("soft", "warn-soft", TEXT),
        ("soft", "bad-soft", TEXT),
        ("good", "sheet", TEXT),
        ("warn", "sheet", TEXT),
        ("bad", "sheet", TEXT),
        ("good", "good-soft", TEXT),
        ("warn", "warn-soft", TEXT),
        ("bad", "bad-soft", TEXT),
        ("bar", "sheet", GRAPHICS),
    ];
    for (at, palette) in palettes.iter().enumerate() {
        for (front, back, least) in pairs {
            let found = contrast(palette[front], palette[back]);
            assert!(found >= least, "palette {at}: {front} on {back} has {found:.2}, not {least}");
        }
    }
}

/// The tags of a page, without `<` and `>`.
fn tags(page: &str) -> Vec<&str> {
    let body = page.split("<main>").nth(1).expect("a page");
    body.split('<').skip(1).filter_map(|tag| tag.split('>').next()).collect()
}

#[test]
fn headings_form_an_outline_with_one_top() {
    for (name, reports) in samples::all() {
        let page = html::render(&reports);
        let heading = |tag: &&str| tag.strip_prefix('h').and_then(|level| level.parse::<u8>().ok());
        let levels: Vec<u8> = tags(&page).iter().filter_map(heading).collect();
        assert_eq!(levels.iter().filter(|level| **level == 1).count(), 1, "{name}: {levels:?}");
        assert_eq!(levels[0], 1, "{name}");
        assert!(levels.windows(2).all(|pair| pair[1] <= pair[0] + 1), "{name}: a level is skipped in {levels:?}");
    }
}

#[test]
fn every_table_has_a_name_and_every_cell_its_headings() {
    for (name, reports) in samples::all() {
        let page = html::render(&reports);
        for table in page.split("<table").skip(1).filter_map(|t| t.split("</table>").next()) {
            let caption = table.split("<caption>").nth(1).and_then(|t| t.split("</caption>").next());
            assert!(caption.is_some_and(|caption| !caption.is_empty()), "{name}: {table}");
            let heads: Vec<&str> =
                table.split("<th scope=\"col\"").skip(1).filter_map(|t| t.split('>').nth(1)).collect();
            assert!(heads.len() > 1 && heads.iter().all(|head| head.len() > "</th".len()), "{name}: {heads:?}");
            assert!(!table.contains("<th>") && !table.contains("<th class"), "{name}: a heading without a scope");
            for row in table.split("<tbody>").nth(1).expect("rows").split("<tr").skip(1) {
                if row.starts_with(" class=\"note\"") {
                    continue;
                }
                assert_eq!(row.matches("<th scope=\"row\"").count(), 1, "{name}: {row}");
                // On a narrow screen each cell shows its heading; a bar shows the number next to it.
                let cells = row.matches("<td ").count();
                let named = row.matches("data-head=\"").count() + row.matches("<td class=\"bar\">").count();
                assert_eq!(cells, named, "{name}: {row}");
            }
        }
    }
}

#[test]
fn no_meaning_is_in_a_colour_or_a_picture_alone() {
    for (name, reports) in samples::all() {
        let page = html::render(&reports);
        for tag in tags(&page) {
            assert!(!tag.starts_with("svg") || tag.contains("aria-hidden=\"true\""), "{name}: {tag}");
        }
        // A coloured cell has words, and a coloured verdict a sign that paper shows, too.
        for cell in page.split("<t").skip(1) {
            let (tag, rest) = cell.split_once('>').unwrap_or_default();
            let toned = ["good", "warn", "bad"]
                .iter()
                .any(|tone| tag.ends_with(&format!(" {tone}\"")) || tag.contains(&format!(" {tone}\" ")));
            assert!(!toned || !rest.starts_with('<'), "{name}: a cell with a colour and no words: {tag}");
        }
        let verdict = page.split("<header").nth(1).and_then(|t| t.split("</header>").next()).unwrap_or_default();
        assert!(
            ["✓", "!", "✕", "·"].iter().any(|sign| verdict.contains(&format!("\">{sign}</span>"))),
            "{name}: {verdict}"
        );
    }
}

#[test]
fn a_narrow_screen_shows_every_column_and_paper_none_of_it() {
    let narrow = STYLE.split("@media screen and (max-width: 44rem)").nth(1).expect("a rule for narrow screens");
    let narrow = narrow.split("@page").next().unwrap_or_default();
    for rule in ["tbody td { display: block", "attr(data-head)"] {
        assert!(narrow.contains(rule), "{rule} is missing in{narrow}");
    }
    // A part that scrolls sideways hides its last columns.
    assert!(!STYLE.contains("overflow-x"));
    assert!(STYLE.contains("@media print") && STYLE.contains("@page { size: A4"));
}

#[test]
fn the_page_opens_with_the_verdict_the_losses_and_the_gaps() {
    let page = html::render(&[samples::quarantined()]);
    let at = |text: &str| page.find(text).unwrap_or_else(|| panic!("{text} is not in the page"));
    let order = [
        "<h1>",
        "<h2>What was lost, as the mapping allows</h2>",
        "<h2>What was not checked</h2>",
        "<ul class=\"tiles\">",
        "<h2>Timeline</h2>",
        "<h2>Rows transferred</h2>",
        "<h2>Rows per owner</h2>",
    ];
    assert!(order.map(at).is_sorted());
    for words in [
        "12 values. More decimals than the column holds were rounded.",
        "4 rows were left out, because they do not fit.",
        "The table stayed in the source, with 3 rows: no table on the target.",
        "13 rows were not loaded, because the table held rows already",
        "was looked up, and the looked-up table has changed since. Open: Are the target&#39;s rows, read back",
    ] {
        assert!(page.contains(words), "{words} is not in the page");
    }
    let clean = html::render(&[Report { losses: vec![], left: vec![], ..samples::done() }]);
    assert!(
        clean.contains("Nothing: each row that was read arrives unchanged")
            && clean.contains("Nothing: every check was made.")
    );
    let faults = Report { losses: vec![], left: vec![], dry_run: false, ..samples::dry_run_faults() };
    let refused = html::render(&[faults]);
    assert!(refused.contains("What would be lost") && !refused.contains("arrives unchanged"), "nothing was written");
}
