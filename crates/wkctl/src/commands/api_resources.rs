//! `api-resources`: what the server has.

use crate::output::table::Widths;
use crate::session::Session;

/// Arguments of `api-resources`.
#[derive(Debug, clap::Args)]
pub(crate) struct ApiResourcesArgs {
    /// Only those of this group
    #[arg(long, value_name = "GROUP")]
    api_group: Option<String>,
    /// Only those that are, or are not, in namespaces
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true",
        value_name = "BOOL")]
    namespaced: Option<bool>,
    /// Only those that take all of these verbs
    #[arg(long, value_name = "VERB", value_delimiter = ',')]
    verbs: Vec<String>,
    /// Only those of all of these categories, such as `all`
    #[arg(long, value_name = "CATEGORY", value_delimiter = ',')]
    categories: Vec<String>,
    /// Sort by this instead of by group: `name` or `kind`
    #[arg(long, value_name = "FIELD", value_parser = ["name", "kind"])]
    sort_by: Option<String>,
    /// Leave out the headers of columns
    #[arg(long)]
    no_headers: bool,
    /// wide or name
    #[arg(short, long, value_name = "FORMAT", value_parser = ["wide", "name"])]
    output: Option<String>,
}

pub(crate) async fn run(session: &Session, args: ApiResourcesArgs) -> anyhow::Result<()> {
    let mut found: Vec<_> = session
        .discovered()
        .await?
        .iter()
        .filter(|found| args.api_group.as_ref().is_none_or(|group| *group == found.group))
        .filter(|found| args.namespaced.is_none_or(|namespaced| namespaced == found.namespaced))
        .filter(|found| args.verbs.iter().all(|verb| found.verbs.contains(verb)))
        .filter(|found| args.categories.iter().all(|name| found.categories.contains(name)))
        .collect();
    found.sort_by(|a, b| (&a.group, &a.plural).cmp(&(&b.group, &b.plural)));
    match args.sort_by.as_deref() {
        Some("name") => found.sort_by(|a, b| a.plural.cmp(&b.plural)),
        Some("kind") => found.sort_by(|a, b| a.kind.cmp(&b.kind)),
        _ => {}
    }
    if args.output.as_deref() == Some("name") {
        for resource in found {
            session.console.line(resource.plural_with_group())?;
        }
        return Ok(());
    }
    let wide = args.output.is_some();
    let mut rows = Vec::new();
    if !args.no_headers {
        let more = if wide { &["VERBS", "CATEGORIES"][..] } else { &[] };
        let columns = ["NAME", "SHORTNAMES", "APIVERSION", "NAMESPACED", "KIND"];
        rows.push(columns.iter().chain(more).map(|column| (*column).to_owned()).collect());
    }
    for resource in found {
        let mut row = vec![
            resource.plural.clone(),
            resource.short_names.join(","),
            resource.api_version(),
            resource.namespaced.to_string(),
            resource.kind.clone(),
        ];
        if wide {
            row.extend([resource.verbs.join(","), resource.categories.join(",")]);
        }
        rows.push(row);
    }
    Ok(session.console.print(Widths::default().lines(&rows))?)
}
