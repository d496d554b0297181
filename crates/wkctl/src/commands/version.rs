//! `version`: of this program and of the server.

use anyhow::bail;
use serde_json::{Value, json};

use crate::client::Call;
use crate::kinds::text;
use crate::session::Session;
use crate::yaml;

/// Arguments of `version`.
#[derive(Debug, clap::Args)]
pub(crate) struct VersionArgs {
    /// Ask no server
    #[arg(long)]
    client: bool,
    /// json or yaml
    #[arg(short, long, value_name = "FORMAT")]
    output: Option<String>,
}

pub(crate) async fn run(session: &Session, args: VersionArgs) -> anyhow::Result<()> {
    let version = concat!("v", env!("CARGO_PKG_VERSION"));
    let mut report = json!({"clientVersion": {
        "gitVersion": version,
        "platform": format!("{}/{}", std::env::consts::OS, std::env::consts::ARCH),
    }});
    let server: anyhow::Result<Value> = if args.client {
        Ok(Value::Null)
    } else {
        async { session.client().await?.object(Call::get("/version")).await }.await
    };
    if let Ok(server) = &server
        && !server.is_null()
    {
        report["serverVersion"] = server.clone();
    }
    match args.output.as_deref() {
        None => {
            session.console.line(format!("Client Version: {version}"))?;
            if let Some(server) = report.get("serverVersion") {
                session.console.line(format!("Server Version: {}", text(server, "/gitVersion")))?;
            }
        }
        Some("json") => session.console.line(serde_json::to_string_pretty(&report)?)?,
        Some("yaml") => session.console.print(yaml::text(&report))?,
        Some(_) => bail!("--output must be 'yaml' or 'json'"),
    }
    // What is known is printed, whether or not there is a server.
    server.map(drop)
}
