//! What is around every page.

use axum::http::HeaderMap;
use clawpool_core::config::Scope;

use super::{
    assets::{ASSETS, Assets},
    register::{Menu, PAGES, Page},
    session::{THEME, read},
    told::Told,
    visit::Visit,
};

pub(super) struct Layout {
    pub(super) title: String,
    pub(super) menu: Vec<MenuEntry>,
    pub(super) told: Option<Told>,
    pub(super) assets: &'static Assets,
    /// `light`, `dark`, or as the system has it.
    pub(super) theme: &'static str,
    /// After the next press of the switch.
    pub(super) next_theme: &'static str,
    /// Where the switch leads back to.
    pub(super) address: String,
    pub(super) visitor: Option<Visitor>,
    pub(super) version: &'static str,
}

pub(super) struct MenuEntry {
    pub(super) path: &'static str,
    pub(super) name: &'static str,
    pub(super) is_here: bool,
    /// Begins the second part of the menu.
    pub(super) is_second: bool,
}

/// Who has signed in, or a visitor where nobody has to.
pub(super) struct Visitor {
    pub(super) name: Option<String>,
    /// What the token allows, in a word or two.
    pub(super) role: String,
    /// To whose tasks it is held.
    pub(super) limits: String,
    pub(super) read_only: bool,
}

const THEMES: [&str; 3] = ["system", "light", "dark"];

impl Layout {
    pub(super) fn of(visit: &Visit, title: &str) -> Self {
        let is_known = !visit.access.scopes.is_empty();
        let seen = PAGES.iter().filter(|page| is_known && page.sees.check(&visit.access).is_ok());
        let menu = seen.filter_map(|page| entry(page, visit.page)).collect();
        let bare = Self::bare(title, &visit.head.headers);
        let address = if visit.head.method.is_safe() { visit.address() } else { visit.page.to_owned() };
        Self { menu, address, visitor: is_known.then(|| visitor(visit)), ..bare }
    }

    /// Where nobody knows who visits.
    pub(super) fn bare(title: &str, headers: &HeaderMap) -> Self {
        let chosen = read(headers, THEME).unwrap_or_default();
        let at = THEMES.iter().position(|theme| theme.as_bytes() == chosen).unwrap_or(0);
        Self {
            title: title.to_owned(),
            menu: Vec::new(),
            told: Told::of(headers),
            assets: &ASSETS,
            theme: THEMES[at],
            next_theme: THEMES[(at + 1) % THEMES.len()],
            address: "/".to_owned(),
            visitor: None,
            version: env!("CARGO_PKG_VERSION"),
        }
    }
}

fn entry(page: &Page, here: &str) -> Option<MenuEntry> {
    let (name, is_second) = match page.menu {
        Menu::No => return None,
        Menu::First(name) => (name, false),
        Menu::Second(name) => (name, true),
    };
    // A task's own page lies below the list.
    let is_here = page.path == here || (page.path != "/" && here.starts_with(&format!("{}/", page.path)));
    Some(MenuEntry { path: page.path, name, is_here, is_second })
}

fn visitor(visit: &Visit) -> Visitor {
    let access = &visit.access;
    let named = |title: &str, names: Vec<&str>| {
        if names.is_empty() { String::new() } else { format!("{title} {}", names.join(", ")) }
    };
    let tenants = access.tenants.iter().map(String::as_str).collect();
    let queues = access.queues.iter().map(|pattern| pattern.as_str()).collect();
    let limits = [named("tenants", tenants), named("queues", queues)];
    let limits: Vec<String> = limits.into_iter().filter(|text| !text.is_empty()).collect();
    let holds = |scope: Scope| access.scopes.contains(&scope);
    let role = if holds(Scope::Admin) {
        "admin"
    } else if holds(Scope::Operate) {
        "operator"
    } else {
        "reader"
    };
    Visitor {
        name: access.name.clone(),
        role: role.to_owned(),
        limits: limits.join("; "),
        read_only: access.read_only,
    }
}
