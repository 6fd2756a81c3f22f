//! The arguments of `cargo xtask test`, as cargo-nextest wants them.

use std::ffi::OsString;

/// Turns `-p NAME` into a filter over the whole workspace. With `-p`, cargo resolves the features
/// of dependencies for that package alone, and compiles a hundred crates again.
///
/// An expression of the user's own (`-E`) is left as it is: it would be one *or* the other.
pub(super) fn for_nextest(args: &[OsString]) -> Vec<OsString> {
    let own = args.iter().take_while(|arg| *arg != "--").count();
    let (own, after) = args.split_at(own);
    let mut result = vec!["--workspace".into()];
    if args.is_empty() {
        // Not the examples, which are for the module's target.
        result.extend(["--bins", "--tests"].map(OsString::from));
    }
    if own.iter().any(is_expression) {
        result = if own.iter().any(|arg| package(arg).is_some()) { Vec::new() } else { result };
        result.extend_from_slice(args);
        return result;
    }
    let mut rest = own.iter();
    while let Some(arg) = rest.next() {
        let name = match package(arg) {
            Some(Some(name)) => name.to_owned(),
            Some(None) => rest.next().and_then(|name| name.to_str()).unwrap_or_default().to_owned(),
            None => {
                result.push(arg.clone());
                continue;
            }
        };
        result.extend(["-E".into(), format!("package(={name})").into()]);
    }
    result.extend_from_slice(after);
    result
}

fn is_expression(arg: &OsString) -> bool {
    let names = ["-E", "--filterset", "--filter-expr"];
    arg.to_str().is_some_and(|arg| names.iter().any(|name| arg.starts_with(name)))
}

/// `Some` for the option that names a package; with the name, if it is in the same argument.
fn package(arg: &OsString) -> Option<Option<&str>> {
    let arg = arg.to_str()?;
    if arg == "-p" || arg == "--package" {
        return Some(None);
    }
    arg.strip_prefix("--package=").or_else(|| arg.strip_prefix("-p")).map(Some)
}

#[cfg(test)]
mod tests {
    use super::for_nextest;

    fn said(args: &str) -> String {
        let args: Vec<_> = args.split_whitespace().map(Into::into).collect();
        let words: Vec<_> =
            for_nextest(&args).into_iter().map(|arg| arg.into_string().unwrap()).collect();
        words.join(" ")
    }

    #[test]
    fn a_package_is_a_filter_over_the_workspace() {
        assert_eq!(said("-p tenantry-store"), "--workspace -E package(=tenantry-store)");
        assert_eq!(
            said("--package=admin --test api keys -- --exact"),
            "--workspace -E package(=admin) --test api keys -- --exact"
        );
        assert_eq!(
            said("-padmin -p xds-server"),
            "--workspace -E package(=admin) -E package(=xds-server)"
        );
        assert_eq!(said("--retries 1"), "--workspace --retries 1");
    }

    #[test]
    fn no_argument_is_every_test() {
        assert_eq!(said(""), "--workspace --bins --tests");
    }

    #[test]
    fn an_expression_of_the_user_s_own_is_left_alone() {
        assert_eq!(said("-E test(keys)"), "--workspace -E test(keys)");
        assert_eq!(said("-p admin -E test(keys)"), "-p admin -E test(keys)");
    }
}
