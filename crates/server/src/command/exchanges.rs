//! `countersign-server exchanges`.

use countersign_server::store::{self, ExchangeFilter, IfMissing, RecordedExchange};

use super::{say, written};
use crate::Common;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// How many, newest first.
    #[arg(long, default_value_t = 20)]
    limit: u32,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    common: Common,
}

impl Arguments {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let store = store::open(&self.common.load()?.database, IfMissing::Refuse).await?;
        let mut exchanges = Vec::new();
        let fetch = async |page: &_| store.exchanges(&ExchangeFilter::default(), page).await;
        store::go_through(self.limit.into(), fetch, |exchange| exchanges.push(exchange)).await?;
        if self.json {
            say(&serde_json::to_string_pretty(&exchanges)?);
            return Ok(());
        }
        if exchanges.is_empty() {
            say("no exchanges on record");
        }
        for exchange in &exchanges {
            say(&described(exchange));
        }
        Ok(())
    }
}

fn described(exchange: &RecordedExchange) -> String {
    let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let mut lines = vec![
        format!("{}  {}  {}", written(exchange.at), exchange.outcome, or_dash(&exchange.resource)),
        format!("  request      {}", exchange.id),
        format!("  issuer       {}", or_dash(&exchange.issuer)),
        format!("  subject      {}", or_dash(&exchange.subject)),
    ];
    lines.extend(exchange.publisher.as_ref().map(|publisher| format!("  publisher    {publisher}")));
    let explanation = exchange.detail.get("explanation").and_then(serde_json::Value::as_str);
    lines.extend(
        explanation.map(|text| format!("  explanation  {}", text.replace('\n', "\n               "))),
    );
    lines.join("\n") + "\n"
}
