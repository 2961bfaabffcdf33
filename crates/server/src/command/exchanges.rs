//! `countersign-server exchanges`.

use countersign_server::store::{self, ExchangeFilter, IfMissing, Page, RecordedExchange, Store, StoreError};

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
        let exchanges = latest(&*store, self.limit).await?;
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

/// As many as are wanted, however many parts they come in: one part ends where the store takes a breath.
async fn latest(store: &dyn Store, wanted: u32) -> Result<Vec<RecordedExchange>, StoreError> {
    let (mut exchanges, mut page) = (Vec::new(), Page::first(wanted));
    while page.limit > 0 {
        let part = store.exchanges(&ExchangeFilter::default(), &page).await?;
        page.limit = page.limit.saturating_sub(u32::try_from(part.entries.len()).unwrap_or(u32::MAX));
        exchanges.extend(part.entries);
        let Some(next) = part.next else { break };
        page.after = Some(next);
    }
    Ok(exchanges)
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
