//! A row of the log as CSV (RFC 4180). A spreadsheet takes a cell that begins with `=` and the like
//! for a formula, and runs it: such a cell gets an apostrophe before it. So CSV is for people;
//! exports to be verified are JSON Lines.

use store::audit::AuditRow;

/// The first line.
pub(super) const HEADER: &str = "tenant_id,seq,at,actor_kind,actor_id,request_id,source,action,\
                                 object_id,before,after,prev_hash,hash\r\n";

/// The characters that make a cell a formula (OWASP, CSV Injection).
const FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

/// Adds a row.
pub(super) fn write(out: &mut Vec<u8>, row: &AuditRow) {
    let json = |object: &Option<_>| {
        object.as_ref().and_then(|object| serde_json::to_string(object).ok()).unwrap_or_default()
    };
    let cells = [
        row.tenant_id.to_string(),
        row.seq.to_string(),
        row.at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true),
        row.actor_kind.clone(),
        row.actor_id.to_string(),
        row.request_id.clone(),
        row.source.clone().unwrap_or_default(),
        row.action.clone(),
        row.object_id.to_string(),
        json(&row.before),
        json(&row.after),
        row.prev_hash.clone(),
        row.hash.clone(),
    ];
    for (place, cell) in cells.iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        write_cell(out, cell);
    }
    out.extend_from_slice(b"\r\n");
}

fn write_cell(out: &mut Vec<u8>, cell: &str) {
    let formula = cell.starts_with(FORMULA);
    if !formula && !cell.contains([',', '"', '\r', '\n', ' ', '\'']) {
        out.extend_from_slice(cell.as_bytes());
        return;
    }
    out.push(b'"');
    if formula {
        out.push(b'\'');
    }
    out.extend_from_slice(cell.replace('"', "\"\"").as_bytes());
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula_and_none_ends_early() {
        for (cell, expected) in [
            ("plain", "plain"),
            ("", ""),
            ("=1+2", "\"'=1+2\""),
            ("@SUM(A1)", "\"'@SUM(A1)\""),
            ("-7", "\"'-7\""),
            ("+7", "\"'+7\""),
            ("\t=1", "\"'\t=1\""),
            ("{\"a\": 1}", "\"{\"\"a\"\": 1}\""),
            ("a,b", "\"a,b\""),
            ("a\nb", "\"a\nb\""),
        ] {
            let mut out = Vec::new();
            write_cell(&mut out, cell);
            assert_eq!(String::from_utf8(out).unwrap(), expected, "{cell:?}");
        }
    }
}
