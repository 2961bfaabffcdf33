//! What is copied, table by table.

/// A table of both engines.
pub(in crate::store) struct Table {
    /// Its name in PostgreSQL.
    pub(in crate::store) name: &'static str,
    /// What it is made of in SQLite: a table or a query.
    pub(in crate::store) source: &'static str,
    /// Its columns, which have the same names there.
    pub(in crate::store) columns: &'static [(&'static str, Kind)],
}

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Kind {
    Text,
    Number,
    Bytes,
    Truth,
}

use Kind::{Bytes, Number, Text, Truth};

/// All but what only counts (`health`) or says how the tables look (`schema_versions`).
pub(in crate::store) const TABLES: &[Table] = &[
    Table {
        name: "publishers",
        source: "publishers",
        columns: &[
            ("id", Text),
            ("resource", Text),
            ("issuer", Text),
            ("rules", Text),
            ("permission", Text),
            ("state", Text),
            ("revision", Number),
            ("created_at", Number),
            ("created_by", Text),
            ("changed_at", Number),
            ("pending_until", Number),
        ],
    },
    Table {
        name: "publisher_uses",
        source: "(SELECT publisher, 1 AS chain, last_used_at, exchanges FROM publisher_uses)",
        columns: &[("publisher", Text), ("chain", Number), ("last_used_at", Number), ("exchanges", Number)],
    },
    Table {
        name: "used_id_tokens",
        // What a use was allowed is compared by each anew.
        source: "(SELECT id_token, max(exchanges) AS exchanges, max(exchanges) AS max_exchanges, max(forget_at) AS forget_at
                    FROM used_id_tokens GROUP BY id_token)",
        columns: &[
            ("id_token", Bytes),
            ("exchanges", Number),
            ("max_exchanges", Number),
            ("forget_at", Number),
        ],
    },
    Table {
        name: "replay_horizon",
        source: "(SELECT 1 AS one, forgotten_until FROM replay_horizon)",
        columns: &[("one", Truth), ("forgotten_until", Number)],
    },
    Table {
        name: "exchanges",
        source: "exchanges",
        columns: &[
            ("id", Text),
            ("at", Number),
            ("outcome", Text),
            ("resource", Text),
            ("issuer", Text),
            ("subject", Text),
            ("publisher", Text),
            ("expires_at", Number),
            ("status_list", Text),
            ("status_index", Number),
            ("detail", Text),
            ("chain", Number),
            ("batch", Number),
            ("revoked_at", Number),
        ],
    },
    Table {
        name: "changes",
        source: "changes",
        columns: &[
            ("request", Text),
            ("ordinal", Number),
            ("at", Number),
            ("actor", Text),
            ("action", Text),
            ("target", Text),
            ("resource", Text),
            ("before", Text),
            ("after", Text),
            ("chain", Number),
            ("batch", Number),
        ],
    },
    Table {
        name: "batches",
        source: "batches",
        columns: &[
            ("chain", Number),
            ("number", Number),
            ("at", Number),
            ("row_count", Number),
            ("first_id", Text),
            ("last_id", Text),
            ("hash", Bytes),
        ],
    },
    Table {
        name: "chains",
        source: "(SELECT known.chain AS id, coalesce(last.number, anchor.number) AS number,
                     coalesce(last.hash, anchor.hash) AS hash, coalesce(last.at, 0) AS at,
                     coalesce(anchor.number, 0) AS anchor_number, coalesce(anchor.hash, zeroblob(32)) AS anchor_hash
                  FROM (SELECT chain, max(number) AS number FROM batches GROUP BY chain
                        UNION SELECT chain, NULL FROM chain_anchors WHERE chain NOT IN (SELECT chain FROM batches)) AS known
                  LEFT JOIN batches AS last ON last.chain = known.chain AND last.number = known.number
                  LEFT JOIN chain_anchors AS anchor ON anchor.chain = known.chain)",
        columns: &[
            ("id", Number),
            ("number", Number),
            ("hash", Bytes),
            ("at", Number),
            ("anchor_number", Number),
            ("anchor_hash", Bytes),
        ],
    },
    Table {
        name: "issuers",
        source: "issuers",
        columns: &[
            ("url", Text),
            ("preset", Text),
            ("created_at", Number),
            ("disabled_at", Number),
            ("removed_at", Number),
        ],
    },
    Table {
        name: "admin_tokens",
        source: "admin_tokens",
        columns: &[
            ("id", Text),
            ("name", Text),
            ("role", Text),
            ("resources", Text),
            ("hash", Bytes),
            ("created_at", Number),
            ("expires_at", Number),
            ("last_used_at", Number),
        ],
    },
    Table {
        name: "idempotency_keys",
        source: "idempotency_keys",
        columns: &[("actor", Text), ("key", Text), ("request", Bytes), ("publishers", Text), ("at", Number)],
    },
    Table {
        name: "signing_keys",
        source: "(SELECT kid, row_number() OVER (ORDER BY active_from, kid) AS number, sealed, created_at, active_from,
                     revoked_at FROM signing_keys)",
        columns: &[
            ("kid", Text),
            ("number", Number),
            ("sealed", Bytes),
            ("created_at", Number),
            ("active_from", Number),
            ("revoked_at", Number),
        ],
    },
];

impl Table {
    /// Reads it from SQLite.
    pub(in crate::store) fn query(&self) -> String {
        format!("SELECT {} FROM {}", self.names(), self.source)
    }

    /// Writes it to PostgreSQL.
    pub(in crate::store) fn copy_in(&self) -> String {
        format!("COPY {} ({}) FROM STDIN BINARY", self.name, self.names())
    }

    fn names(&self) -> String {
        let names: Vec<&str> = self.columns.iter().map(|(name, _)| *name).collect();
        names.join(", ")
    }
}
