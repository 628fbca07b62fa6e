//! Whether HTML is what our templates wrote: known tags, closed in their order, with known attributes.

const VOID: [&str; 6] = ["meta", "link", "input", "img", "path", "rect"];
const TAGS: [&str; 69] = [
    "!doctype",
    "a",
    "b",
    "body",
    "button",
    "caption",
    "code",
    "dd",
    "details",
    "div",
    "dl",
    "dt",
    "figcaption",
    "figure",
    "footer",
    "form",
    "h1",
    "h2",
    "h3",
    "head",
    "header",
    "html",
    "img",
    "input",
    "label",
    "li",
    "link",
    "main",
    "meta",
    "nav",
    "ol",
    "option",
    "p",
    "path",
    "pre",
    "rect",
    "script",
    "section",
    "select",
    "small",
    "span",
    "strong",
    "summary",
    "svg",
    "table",
    "tbody",
    "td",
    "textarea",
    "th",
    "thead",
    "time",
    "title",
    "tr",
    "ul",
    "em",
    "abbr",
    "kbd",
    "hr",
    "br",
    "dialog",
    "menu",
    "meter",
    "progress",
    "aside",
    "article",
    "legend",
    "fieldset",
    "output",
    "tfoot",
];
const ATTRIBUTES: [&str; 60] = [
    "action",
    "alt",
    "aria-current",
    "aria-hidden",
    "aria-label",
    "aria-labelledby",
    "autocomplete",
    "autofocus",
    "charset",
    "checked",
    "class",
    "content",
    "d",
    "data-goes-on",
    "data-key",
    "data-live",
    "data-near",
    "data-theme",
    "datetime",
    "defer",
    "disabled",
    "for",
    "formaction",
    "height",
    "href",
    "http-equiv",
    "id",
    "lang",
    "max",
    "method",
    "min",
    "name",
    "open",
    "placeholder",
    "preserveaspectratio",
    "rel",
    "required",
    "role",
    "rows",
    "scope",
    "selected",
    "size",
    "spellcheck",
    "src",
    "tabindex",
    "title",
    "type",
    "value",
    "viewbox",
    "width",
    "x",
    "xmlns",
    "y",
    "html",
    "aria-describedby",
    "aria-live",
    "cols",
    "colspan",
    "rowspan",
    "step",
];

/// What is wrong with a page, if anything.
pub(super) fn fault(html: &str) -> Option<String> {
    let mut open: Vec<String> = Vec::new();
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        let Some(end) = rest.find('>') else { return Some(format!("<{rest} has no end")) };
        let (tag, after) = (&rest[..end], &rest[end + 1..]);
        rest = after;
        if let Some(name) = tag.strip_prefix('/') {
            match open.pop() {
                Some(opened) if opened == name.to_lowercase() => continue,
                opened => return Some(format!("</{name}> ends {opened:?}")),
            }
        }
        let name = tag.split([' ', '\n', '/']).next().unwrap_or_default().to_lowercase();
        if !TAGS.contains(&&*name) {
            return Some(format!("a tag of no template: <{tag}>"));
        }
        if let Some(wrong) = wrong_attribute(&tag[name.len()..]) {
            return Some(format!("{wrong} in <{tag}>"));
        }
        if !VOID.contains(&&*name) && name != "!doctype" || (name == "path" && !tag.ends_with('/')) {
            open.push(name);
        }
    }
    let unseen = html.chars().find(|character| character.is_control() && !"\n\t".contains(*character));
    if let Some(character) = unseen {
        return Some(format!("the character {character:?}"));
    }
    (!open.is_empty()).then(|| format!("never closed: {open:?}"))
}

fn wrong_attribute(text: &str) -> Option<String> {
    let mut rest = text.trim().trim_end_matches('/').trim();
    while !rest.is_empty() {
        let end = rest.find([' ', '\n', '=']).unwrap_or(rest.len());
        let name = rest[..end].to_lowercase();
        if !ATTRIBUTES.contains(&&*name) {
            return Some(format!("the attribute {name:?}"));
        }
        rest = rest[end..].trim_start();
        if let Some(value) = rest.strip_prefix('=') {
            let Some(value) = value.strip_prefix('"') else { return Some(format!("{name} without quotes")) };
            let Some(end) = value.find('"') else { return Some(format!("{name} without an end")) };
            if name == "href" && value.trim_start().to_lowercase().starts_with("javascript:") {
                return Some("a link that is a script".to_owned());
            }
            rest = value[end + 1..].trim_start();
        }
    }
    None
}

#[track_caller]
pub(super) fn assert_ours(what: &str, html: &str) {
    if let Some(fault) = fault(html) {
        panic!("{what}: {fault}\n{html}");
    }
}

#[test]
fn what_is_not_ours_is_seen() {
    let page =
        |inside: &str| format!("<!doctype html>\n<html><body><p class=\"a\">{inside}</p></body></html>\n");
    assert_eq!(fault(&page("plain &lt;script&gt; <b>x</b><img src=\"a\" alt=\"\">")), None);
    for inside in [
        "<script>",
        "</p>",
        "<img src=\"x\" onerror=\"alert(1)\">",
        "<iframe></iframe>",
        "<p style=\"x\">a</p>",
        "<a href=\"javascript:alert(1)\">a</a>",
        "a\0b",
        "a\u{9b}b",
        "<a href=x>a</a>",
    ] {
        assert!(fault(&page(inside)).is_some(), "{inside:?}");
    }
}

/// Everything passes through the escaper: a value that is taken for markup would have to say so.
#[test]
fn no_template_takes_a_value_for_markup() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("dashboard/templates");
    let mut looked = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        for word in ["|safe", "| safe", "escape", "style=", "onclick"] {
            assert!(!text.contains(word), "{word} in {}", path.display());
        }
        looked += 1;
    }
    assert!(looked > 10, "{looked}");
}
