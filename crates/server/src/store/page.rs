//! Lists in parts.

use super::StoreError;

/// Entries in each part of a list that is gone through whole.
const PART: u32 = 1_000;

/// Which part of a list is asked for: at most `limit` entries beyond `after`, the key of the last one that was seen.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// Where the part before it ended; `None` for the first.
    pub after: Option<String>,
    /// How many entries at most.
    pub limit: u32,
}

impl Page {
    /// The first `limit` entries.
    pub const fn first(limit: u32) -> Self {
        Self { after: None, limit }
    }
}

/// A part of a list.
#[derive(Clone, Debug)]
pub struct Part<T> {
    /// The entries; fewer than asked for also where a search stopped to take a breath.
    pub entries: Vec<T>,
    /// Where the next part begins; `None` at the end of the list.
    pub next: Option<String>,
}

/// Takes the first `wanted` entries of a list, or all if it has fewer, however many parts they come in: a part can end where the
/// store takes a breath, and then it is short or even empty though more follow.
pub async fn go_through<T>(
    wanted: u64,
    mut fetch: impl AsyncFnMut(&Page) -> Result<Part<T>, StoreError>,
    mut take: impl FnMut(T),
) -> Result<(), StoreError> {
    let mut left = wanted;
    let mut page = Page::default();
    while left > 0 {
        page.limit = u32::try_from(left).map_or(PART, |left| left.min(PART));
        let part = fetch(&page).await?;
        for entry in part.entries {
            take(entry);
            left = left.saturating_sub(1);
        }
        let Some(next) = part.next else { break };
        page.after = Some(next);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A list of 2,500 numbers whose store takes a breath after every 700, and once more where it found nothing.
    async fn numbers(wanted: u64) -> Vec<u32> {
        let mut seen = Vec::new();
        let fetch = async |page: &Page| {
            let from = page.after.as_ref().map_or(0, |after| after.parse().unwrap());
            let to = if from == 700 { from } else { (from + page.limit.min(700)).min(2_500) };
            let next = if from == 700 { Some(701) } else { (to < 2_500).then_some(to) };
            Ok(Part { entries: (from..to).collect(), next: next.map(|next| next.to_string()) })
        };
        go_through(wanted, fetch, |number| seen.push(number)).await.unwrap();
        seen
    }

    #[tokio::test]
    async fn a_list_is_gone_through_to_its_end() {
        let expected: Vec<u32> = (0..700).chain(701..2_500).collect();
        assert_eq!(numbers(u64::MAX).await, expected);
    }

    #[tokio::test]
    async fn no_more_is_taken_than_is_wanted() {
        assert_eq!(numbers(0).await, Vec::<u32>::new());
        assert_eq!(numbers(3).await, [0, 1, 2]);
        assert_eq!(numbers(1_200).await.len(), 1_200);
    }
}
