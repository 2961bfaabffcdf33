//! Following a chain from its beginning to its head.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use super::{Batch, Hash};

/// A link as it is stored: what a batch must come to.
#[derive(Clone, Debug)]
pub struct Link {
    /// The batch's number.
    pub number: i64,
    /// How many rows it had.
    pub rows: i64,
    /// Its hash.
    pub hash: Hash,
}

/// Where a chain is at: what an auditor notes down, to ask later whether it is still part of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainHead {
    /// The chain.
    pub chain: i64,
    /// The number of its last batch.
    pub number: i64,
    /// The hash of that batch.
    pub hash: Hash,
}

/// What a verification found in order.
#[derive(Clone, Debug, Default)]
pub struct Verified {
    /// The heads of all chains.
    pub heads: Vec<ChainHead>,
    /// How many batches were followed.
    pub batches: u64,
    /// How many rows they hold.
    pub rows: u64,
    /// Heads that were noted down, of what has been pruned since: there is nothing left to compare them with.
    pub pruned: Vec<ChainHead>,
}

/// What is not as it was written.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChainBreak {
    /// A batch is gone.
    #[error("chain {chain}: batch {expected} is missing; the next there is {found}")]
    Missing {
        /// The chain.
        chain: i64,
        /// The number that comes next.
        expected: i64,
        /// The number that came.
        found: i64,
    },
    /// Rows of a batch were added or removed.
    #[error("chain {chain}: batch {number} was written with {expected} rows and has {found}")]
    Rows {
        /// The chain.
        chain: i64,
        /// The batch.
        number: i64,
        /// How many were written.
        expected: i64,
        /// How many there are.
        found: i64,
    },
    /// A row or a link was altered.
    #[error(
        "chain {chain}: batch {number} is not what was written: its hash or that of a batch before it is another"
    )]
    Altered {
        /// The chain.
        chain: i64,
        /// The batch.
        number: i64,
    },
    /// A head that was noted down is not in the log.
    #[error(
        "the head {0} is not part of the log: batches after it or the whole log were replaced or removed"
    )]
    Unknown(ChainHead),
    /// The beginning is gone, and no entry says that it was pruned.
    #[error("the log begins after {0}, and no entry of it says that it was pruned up to there")]
    Anchor(ChainHead),
    /// Rows that no batch wrote.
    #[error("there are {found} rows, and the batches wrote {expected}: rows were added from outside")]
    Foreign {
        /// How many the batches wrote.
        expected: i64,
        /// How many there are.
        found: i64,
    },
}

/// Follows one chain, batch by batch.
#[derive(Debug)]
pub struct ChainReader {
    head: ChainHead,
}

impl ChainReader {
    /// Begins after `anchor`, up to which the log was pruned; number 0 and zeros if it never was.
    pub fn after(anchor: ChainHead) -> Self {
        Self { head: anchor }
    }

    /// The batch that is expected next, without its rows.
    pub fn expected(&self) -> Batch {
        Batch::after(self.head.chain, self.head.number, self.head.hash)
    }

    /// Takes the next link, and the batch of [`ChainReader::expected`] with the rows that are stored.
    pub fn follow(&mut self, link: &Link, batch: &Batch) -> Result<(), ChainBreak> {
        let (chain, number) = (self.head.chain, self.head.number + 1);
        if link.number != number {
            return Err(ChainBreak::Missing { chain, expected: number, found: link.number });
        }
        if batch.rows() != link.rows {
            return Err(ChainBreak::Rows { chain, number, expected: link.rows, found: batch.rows() });
        }
        if batch.hash() != link.hash {
            return Err(ChainBreak::Altered { chain, number });
        }
        self.head = ChainHead { chain, number, hash: link.hash };
        Ok(())
    }

    /// How far it has come.
    pub fn head(&self) -> &ChainHead {
        &self.head
    }
}

impl fmt::Display for ChainHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:", self.chain, self.number)?;
        self.hash.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Not the head of a chain.
#[derive(Debug, Error)]
#[error("expected the head of a chain as `audit verify` prints it, CHAIN:NUMBER:HASH; found {0:?}")]
pub struct ChainHeadError(String);

