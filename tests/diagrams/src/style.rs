//! Colours for light and for dark pages.

/// The colours of a page.
struct Palette {
    text: &'static str,
    quiet: &'static str,
    base: &'static str,
    step: &'static str,
    good: &'static str,
    bad: &'static str,
    other: &'static str,
    us: &'static str,
    them: &'static str,
}

const LIGHT: Palette = Palette {
    text: "#1f2328",
    quiet: "#59636e",
    base: "#59636e",
    step: "#f6f8fa",
    good: "#dafbe1",
    bad: "#ffebe9",
    other: "#fff8c5",
    us: "#0969da",
    them: "#a3acb6",
};

const DARK: Palette = Palette {
    text: "#f0f6fc",
    quiet: "#9198a1",
    base: "#9198a1",
    step: "#212830",
    good: "#12361f",
    bad: "#4a1b1b",
    other: "#3d2f0b",
    us: "#4493f8",
    them: "#6e7781",
};

/// Returns the style sheet of a picture whose `svg` element has the class `pidlock`. It does not touch
/// the rest of a page that contains the picture. The reader's setting chooses the colours, and on a
/// page of rustdoc, the theme of the page.
pub(crate) fn sheet() -> String {
    let page = "svg.pidlock";
    [
        format!(
            "{page}{{max-width:100%;height:auto}}\
             {page} text{{font:12px system-ui,sans-serif}}\
             {page} .title{{font-weight:600;font-size:13px}}\
             {page} .code{{font-family:ui-monospace,monospace}}\
             {page} .arrow{{fill:none;stroke-width:1.5}}"
        ),
        rules(&LIGHT, page),
        format!(
            "@media(prefers-color-scheme:dark){{{}}}",
            rules(&DARK, page)
        ),
        rules(&LIGHT, "[data-theme=light] svg.pidlock"),
        rules(&DARK, "[data-theme=dark] svg.pidlock"),
        rules(&DARK, "[data-theme=ayu] svg.pidlock"),
    ]
    .join("\n")
}

/// The rules of a palette for pictures that match a selector.
fn rules(palette: &Palette, page: &str) -> String {
    let fill = |class: &str, colour| format!("{page} {class}{{fill:{colour}}}");
    let stroke = |class: &str, colour| format!("{page} {class}{{stroke:{colour}}}");
    [
        fill("text", palette.text),
        fill(".quiet", palette.quiet),
        stroke(".base", palette.base),
        stroke(".arrow", palette.base),
        fill(".head", palette.base),
        stroke(".box", palette.base),
        fill(".step", palette.step),
        fill(".good", palette.good),
        fill(".bad", palette.bad),
        fill(".other", palette.other),
        fill(".us", palette.us),
        fill(".them", palette.them),
    ]
    .concat()
}
