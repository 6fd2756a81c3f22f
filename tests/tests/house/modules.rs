//! The modules of one crate: which file each is, and what it declares.

use std::collections::{BTreeMap, BTreeSet};

use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};

use crate::sources;

/// A path as it is written, such as `crate::tx::TenantTx`.
pub(crate) type Path = Vec<String>;

/// One file, which is one module.
#[derive(Debug, Default)]
pub(crate) struct Module {
    /// Relative to the root of the workspace.
    pub(crate) file: String,
    /// All paths in its code, with the line of each.
    pub(crate) paths: Vec<(usize, Path)>,
    /// The names that it hands on by `pub use`, each with the path that it leads to.
    pub(crate) handed_on: BTreeMap<String, Path>,
    /// Paths of which it hands on everything.
    pub(crate) globs: Vec<Path>,
    /// Names that its `use` lines bring in.
    pub(crate) brought_in: BTreeMap<String, Path>,
    /// The names of its own items.
    pub(crate) defines: BTreeSet<String>,
    /// Modules below it that only tests have.
    pub(crate) test_modules: BTreeSet<String>,
}

/// The modules of a crate by their path; the root has an empty one. Tests are left out.
pub(crate) type Modules = BTreeMap<Path, Module>;

/// Reads all of a crate's source files. A program beside a library is another crate, and is left
/// out: it imports the library alone.
pub(crate) fn read(src: &str) -> Modules {
    let files = sources::files(src, "rs");
    let library = format!("{src}/lib.rs");
    let root = if files.contains(&library) { library } else { format!("{src}/main.rs") };
    let mut modules = Modules::new();
    for file in files {
        let inside = &file[src.len() + 1..file.len() - ".rs".len()];
        let mut path: Path = inside.split('/').map(str::to_owned).collect();
        if file == root {
            path.clear();
        } else if matches!(inside, "main" | "lib") || inside.starts_with("bin/") {
            continue;
        } else if path.last().is_some_and(|name| name == "mod") {
            path.pop();
        }
        modules.insert(path, parse(&file));
    }
    let tests: Vec<Path> = modules
        .iter()
        .flat_map(|(path, module)| {
            module
                .test_modules
                .iter()
                .map(|name| [path.as_slice(), std::slice::from_ref(name)].concat())
        })
        .collect();
    // A file of tests beside what it tests is named after that: `tests`, or with the end `_tests`.
    let named_so = |name: &String| name == "tests" || name.ends_with("_tests");
    modules.retain(|path, _| {
        !path.iter().any(named_so) && !tests.iter().any(|test| path.starts_with(test))
    });
    modules
}

fn parse(file: &str) -> Module {
    let syntax = syn::parse_file(&sources::read(file))
        .unwrap_or_else(|error| panic!("{file} does not parse: {error}"));
    let mut module = Module { file: file.to_owned(), ..Module::default() };
    module.visit_file(&syntax);
    module
}

impl Module {
    fn visit_tree(&mut self, prefix: &Path, tree: &syn::UseTree, public: bool) {
        match tree {
            syn::UseTree::Path(path) => {
                let prefix = [prefix.as_slice(), &[path.ident.to_string()]].concat();
                self.visit_tree(&prefix, &path.tree, public);
            }
            syn::UseTree::Group(group) => {
                group.items.iter().for_each(|tree| self.visit_tree(prefix, tree, public));
            }
            syn::UseTree::Name(name) => {
                let name = name.ident.to_string();
                self.bring_in(prefix, &name, name.clone(), tree, public);
            }
            syn::UseTree::Rename(rename) => {
                let (name, alias) = (rename.ident.to_string(), rename.rename.to_string());
                self.bring_in(prefix, &name, alias, tree, public);
            }
            syn::UseTree::Glob(_) if public => self.globs.push(prefix.clone()),
            syn::UseTree::Glob(_) => {
                self.paths.push((tree.span().start().line, prefix.clone()));
            }
        }
    }