impl FromStr for ChainHead {
    type Err = ChainHeadError;

    fn from_str(text: &str) -> Result<Self, ChainHeadError> {
        let wrong = || ChainHeadError(text.chars().take(120).collect());
        let mut parts = text.splitn(3, ':');
        let mut number = || parts.next().and_then(|part| part.parse().ok()).ok_or_else(wrong);
        let (chain, number) = (number()?, number()?);
        let written = parts.next().filter(|hash| hash.len() == 64 && hash.is_ascii()).ok_or_else(wrong)?;
        let mut hash = [0; 32];
        for (byte, digits) in hash.iter_mut().zip(written.as_bytes().chunks(2)) {
            let digits = std::str::from_utf8(digits).map_err(|_| wrong())?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| wrong())?;
        }
        Ok(Self { chain, number, hash })
    }
}

#[cfg(test)]
mod tests {
    use super::super::ChangeRow;
    use super::{Batch, ChainBreak, ChainHead, ChainReader, Link};

    fn change<'a>(request: &'a str, action: &'a str, before: Option<&'a str>) -> ChangeRow<'a> {
        ChangeRow {
            request,
            ordinal: 0,
            at: 5,
            actor: "command",
            action,
            target: "publisher:1",
            resource: None,
            before,
            after: None,
        }
    }

    fn start() -> ChainReader {
        ChainReader::after(ChainHead { chain: 1, number: 0, hash: [0; 32] })
    }

    fn link(batch: &Batch) -> Link {
        Link { number: batch.number, rows: batch.rows(), hash: batch.hash() }
    }

    #[test]
    fn the_order_of_reading_does_not_matter_and_every_byte_does() {
        let mut written = start().expected();
        written.change(&change("a", "x", None));
        written.change(&change("b", "y", Some("1")));
        let mut read = start().expected();
        read.change(&change("b", "y", Some("1")));
        read.change(&change("a", "x", None));
        assert_eq!(written.hash(), read.hash());
        assert_eq!(written.span(), Some(("a", "b")));
        start().follow(&link(&written), &read).unwrap();

        for altered in [change("b", "y", Some("2")), change("b", "y", None), change("b", "y1", Some(""))] {
            let mut batch = start().expected();
            batch.change(&change("a", "x", None));
            batch.change(&altered);
            let broken = start().follow(&link(&written), &batch).unwrap_err();
            assert_eq!(broken, ChainBreak::Altered { chain: 1, number: 1 });
        }
    }

    #[test]
    fn a_chain_breaks_where_something_is_missing() {
        let mut reader = start();
        let mut first = reader.expected();
        first.change(&change("a", "x", None));
        reader.follow(&link(&first), &first).unwrap();
        let mut second = reader.expected();
        second.change(&change("b", "x", None));
        let empty = reader.expected();
        assert_eq!(
            reader.follow(&link(&second), &empty),
            Err(ChainBreak::Rows { chain: 1, number: 2, expected: 1, found: 0 })
        );
        let skipped = start().follow(&link(&second), &second);
        assert_eq!(skipped, Err(ChainBreak::Missing { chain: 1, expected: 1, found: 2 }));
        // A batch that was removed together with its link breaks the one after it, whatever its number says.
        let mut renumbered = link(&second);
        renumbered.number = 1;
        let mut read = start().expected();
        read.change(&change("b", "x", None));
        let broken = start().follow(&renumbered, &read).unwrap_err();
        assert_eq!(broken, ChainBreak::Altered { chain: 1, number: 1 });
    }

    #[test]
    fn heads_read_and_write_back() {
        let head = ChainHead { chain: 1, number: 23, hash: [0xab; 32] };
        assert_eq!(head.to_string().parse::<ChainHead>().unwrap(), head);
        for text in ["", "1", "1:2", "1:2:ab", "x:2:ab", &format!("1:2:{}", "g".repeat(64))] {
            assert!(text.parse::<ChainHead>().is_err(), "{text}");
        }
    }
}
