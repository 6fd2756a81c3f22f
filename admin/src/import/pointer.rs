//! JSON pointers (RFC 6901).

/// Adds a step to a pointer: `~` and `/` inside of it are escaped.
pub(super) fn push(pointer: &mut String, step: &str) {
    pointer.push('/');
    pointer.push_str(&step.replace('~', "~0").replace('/', "~1"));
}

/// The pointer of these steps.
pub(super) fn of(steps: &[&str]) -> String {
    let mut pointer = String::new();
    for step in steps {
        push(&mut pointer, step);
    }
    pointer
}

/// The pointer of a path that serde followed.
pub(super) fn of_path(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let mut pointer = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => push(&mut pointer, &index.to_string()),
            Segment::Map { key } => push(&mut pointer, key),
            Segment::Enum { variant } => push(&mut pointer, variant),
            Segment::Unknown => push(&mut pointer, "?"),
        }
    }
    pointer
}