    fn bring_in(
        &mut self,
        prefix: &Path,
        name: &str,
        known_as: String,
        tree: &syn::UseTree,
        public: bool,
    ) {
        let own = [name.to_owned()];
        let path = if name == "self" { prefix.clone() } else { [prefix.as_slice(), &own].concat() };
        let known_as =
            if known_as == "self" { path.last().cloned().unwrap_or_default() } else { known_as };
        if public {
            self.handed_on.insert(known_as.clone(), path.clone());
        } else {
            self.paths.push((tree.span().start().line, path.clone()));
        }
        self.brought_in.insert(known_as, path);
    }

    /// The paths in the arguments of a macro, which are tokens and no syntax yet.
    fn visit_tokens(&mut self, tokens: proc_macro2::TokenStream) {
        let mut path = Path::new();
        let mut line = 0;
        let mut colons = 0;
        for token in tokens {
            match &token {
                proc_macro2::TokenTree::Ident(ident) => {
                    if colons != 2 {
                        self.end_path(&mut path, line);
                    }
                    line = ident.span().start().line;
                    path.push(ident.to_string());
                    colons = 0;
                    continue;
                }
                proc_macro2::TokenTree::Punct(punct) if punct.as_char() == ':' => {
                    colons += 1;
                    continue;
                }
                proc_macro2::TokenTree::Group(group) => self.visit_tokens(group.stream()),
                _ => {}
            }
            self.end_path(&mut path, line);
            colons = 0;
        }
        self.end_path(&mut path, line);
    }

    fn end_path(&mut self, path: &mut Path, line: usize) {
        let path = std::mem::take(path);
        if path.len() > 1 {
            self.paths.push((line, path));
        }
    }
}

impl<'ast> Visit<'ast> for Module {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        let (attributes, name) = match item {
            syn::Item::Const(item) => (&item.attrs, Some(&item.ident)),
            syn::Item::Enum(item) => (&item.attrs, Some(&item.ident)),
            syn::Item::Fn(item) => (&item.attrs, Some(&item.sig.ident)),
            syn::Item::Macro(item) => (&item.attrs, item.ident.as_ref()),
            syn::Item::Mod(item) => (&item.attrs, None),
            syn::Item::Static(item) => (&item.attrs, Some(&item.ident)),
            syn::Item::Struct(item) => (&item.attrs, Some(&item.ident)),
            syn::Item::Trait(item) => (&item.attrs, Some(&item.ident)),
            syn::Item::Type(item) => (&item.attrs, Some(&item.ident)),
            syn::Item::Union(item) => (&item.attrs, Some(&item.ident)),
            syn::Item::Impl(item) => (&item.attrs, None),
            syn::Item::Use(item) => (&item.attrs, None),
            _ => return visit::visit_item(self, item),
        };
        if attributes.iter().any(is_for_tests) {
            if let syn::Item::Mod(module) = item {
                self.test_modules.insert(module.ident.to_string());
            }
            return;
        }
        self.defines.extend(name.map(ToString::to_string));
        visit::visit_item(self, item);
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        let public = !matches!(item.vis, syn::Visibility::Inherited);
        self.visit_tree(&Path::new(), &item.tree, public);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Path = path.segments.iter().map(|part| part.ident.to_string()).collect();
        if segments.len() > 1 {
            self.paths.push((path.span().start().line, segments));
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, item: &'ast syn::Macro) {
        self.visit_tokens(item.tokens.clone());
        visit::visit_macro(self, item);
    }
}

/// True for `#[cfg(test)]`, and for `#[cfg(any(test, ...))]` and the like.
fn is_for_tests(attribute: &syn::Attribute) -> bool {
    let syn::Meta::List(list) = &attribute.meta else { return false };
    let says = |word| {
        list.tokens
            .clone()
            .into_iter()
            .any(|token| matches!(&token, proc_macro2::TokenTree::Ident(ident) if ident == word))
    };
    list.path.is_ident("cfg") && says("test") && !says("not")
}
